// SPDX-License-Identifier: Apache-2.0
/** Says which build of peerctl this is: version, commit, runtime, target. */

import manifest from "../../deno.json" with { type: "json" };
import { BUILT_COMMIT } from "./built_commit.ts";

export interface BuildInfo {
  readonly version: string;
  /** The git commit it was built from, or of the checkout it runs from; "unknown" elsewhere. */
  readonly commit: string;
  readonly deno: string;
  readonly v8: string;
  readonly target: string;
}

export function readBuildInfo(): BuildInfo {
  return {
    version: manifest.version,
    commit: BUILT_COMMIT ?? checkoutCommit() ?? "unknown",
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    target: Deno.build.target,
  };
}

/** Digits of the commit that tell builds apart. */
const COMMIT_DIGITS = 12;

/** Names the build in one word, for logs and for greetings between processes: `0.1.0+0123456789ab`. */
export function buildName(): string {
  const { version, commit } = readBuildInfo();
  return `${version}+${commit.slice(0, COMMIT_DIGITS)}`;
}

/** Reads the commit from the files of git, because git itself may not be installed. */
function checkoutCommit(): string | undefined {
  try {
    const git = (path: string) => Deno.readTextFileSync(new URL(`../../.git/${path}`, import.meta.url)).trim();
    const head = git("HEAD");
    const branch = /^ref: (\S+)$/.exec(head)?.[1];
    if (branch === undefined) return head;
    try {
      return git(branch);
    } catch {
      return git("packed-refs").split("\n").find((line) => line.endsWith(` ${branch}`))?.split(" ")[0];
    }
  } catch {
    return undefined;
  }
}
