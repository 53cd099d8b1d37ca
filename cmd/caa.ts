// SPDX-License-Identifier: Apache-2.0
/** `peerctl caa`: creates pod VMs for the kata shim and opens the way to their agents. */

import { dirname, join } from "node:path";
import type { Logger } from "@logtape/logtape";
import { createRelayPool } from "../lib/agent/relay_pool.ts";
import { createRelayStarter } from "../lib/agent/relay_spawn.ts";
import { buildName } from "../lib/cli/build_info.ts";
import { type CommandContext, defineCommand } from "../lib/cli/command.ts";
import type { ValuesOf } from "../lib/cli/flags.ts";
import { startHealth } from "../lib/daemon/health.ts";
import { configureLogging } from "../lib/daemon/logging.ts";
import { runDaemon, type Service } from "../lib/daemon/run.ts";
import { checkInitdata } from "../lib/guest/initdata.ts";
import { checkSocketPath, dialUnix, listenUnix } from "../lib/net/unix_socket.ts";
import { systemClock } from "../lib/os/clock.ts";
import { caaService } from "../lib/sandbox/caa_service.ts";
import { hypervisorService } from "../lib/sandbox/hypervisor_service.ts";
import { composePodUserData } from "../lib/sandbox/pod_user_data.ts";
import { podVmInfoService } from "../lib/sandbox/podvminfo_service.ts";
import { type NodeSandboxes, startNodeSandboxes } from "../lib/sandbox/node_sandboxes.ts";
import { openStateDir } from "../lib/sandbox/state_dir.ts";
import { readStatus, summarize } from "../lib/sandbox/status.ts";
import { createTtrpcServer } from "../lib/ttrpc/server.ts";
import { caaFlags } from "./caa_flags.ts";
import { caaForgetCommand } from "./caa_forget.ts";
import { providerChoices, startProvider } from "./caa_provider.ts";
import { caaStatusCommand } from "./caa_status.ts";
import { openAgentTls } from "./caa_tls.ts";

/** How long the startup probe waits for its own socket, in milliseconds. */
const PROBE_TIMEOUT_MS = 2000;

/** How long one attempt to delete an instance may take, in milliseconds; StopVM waits for the first one. */
const DELETE_ATTEMPT_MS = 60_000;

type Context = CommandContext<typeof caaFlags, typeof providerChoices>;
export type CaaValues = ValuesOf<typeof caaFlags>;

export default defineCommand({
  name: "caa",
  aliases: ["cloud-api-adaptor"],
  summary: "create pod VMs for the kata shim and carry its calls to their agents",
  description: `Serves the kata remote hypervisor API. For each pod it starts a VM through a provider, gives it keys
and certificates, and has a relay open the way to the agent inside. The relay is a process of its own: it outlives a
restart of caa, and running pods do not notice.`,
  flags: caaFlags,
  selector: { name: "provider", choices: providerChoices },
  subcommands: [caaStatusCommand, caaForgetCommand],
  goStyle: true,
  examples: [
    {
      text: "Run pods as plain processes, to try things out",
      command: "caa process -socket /run/peerpod/hypervisor.sock",
    },
    {
      text: "Use certificates that were made beforehand",
      command: "caa process -ca-cert-file ca.crt -cert-file client.crt -cert-key client.key",
    },
  ],
  async run(context) {
    const { values, env } = context;
    checkSocketPath(values.socket, "hypervisor socket");
    if (values.initdata !== "") checkInitdata(values.initdata);
    const log = await configureLogging({
      command: "caa",
      level: values.logLevel,
      format: values.logFormat,
      ...(values.logFile !== "" && { file: { path: values.logFile } }),
    });
    return await runDaemon({ command: "caa", log, env, start: (signal) => start(context, log, signal) });
  },
});

/** Starts everything in order; what was started before a failure is stopped again, last one first. */
async function start(context: Context, log: Logger, signal: AbortSignal): Promise<Service> {
  const { values, selfCommand, env } = context;
  await using parts = new AsyncDisposableStack();
  const build = buildName();
  const stopping = new AbortController();
  parts.defer(() => stopping.abort());

  const stateDir = parts.use(await openStateDir(values));
  const provider = await startProvider({ context, stateDir, log });
  let node: NodeSandboxes | undefined;
  /** Sandboxes of relays that ended while we were still reconciling. */
  const lostEarly: string[] = [];
  const socketDir = dirname(values.socket);
  await Deno.mkdir(socketDir, { recursive: true, mode: 0o700 });
  const starter = { dir: join(socketDir, "relay"), selfCommand, env, log };
  const relays = createRelayPool({
    dir: starter.dir,
    count: values.relays,
    mode: values.relay,
    starter: createRelayStarter({
      ...starter,
      mode: values.relay === "spawn" ? "spawn" : "auto",
      flags: ["-log-level", values.logLevel],
    }),
    onRelayLost: (_slot, ids) => node ? void node.sandboxes.relayLost(ids) : lostEarly.push(...ids),
    build,
    log,
  });
  parts.defer(() => relays.stop());
  const agentTls = await openAgentTls({
    values,
    keysDir: stateDir.folder("tls"),
    log,
    signal: stopping.signal,
    onChange: (credentials) => relays.update(credentials, (one) => one.labels["tls"] === "manual"),
  });
  const running = node = await startNodeSandboxes({
    podsDir: values.podsDir,
    journalDir: stateDir.folder("journal"),
    provider,
    relays,
    agentTls: agentTls.tls,
    composeUserData: (pod, tls) =>
      composePodUserData(pod, tls, { defaultInitdata: values.initdata, scratchSpace: values.scratchSpace }),
    forwarderPort: values.forwarderPort,
    proxyTimeoutMs: values.proxyTimeoutMs,
    deleteAttemptMs: DELETE_ATTEMPT_MS,
    orphanGraceMs: values.orphanGraceMs,
    clock: systemClock,
    log,
  });
  parts.defer(() => running.stop());
  await running.sandboxes.relayLost(lostEarly);
  await agentTls.announce();
  const status = () => readStatus({ ...running, provider, relays, clock: systemClock });
  signal.throwIfAborted();

  const server = createTtrpcServer({
    services: new Map([
      hypervisorService(running.sandboxes),
      podVmInfoService(running.sandboxes),
      caaService({ build, status, reaper: running.reaper }),
    ]),
    log,
  });
  parts.defer(() => server.close());
  parts.defer(() => running.sandboxes.settle());
  const listener = await listenUnix({ path: values.socket, onConnection: (socket) => server.serve(socket) });
  parts.defer(() => listener.close());
  const health = await startHealth({
    host: "127.0.0.1",
    port: values.probePort,
    startup: () => probe(values.socket),
    async ready() {
      return { ...await probe(values.socket), details: { ...summarize(status()) } };
    },
    log,
  });
  parts.defer(() => health.stop());

  log.info("Serving", {
    socket: values.socket,
    provider: provider.name,
    tls: agentTls.tls.mode,
    build,
    probe_port: health.address.port,
  });
  const started = parts.move();
  const closed = Promise.withResolvers<void>();
  return {
    closed: closed.promise,
    stop: () => started.disposeAsync().finally(closed.resolve),
    reload: () => agentTls.reload(),
  };
}

/** Connects to our own socket as the shim would, and leaves without a word. */
async function probe(path: string): Promise<{ ok: boolean; reason?: string }> {
  try {
    (await dialUnix(path, { timeoutMs: PROBE_TIMEOUT_MS })).destroy();
    return { ok: true };
  } catch {
    return { ok: false, reason: "the hypervisor socket does not accept connections" };
  }
}
