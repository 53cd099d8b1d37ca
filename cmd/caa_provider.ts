// SPDX-License-Identifier: Apache-2.0
/** The providers that `peerctl caa` knows, with their flags, and how each is made. */

import type { Logger } from "@logtape/logtape";
import type { CommandContext } from "../lib/cli/command.ts";
import type { Provider } from "../lib/provider/provider.ts";
import { checkProcessProviderAllowed, PROCESS_PROVIDER_WARNING } from "../lib/provider/process/allowed.ts";
import { createProcessProvider } from "../lib/provider/process/process_provider.ts";
import type { StateDir } from "../lib/sandbox/state_dir.ts";
import type { caaFlags } from "./caa_flags.ts";
import { processProviderFlags } from "./caa_process_flags.ts";

export const providerChoices = {
  process: {
    summary: "pods are plain processes on this machine, without isolation: for demos and tests",
    flags: processProviderFlags,
  },
};

export interface StartProviderOptions {
  readonly context: CommandContext<typeof caaFlags, typeof providerChoices>;
  readonly stateDir: StateDir;
  readonly log: Logger;
}

/**
 * Makes the provider that was chosen and checks its settings.
 *
 * @throws {PeerctlError} kind "config" when it may not run here, or when -cloud-config-verify finds a fault.
 */
export async function startProvider(options: StartProviderOptions): Promise<Provider> {
  const { context, stateDir, log } = options;
  const { values, choice, selfCommand, env } = context;
  checkProcessProviderAllowed({ nodeName: values.nodeName, allowInCluster: choice.values.allowProcessInCluster });
  log.warn(PROCESS_PROVIDER_WARNING);
  const provider = createProcessProvider({
    stateDir: stateDir.folder(choice.name),
    installationId: stateDir.installationId,
    nodeName: values.nodeName,
    selfCommand,
    agentCommand: choice.values.agentCommand,
    forwarderCommand: choice.values.forwarderCommand,
    forwarderFlags: [...(values.disableTls ? ["-disable-tls"] : []), ...choice.values.forwarderOptions],
    forwarderPort: values.forwarderPort,
    env,
    log,
  });
  try {
    await provider.verifyConfig();
  } catch (error) {
    if (values.cloudConfigVerify) throw error;
    log.warn("Provider settings do not check out; pods will fail to start", { provider: provider.name, error });
  }
  return provider;
}
