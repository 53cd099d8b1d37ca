// SPDX-License-Identifier: Apache-2.0
/** The life cycle of peer pods on one worker node: created, starting, running, stopping, gone. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { RelayPool } from "../agent/relay_pool.ts";
import { checkSandboxId } from "../agent/sandbox_id.ts";
import type { Instance, Provider } from "../provider/provider.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import type { AgentTls, SandboxTls } from "./agent_tls.ts";
import { type PodRequest, readPodRequest } from "./annotations.ts";
import { instanceNameFor } from "./names.ts";
import { createPodFolders, type PodFolders } from "./pod_folders.ts";
import { createUndo } from "./undo.ts";

/** How long deleting an instance may take, in milliseconds; the Go adaptor gives its clean-up the same ten minutes. */
const DELETE_LIMIT_MS = 10 * 60_000;

/** Most sandboxes one worker node may hold: far above what a node runs, low enough to stop a runaway caller. */
const MAX_SANDBOXES = 4096;

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
  /** Ends the pod VM and forgets the pod, whatever state it is in and whether it is known or not. */
  stop(id: string): Promise<void>;
  /** Answers the instance id of a pod; with `wait` as soon as it has one. */
  instanceOf(pod: { name: string; namespace: string; wait: boolean }, signal: AbortSignal): Promise<string>;
  /** Learns from the relays which sandboxes run already; to be called once, before anything is served. */
  recover(): Promise<void>;
  /** Says that the relay that carried these sandboxes is gone: their agents cannot be reached any more. */
  relayLost(ids: readonly string[]): void;
  /** Gives up what is still starting, and waits for it and for what is still stopping. Running sandboxes go on. */
  settle(): Promise<void>;
  list(): readonly {
    id: string;
    podName: string;
    podNamespace: string;
    state: State;
    instanceId: string | undefined;
  }[];
}

export type State = "created" | "starting" | "running" | "failed" | "stopping";

export interface SandboxesOptions {
  readonly podsDir: string;
  readonly provider: Provider;
  readonly relays: RelayPool;
  readonly agentTls: AgentTls;
  /** Composes the user data of a pod VM from what is known of the pod and its TLS. */
  composeUserData(pod: PodRequest, tls: SandboxTls): string;
  readonly forwarderPort: number;
  /** How long the way to the agent may take to open, in milliseconds. */
  readonly proxyTimeoutMs: number;
  readonly log: Logger;
}

interface Sandbox {
  readonly id: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly networkNamespacePath: string;
  readonly agentSocket: string;
  /** Absent for a sandbox that an earlier caa started: it is running, so nobody asks any more. */
  readonly pod: PodRequest | undefined;
  state: State;
  instance: Pick<Instance, "id"> | undefined;
  starting: { readonly done: Promise<void>; abort(): void } | undefined;
  stopping: Promise<void> | undefined;
}

