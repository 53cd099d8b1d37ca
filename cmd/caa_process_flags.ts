// SPDX-License-Identifier: Apache-2.0
/** The flags that `peerctl caa process` has and no other provider needs. */

import { boolFlag, type Flag, stringFlag } from "../lib/cli/flags.ts";
import { parseAgentCommand, splitWords } from "../lib/provider/process/agent_command.ts";

const agentCommand: Flag<readonly string[]> = {
  ...stringFlag("agent-command", {
    placeholder: "COMMAND",
    help:
      "agent of each pod VM instead of the stand-in; {socket} becomes the unix socket it must listen on, {dir} the pod VM's folder; split at blanks, quotes hold together",
  }),
  defaultValue: [],
  convert: (texts) => parseAgentCommand(texts.at(-1) ?? ""),
};

const forwarderOptions: Flag<readonly string[]> = {
  ...stringFlag("forwarder-options", {
    placeholder: "FLAGS",
    help:
      "more flags for the apf of each pod VM, as a pod VM image has them in /etc/default/agent-protocol-forwarder; needed with -ca-cert-file: -ca-cert-file, -cert-file and -cert-key of the pod VMs",
  }),
  defaultValue: [],
  convert: (texts) => splitWords(texts.at(-1) ?? ""),
};

const forwarderCommand: Flag<readonly string[]> = {
  ...stringFlag("forwarder-command", {
    placeholder: "COMMAND",
    help: "forwarder of each pod VM instead of peerctl apf; it must take the flags of apf",
  }),
  defaultValue: [],
  convert: (texts) => splitWords(texts.at(-1) ?? ""),
};

export const processProviderFlags = {
  agentCommand,
  forwarderCommand,
  forwarderOptions,
  allowProcessInCluster: boolFlag("allow-process-in-cluster", {
    help: "run pods without isolation even though NODE_NAME is set",
  }),
};
