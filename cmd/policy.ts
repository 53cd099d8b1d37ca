// SPDX-License-Identifier: Apache-2.0
/** `peerctl policy`: checks, asks, tests and measures Rego policies. */

import { defineCommand } from "../lib/cli/command.ts";
import { suggest } from "../lib/cli/suggest.ts";
import { PeerctlError } from "../lib/errors.ts";
import { MAX_PATHS } from "./policy_flags.ts";
import { policyBenchCommand } from "./policy_speed.ts";
import { policyCheckCommand } from "./policy_check.ts";
import { policyEvalCommand } from "./policy_eval.ts";
import { policyTestCommand } from "./policy_test_run.ts";

const subcommands = [policyCheckCommand, policyEvalCommand, policyTestCommand, policyBenchCommand];

const words = subcommands.map(({ name }) => name.split(" ")[1]!);

export default defineCommand({
  name: "policy",
  summary: "check, ask, test and measure Rego policies",
  description: `Works on policies in Rego v1, with the evaluator that peerctl decides by. What that does not offer is
refused when a policy is loaded, with file, line and column. A folder stands for all .rego, .json, .yaml and .yml files
below it; the names of the folders in between say where under data a document is placed.`,
  flags: {},
  subcommands,
  positional: {
    name: "COMMAND",
    help: `${words.join(", ")}, with flags and arguments of its own`,
    min: 1,
    max: MAX_PATHS,
  },
  goStyle: false,
  examples: [{ text: "See whether the policies of a folder can be loaded", command: "policy check policies/" }],
  run({ args }) {
    const word = args[0]!;
    const near = suggest(word, words);
    throw new PeerctlError(
      "usage",
      `Cannot run policy ${JSON.stringify(word.slice(0, 64))}: there is no such command`,
      {
        hint: `${near === undefined ? "" : `did you mean ${near}? `}known: ${words.join(", ")}`,
      },
    );
  },
});
