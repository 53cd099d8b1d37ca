// SPDX-License-Identifier: Apache-2.0
/** The life cycle of peer pods on one worker node: created, starting, running, stopping, gone. */

import type { Logger } from "@logtape/logtape";
import type { OpenInit, RelayPool } from "../agent/relay_pool.ts";
import { checkSandboxId } from "../agent/sandbox_id.ts";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { Clock } from "../os/clock.ts";
import { limitTime } from "../os/limit_time.ts";
import type { CreateRequest, Instance, Provider } from "../provider/provider.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import type { AgentTls, SandboxTls } from "./agent_tls.ts";
import { type PodRequest, readPodRequest } from "./annotations.ts";
import { instanceNameFor } from "./names.ts";
import type { PodFolders } from "./pod_folders.ts";
import type { Reaper } from "./reaper.ts";
import type { Sandbox, SandboxStore } from "./store.ts";
import { createUndo } from "./undo.ts";

/** How long closing an agent path may take, in milliseconds: a relay that hangs must not keep a VM alive. */
const CLOSE_LIMIT_MS = 20_000;

/** How long creating an instance may take, in milliseconds; the shim's own limit is ten minutes as shipped. */
const CREATE_LIMIT_MS = 30 * 60_000;

/** How long a provider that is told to stop creating may take to do so, in milliseconds. */
const HEED_MS = 60_000;

/** How long taking back one step of a start may take, in milliseconds; the Go adaptor gives its clean-up ten minutes. */
const UNDO_LIMIT_MS = 10 * 60_000;

export interface CreateSandbox {
  readonly id: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly networkNamespacePath: string;
}

export interface Sandboxes {
  /**
   * Remembers a pod and answers the path on which its agent will be reached. Nothing runs yet. The same pod again
   * gets the same answer.
   *
   * @throws {PeerctlError} kind "config" for an unusable id or annotation; {RpcError} ALREADY_EXISTS for another pod.
   */
  create(request: CreateSandbox): Promise<string>;
  /**
   * Starts the pod VM and resolves once its agent has answered. On failure, and when `signal` aborts, whatever was
   * started is ended again first.
   */
  start(id: string, signal: AbortSignal): Promise<void>;
  /**
   * Ends the pod VM and forgets the pod, whatever state it is in and whether it is known or not. An instance that
   * cannot be deleted now is noted and deleted later.
   */
  stop(id: string): Promise<void>;
  /** Answers the instance id of a pod; with `wait` as soon as it has one. */
  instanceOf(pod: { name: string; namespace: string; wait: boolean }, signal: AbortSignal): Promise<string>;
  /** Says that the relay that carried these sandboxes is gone: their agents cannot be reached any more. */
  relayLost(ids: readonly string[]): Promise<void>;
  /** Gives up what is still starting, and waits for it and for what is still stopping. Running sandboxes go on. */
  settle(): Promise<void>;
}

export interface SandboxesOptions {
  readonly store: SandboxStore;
  readonly reaper: Reaper;
  readonly folders: PodFolders;
  readonly provider: Provider;
  readonly relays: RelayPool;
  readonly agentTls: AgentTls;
  /** Composes the user data of a pod VM from what is known of the pod and its TLS. */
  composeUserData(pod: PodRequest, tls: SandboxTls): string;
  readonly forwarderPort: number;
  /** How long the way to the agent may take to open, in milliseconds. */
  readonly proxyTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Creates the life cycle for one provider and one set of relays. */
export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const { store, reaper, folders, provider, relays, agentTls, clock, log } = options;

  /** Ids that nobody knows and that are being stopped all the same. */
  const stoppingUnknown = new Map<string, Promise<void>>();
  /** Folders that are just being made, by sandbox id. */
  const making = new Map<string, Promise<void>>();

  function makeFolder(id: string, initdata: string): Promise<void> {
    let made = making.get(id);
    if (made === undefined) {
      made = folders.make(id, initdata).finally(() => making.delete(id));
      making.set(id, made);
    }
    return made;
  }

  async function create(request: CreateSandbox): Promise<string> {
    const { id, networkNamespacePath } = request;
    checkSandboxId(id);
    // What is looked for under this id and deleted must not be what comes now.
    await stoppingUnknown.get(id)?.catch(() => {});
    const pod = readPodRequest(request.annotations);
    const sandbox = store.get(id);
    if (sandbox) {
      const known = sandbox.row;
      const isSame = known.podName === pod.podName && known.podNamespace === pod.podNamespace &&
        known.networkNamespacePath === networkNamespacePath;
      // Again, for a caa that was killed after it had noted the pod may not have come to keep its initdata.
      if (isSame && isIdle(sandbox)) await makeFolder(id, pod.initdata);
      if (isSame) return known.agentSocket;
      throw new RpcError(
        Code.alreadyExists,
        `Cannot create pod VM "${id}": the id belongs to pod "${known.podNamespace}/${known.podName}"`,
      );
    }
    const agentSocket = folders.agentSocket(id);
    store.add({
      id,
      podName: pod.podName,
      podNamespace: pod.podNamespace,
      networkNamespacePath,
      agentSocket,
      spec: JSON.stringify(pod.spec),
      state: "created",
      provider: provider.name,
      idempotencyKey: "",
      instanceId: "",
      lastError: "",
    });
    try {
      await makeFolder(id, pod.initdata);
    } catch (error) {
      store.remove(id);
      await folders.remove(id).catch(() => {});
      throw error;
    }
    log.info("Sandbox created", { sandbox: id, pod: pod.podName, namespace: pod.podNamespace });
    return agentSocket;
  }

