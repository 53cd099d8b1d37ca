// SPDX-License-Identifier: Apache-2.0
/** `peerctl version`: which build this is. */

import { readBuildInfo } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";

export default defineCommand({
  name: "version",
  summary: "show which build of peerctl this is",
  description: "Shows the version, the git commit when it is known, and the runtime below.",
  flags: {},
  goStyle: false,
  examples: [
    { text: "For a person", command: "version" },
    { text: "For a script", command: "version --output json" },
  ],
  run({ output }) {
    const info = readBuildInfo();
    if (output.format === "json") output.json(info);
    else {
      output.table([
        ["peerctl", info.version],
        ["commit", info.commit],
        ["deno", info.deno],
        ["v8", info.v8],
        ["target", info.target],
      ]);
    }
    return Promise.resolve(ExitCode.done);
  },
});
