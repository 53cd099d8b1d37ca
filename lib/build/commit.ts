// SPDX-License-Identifier: Apache-2.0
/** Names the commit that a build is made from. */

import { readBuildInfo } from "../cli/build_info.ts";
import { ROOT } from "./bundle.ts";
import { runCommand } from "./run_command.ts";

/** How long git may take, in milliseconds. */
const GIT_MS = 60_000;

/** What goes into a build, as git takes it: no tests. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "cmd", "lib", ":!*_test.ts", ":!lib/testing"];

/** The commit, with `-modified` behind it when the sources are not those of the commit; "unknown" outside of git. */
export async function readCommit(): Promise<string> {
  const git = (...args: string[]) => runCommand("git", ["-C", ROOT, ...args], { timeoutMs: GIT_MS });
  try {
    const commit = (await git("rev-parse", "HEAD")).trim();
    const changes = await git("status", "--porcelain", "--", ...SOURCES);
    return changes === "" ? commit : `${commit}-modified`;
  } catch {
    // No git here, or it does not trust the folder's owner: the files of git still say which commit it is.
    return readBuildInfo().commit;
  }
}