  function start(id: string, signal: AbortSignal): Promise<void> {
    const sandbox = store.get(id);
    if (!sandbox) {
      return Promise.reject(
        new RpcError(Code.notFound, `Cannot start pod VM "${id}": no such sandbox, CreateVM has to come first`),
      );
    }
    if (sandbox.starting) return sandbox.starting.done;
    if (sandbox.row.state === "running") return Promise.resolve();
    if (!isIdle(sandbox)) {
      return Promise.reject(
        new PeerctlError("state", `Cannot start pod VM "${id}": the sandbox is ${stateAndWhy(sandbox)}`, {
          hint: "delete the pod; one that takes its place starts anew",
        }),
      );
    }
    const stopped = new AbortController();
    const done = boot(sandbox, AbortSignal.any([signal, stopped.signal])).finally(() => sandbox.starting = undefined);
    sandbox.starting = {
      done,
      abort: () =>
        stopped.abort(new PeerctlError("closed", `Cannot start pod VM "${id}": the pod was stopped meanwhile`)),
    };
    return done;
  }

  async function boot(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
    const { id, podName, podNamespace } = sandbox.row;
    const names = { sandbox: id, pod: podName, namespace: podNamespace };
    const undo = createUndo({ log: log.with({ sandbox: id }), clock, limitMs: UNDO_LIMIT_MS });
    const startedMs = clock.now();
    try {
      await making.get(id);
      signal.throwIfAborted();
      const pod = await folders.readPod(sandbox.row);
      const instanceName = instanceNameFor(podName, id);
      const tls = await agentTls.forInstance(instanceName);
      const userData = options.composeUserData(pod, tls);
      signal.throwIfAborted();
      const idempotencyKey = crypto.randomUUID();
      store.update(sandbox, { state: "starting", idempotencyKey, instanceId: "", lastError: "" });
      // Before the call: an answer that never comes may still mean an instance.
      undo.push("delete instance", async () => {
        const { instanceId } = sandbox.row;
        await reaper.reap({ sandboxId: id, instanceId, mayExistSinceMs: clock.now() });
      });
      const request = { sandboxId: id, podName, podNamespace, instanceName, userData, spec: pod.spec, idempotencyKey };
      const instance = await createInstance(request, signal);
      store.update(sandbox, { instanceId: instance.id });
      signal.throwIfAborted();
      undo.push("close agent path", () => closePath(id));
      await relays.open(openRequest(sandbox, instance, tls), signal);
      signal.throwIfAborted();
      store.update(sandbox, { state: "running" });
      log.info("Sandbox running", { ...names, instance: instance.id, duration_ms: clock.now() - startedMs });
    } catch (error) {
      const cause = signal.aborted ? toPeerctlError(signal.reason, "closed") : error;
      const lastError = cause instanceof Error ? cause.message : String(cause);
      log.warn("Sandbox could not be started", { ...names, reason: lastError });
      await undo.runAll();
      store.note(sandbox, { state: "created", instanceId: "", lastError });
      throw cause;
    }
  }

  /** A provider that is told to stop may take back what it did; one that does not heed is left behind. */
  async function createInstance(request: CreateRequest, signal: AbortSignal): Promise<Instance> {
    const isDone = new AbortController();
    const tooLate = new AbortController();
    signal.addEventListener("abort", () => {
      clock.delay(HEED_MS, isDone.signal).then(() => tooLate.abort(signal.reason), () => {});
    }, { signal: isDone.signal });
    try {
      return await limitTime((limit) => provider.create(request, AbortSignal.any([signal, limit])), {
        ms: CREATE_LIMIT_MS,
        what: `create the instance of sandbox "${request.sandboxId}"`,
        clock,
        signal: tooLate.signal,
      });
    } finally {
      isDone.abort();
    }
  }

