// SPDX-License-Identifier: Apache-2.0
/** `peerctl completion`: the script that makes a shell complete commands, flags and values. */

import { defineCommand } from "../lib/cli/command.ts";
import { bashCompletion } from "../lib/cli/completion_bash.ts";
import { fishCompletion } from "../lib/cli/completion_fish.ts";
import { describeCommands } from "../lib/cli/completion_model.ts";
import { zshCompletion } from "../lib/cli/completion_zsh.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";

const WRITERS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export default defineCommand({
  name: "completion",
  summary: "print the completion script for a shell",
  description: "Prints a script that teaches bash, zsh or fish the commands, flags and values of peerctl.",
  flags: {},
  positional: { name: "SHELL", help: "bash, zsh or fish", min: 1, max: 1, choices: ["bash", "zsh", "fish"] },
  goStyle: false,
  examples: [
    { text: "In ~/.bashrc", command: "completion bash > ~/.peerctl-completion && . ~/.peerctl-completion" },
    {
      text: "In ~/.zshrc, after compinit",
      command: "completion zsh > ~/.peerctl-completion && . ~/.peerctl-completion",
    },
    { text: "Once, for fish", command: "completion fish > ~/.config/fish/completions/peerctl.fish" },
  ],
  async run({ args, output, commands }) {
    const write = WRITERS[args[0] as keyof typeof WRITERS];
    const script = write(describeCommands(await commands()));
    if (output.format === "json") output.json({ shell: args[0], script });
    else output.result(script.trimEnd());
    return ExitCode.done;
  },
});
