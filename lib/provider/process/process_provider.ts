// SPDX-License-Identifier: Apache-2.0
/** Runs pod VMs as processes on this machine, without isolation: for demos, tests and development. */

import type { Logger } from "@logtape/logtape";
import type { Provider } from "../provider.ts";

export interface ProcessProviderOptions {
  /** Holds one folder per pod VM; made 0700 if missing. */
  readonly stateDir: string;
  /** Tells this installation's pod VMs from those of another caa on this machine. */
  readonly installationId: string;
  readonly nodeName: string;
  /** How to start peerctl again, program first. */
  readonly selfCommand: readonly string[];
  /** Program and arguments of the agent, see agent_command.ts; empty for the stand-in agent. */
  readonly agentCommand: readonly string[];
  /** TCP port of the forwarder; every pod VM has an address of its own. */
  readonly forwarderPort: number;
  /** The environment of this process; only a few harmless names are handed on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}

export function createProcessProvider(_options: ProcessProviderOptions): Provider {
  throw new Error("not written yet");
}