/** Creates the life cycle for one provider and one set of relays. */
export function createSandboxes(options: SandboxesOptions): Sandboxes {
  const { provider, relays, agentTls, forwarderPort, proxyTimeoutMs, log } = options;
  const folders: PodFolders = createPodFolders(options.podsDir);
  const known = new Map<string, Sandbox>();
  const waiters = new Set<() => void>();

  function changed(): void {
    for (const wake of [...waiters]) wake();
  }

  async function create(request: CreateSandbox): Promise<string> {
    const { id, networkNamespacePath } = request;
    checkSandboxId(id);
    const pod = readPodRequest(request.annotations);
    const twin = known.get(id);
    if (twin) {
      const same = twin.podName === pod.podName && twin.podNamespace === pod.podNamespace &&
        twin.networkNamespacePath === networkNamespacePath;
      if (same) return twin.agentSocket;
      throw new RpcError(
        Code.alreadyExists,
        `Cannot create pod VM "${id}": the id belongs to pod "${twin.podNamespace}/${twin.podName}"`,
      );
    }
    if (known.size >= MAX_SANDBOXES) {
      throw new PeerctlError(
        "limit",
        `Cannot create pod VM "${id}": ${known.size} sandboxes exist, limit ${MAX_SANDBOXES}`,
      );
    }
    const sandbox: Sandbox = {
      id,
      podName: pod.podName,
      podNamespace: pod.podNamespace,
      networkNamespacePath,
      agentSocket: folders.agentSocket(id),
      pod,
      state: "created",
      instance: undefined,
      starting: undefined,
      stopping: undefined,
    };
    known.set(id, sandbox);
    try {
      await folders.make(id);
    } catch (error) {
      known.delete(id);
      throw error;
    }
    log.info("Sandbox created", { sandbox: id, pod: pod.podName, namespace: pod.podNamespace });
    changed();
    return sandbox.agentSocket;
  }

  function start(id: string, signal: AbortSignal): Promise<void> {
    const sandbox = known.get(id);
    if (!sandbox) {
      return Promise.reject(
        new RpcError(Code.notFound, `Cannot start pod VM "${id}": no such sandbox, CreateVM has to come first`),
      );
    }
    if (sandbox.state === "running") return Promise.resolve();
    if (sandbox.state === "starting" && sandbox.starting) return sandbox.starting.done;
    const pod = sandbox.pod;
    if (sandbox.state !== "created" || sandbox.stopping || !pod) {
      return Promise.reject(
        new PeerctlError("state", `Cannot start pod VM "${id}": the sandbox is ${sandbox.state}`, {
          hint: "stop the pod and start it again",
        }),
      );
    }
    const stopped = new AbortController();
    sandbox.state = "starting";
    const done = boot(sandbox, pod, AbortSignal.any([signal, stopped.signal]));
    sandbox.starting = {
      done,
      abort: () =>
        stopped.abort(new PeerctlError("closed", `Cannot start pod VM "${id}": the pod was stopped meanwhile`)),
    };
    return done;
  }

  async function boot(sandbox: Sandbox, pod: PodRequest, signal: AbortSignal): Promise<void> {
    const { id, podName, podNamespace } = sandbox;
    const instanceName = instanceNameFor(podName, id);
    const undo = createUndo({ log: log.with({ sandbox: id }), limitMs: DELETE_LIMIT_MS });
    const startedAt = performance.now();
    try {
      signal.throwIfAborted();
      const tls = await agentTls.forInstance(instanceName);
      const userData = options.composeUserData(pod, tls);
      const instance = await provider.create({
        sandboxId: id,
        podName,
        podNamespace,
        instanceName,
        userData,
        spec: pod.spec,
        idempotencyKey: crypto.randomUUID(),
      }, signal);
      undo.push("delete instance", async (limit) => {
        await provider.delete(instance.id, limit);
        sandbox.instance = undefined;
      });
      sandbox.instance = instance;
      changed();
      const host = instance.addresses[0];
      if (host === undefined) {
        throw new PeerctlError("peer", `Cannot reach pod VM "${instance.name}": the provider gave it no address`);
      }
      undo.push("close agent path", () => relays.close(id));
      await relays.open({
        sandboxId: id,
        agentSocket: sandbox.agentSocket,
        host,
        port: forwarderPort,
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
        timeoutMs: BigInt(proxyTimeoutMs),
        labels: labelsOf(sandbox, instance),
      }, signal);
      signal.throwIfAborted();
      sandbox.state = "running";
      log.info("Sandbox running", {
        sandbox: id,
        pod: podName,
        namespace: podNamespace,
        instance: instance.id,
        duration_ms: Math.round(performance.now() - startedAt),
      });
    } catch (error) {
      const cause = signal.aborted ? toPeerctlError(signal.reason, "closed") : error;
      log.warn("Sandbox could not be started", { sandbox: id, pod: podName, namespace: podNamespace, error: cause });
      await undo.runAll();
      sandbox.state = sandbox.instance ? "failed" : "created";
      throw cause;
    } finally {
      sandbox.starting = undefined;
      changed();
    }
  }

  function labelsOf(sandbox: Sandbox, instance: Instance): Record<string, string> {
    return {
      pod: sandbox.podName,
      namespace: sandbox.podNamespace,
      netns: sandbox.networkNamespacePath,
      provider: provider.name,
      instance: instance.id,
      tls: agentTls.mode,
    };
  }

  function stop(id: string): Promise<void> {
    const sandbox = known.get(id);
    if (!sandbox) return stopUnknown(id);
    sandbox.stopping ??= end(sandbox).finally(() => sandbox.stopping = undefined);
    return sandbox.stopping;
  }

  async function end(sandbox: Sandbox): Promise<void> {
    const { id } = sandbox;
    if (sandbox.starting) {
      sandbox.starting.abort();
      await sandbox.starting.done.catch(() => {});
    }
    sandbox.state = "stopping";
    try {
      await release(id, sandbox.instance?.id);
    } catch (error) {
      // Kept, so that the next StopVM tries again: forgetting it would leave a VM that nobody knows of.
      sandbox.state = "failed";
      throw error;
    }
    known.delete(id);
    changed();
    log.info("Sandbox stopped", { sandbox: id, pod: sandbox.podName, namespace: sandbox.podNamespace });
  }

  /** A sandbox that this process never saw may still have a relay entry, an instance and a folder. */
  async function stopUnknown(id: string): Promise<void> {
    checkSandboxId(id);
    await release(id, undefined);
    log.info("Unknown sandbox stopped", { sandbox: id });
  }

  async function release(id: string, instanceId: string | undefined): Promise<void> {
    await relays.close(id);
    const limit = new AbortController();
    const timer = setTimeout(
      () => limit.abort(new DOMException("the time to delete is over", "TimeoutError")),
      DELETE_LIMIT_MS,
    );
    try {
      const target = instanceId ?? (await provider.find(id, limit.signal))?.id;
      if (target !== undefined) await provider.delete(target, limit.signal);
    } finally {
      clearTimeout(timer);
    }
    await folders.remove(id);
  }

  async function instanceOf(
    pod: { name: string; namespace: string; wait: boolean },
    signal: AbortSignal,
  ): Promise<string> {
    while (true) {
      for (const sandbox of known.values()) {
        const isPod = sandbox.podName === pod.name && sandbox.podNamespace === pod.namespace;
        if (isPod && sandbox.instance) return sandbox.instance.id;
      }
      if (!pod.wait) {
        throw new RpcError(Code.notFound, `Cannot tell the VM of pod "${pod.namespace}/${pod.name}": it has none`);
      }
      await nextChange(signal);
    }
  }

  function nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(toPeerctlError(signal.reason, "closed"));
      const leave = () => {
        waiters.delete(wake);
        signal.removeEventListener("abort", abort);
      };
      const wake = () => (leave(), resolve());
      const abort = () => (leave(), reject(toPeerctlError(signal.reason, "closed")));
      waiters.add(wake);
      signal.addEventListener("abort", abort);
    });
  }

  async function recover(): Promise<void> {
    for (const found of await relays.list()) {
      // Another caa began this and is gone, or goes on: either way nobody was told that it runs.
      if (found.state !== "open") continue;
      const { pod = "", namespace = "", netns = "", instance = "" } = found.labels;
      known.set(found.sandboxId, {
        id: found.sandboxId,
        podName: pod,
        podNamespace: namespace,
        networkNamespacePath: netns,
        agentSocket: found.agentSocket,
        pod: undefined,
        state: "running",
        instance: instance === "" ? undefined : { id: instance },
        starting: undefined,
        stopping: undefined,
      });
      log.info("Sandbox found running", { sandbox: found.sandboxId, pod, namespace, instance });
    }
  }

  function relayLost(ids: readonly string[]): void {
    for (const id of ids) {
      const sandbox = known.get(id);
      if (sandbox?.state !== "running") continue;
      sandbox.state = "failed";
      log.error("Sandbox lost its agent path: the relay that carried it is gone", {
        sandbox: id,
        pod: sandbox.podName,
        namespace: sandbox.podNamespace,
      });
    }
  }

  async function settle(): Promise<void> {
    for (const { starting } of known.values()) starting?.abort();
    await Promise.allSettled([...known.values()].flatMap(({ starting, stopping }) => [starting?.done, stopping]));
  }

  return {
    create,
    start,
    stop,
    instanceOf,
    recover,
    relayLost,
    settle,
    list: () =>
      [...known.values()].map(({ id, podName, podNamespace, state, instance }) => ({
        id,
        podName,
        podNamespace,
        state,
        instanceId: instance?.id,
      })),
  };
}