  function openRequest(sandbox: Sandbox, instance: Instance, tls: SandboxTls): OpenInit {
    const { id, podName, podNamespace, networkNamespacePath, agentSocket } = sandbox.row;
    const [host] = instance.addresses;
    if (host === undefined) {
      throw new PeerctlError("peer", `Cannot reach pod VM "${instance.name}": the provider gave it no address`);
    }
    return {
      sandboxId: id,
      agentSocket,
      host,
      port: options.forwarderPort,
      ...(tls.dial && {
        tls: {
          serverName: tls.dial.serverName,
          caPem: tls.dial.credentials.ca ?? "",
          certPem: tls.dial.credentials.cert ?? "",
          keyPem: tls.dial.credentials.key ?? "",
          skipVerify: tls.dial.skipVerify,
          minVersion: tls.dial.profile.minVersion,
          cipherSuites: [...tls.dial.profile.cipherSuites],
        },
      }),
      timeoutMs: BigInt(options.proxyTimeoutMs),
      labels: {
        pod: podName,
        namespace: podNamespace,
        netns: networkNamespacePath,
        provider: provider.name,
        instance: instance.id,
        tls: agentTls.mode,
      },
    };
  }

  async function stop(id: string): Promise<void> {
    const sandbox = store.get(id);
    if (!sandbox) return await stopUnknown(id);
    sandbox.stopping ??= end(sandbox).finally(() => sandbox.stopping = undefined);
    await sandbox.stopping;
  }

  /** A sandbox that the journal does not have may still have a path, an instance and a folder. */
  async function stopUnknown(id: string): Promise<void> {
    checkSandboxId(id);
    let stopping = stoppingUnknown.get(id);
    if (stopping === undefined) {
      stopping = release(id, "").finally(() => stoppingUnknown.delete(id));
      stoppingUnknown.set(id, stopping);
    }
    await stopping;
    log.info("Unknown sandbox stopped", { sandbox: id });
  }

  async function end(sandbox: Sandbox): Promise<void> {
    const { id, podName, podNamespace } = sandbox.row;
    if (sandbox.starting) {
      sandbox.starting.abort();
      await sandbox.starting.done.catch(() => {});
    }
    await sandbox.takingBack?.catch(() => {});
    await making.get(id)?.catch(() => {});
    store.note(sandbox, { state: "stopping" });
    try {
      await release(id, sandbox.row.instanceId);
    } catch (error) {
      // Kept, so that the next StopVM tries again: forgetting it would leave a VM that nobody knows of.
      store.note(sandbox, { state: "failed", lastError: toPeerctlError(error).message });
      throw error;
    }
    store.remove(id);
    log.info("Sandbox stopped", { sandbox: id, pod: podName, namespace: podNamespace });
  }

  /** Ends everything that may be there of a sandbox, known or not. */
  async function release(id: string, instanceId: string): Promise<void> {
    await closePath(id);
    await reaper.reap({ sandboxId: id, instanceId, mayExistSinceMs: 0 });
    await folders.remove(id);
  }

  /** A relay that does not answer is no reason to keep the VM: without it the path leads nowhere. */
  async function closePath(id: string): Promise<void> {
    try {
      await limitTime(() => relays.close(id), { ms: CLOSE_LIMIT_MS, what: `close the agent path of "${id}"`, clock });
    } catch (error) {
      log.warn("Agent path could not be closed", { sandbox: id, reason: toPeerctlError(error).message });
    }
  }

  async function instanceOf(
    pod: { name: string; namespace: string; wait: boolean },
    signal: AbortSignal,
  ): Promise<string> {
    for (;;) {
      const rows = store.all().map(({ row }) => row);
      const found = rows.find((row) =>
        row.podName === pod.name && row.podNamespace === pod.namespace && row.instanceId !== ""
      );
      if (found) return found.instanceId;
      if (!pod.wait) {
        throw new RpcError(Code.notFound, `Cannot tell the VM of pod "${pod.namespace}/${pod.name}": it has none`);
      }
      await store.nextChange(signal);
    }
  }

  async function relayLost(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const sandbox = store.get(id);
      if (sandbox?.row.state !== "running" || sandbox.stopping) continue;
      const lastError = "the relay that carried its agent path is gone";
      store.note(sandbox, { state: "failed", lastError });
      // The others are told of all the same, and nobody waits for this who could be told.
      await folders.removeAgentSocket(id).catch((error) =>
        log.warn("Agent socket could not be removed", { sandbox: id, reason: toPeerctlError(error).message })
      );
      log.error("Sandbox lost its agent path", {
        sandbox: id,
        pod: sandbox.row.podName,
        namespace: sandbox.row.podNamespace,
        reason: lastError,
      });
    }
  }

  async function settle(): Promise<void> {
    for (const { starting } of store.all()) starting?.abort();
    await Promise.allSettled([
      ...store.all().flatMap(({ starting, stopping, takingBack }) => [starting?.done, stopping, takingBack]),
      ...stoppingUnknown.values(),
    ]);
  }

  return { create, start, stop, instanceOf, relayLost, settle };
}

/** Created, and nothing is under way on it. */
function isIdle({ row, starting, stopping, takingBack }: Sandbox): boolean {
  return row.state === "created" && !starting && !stopping && !takingBack;
}

function stateAndWhy({ row: { state, lastError } }: Sandbox): string {
  return state === "failed" && lastError !== "" ? `failed: ${lastError}` : state;
}
