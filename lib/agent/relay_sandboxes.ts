// SPDX-License-Identifier: Apache-2.0
/** The sandboxes one relay carries: opened once each, found again, given new credentials, closed. */

import type { Logger } from "@logtape/logtape";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { createTlsContexts, type TlsCredentials } from "../net/tls.ts";
import type { OpenRequest, SandboxSchema } from "../proto/gen/relay_pb.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import type { Rewriters } from "../ttrpc/splice.ts";
import type { Traffic } from "./relay_connection.ts";
import { checkOpenRequest, openTimeoutMs, tlsOptionsOf } from "./relay_open_request.ts";
import { MAX_RELAY_SANDBOXES } from "./relay_protocol.ts";
import { addTraffic, type AgentPath, openAgentPath } from "./relay_sandbox.ts";
import { createUpstream, type Upstream } from "./relay_upstream.ts";

export interface RelaySandboxes {
  /** Sandboxes that are open, opening or closing. */
  readonly size: number;
  readonly isDraining: boolean;
  /**
   * Resolves when the agent path is open. The same request for a known id waits for, or finds, the same path.
   *
   * @throws {RpcError} ALREADY_EXISTS for another request under a known id, UNAVAILABLE while draining;
   * {PeerctlError} for a request that cannot be met, kind "closed" when `signal` aborts or `close` comes first.
   */
  open(request: OpenRequest, signal: AbortSignal): Promise<void>;
  /** Ends one sandbox, whatever its state; false when there is none of that id. */
  close(sandboxId: string): Promise<boolean>;
  /** Ends all; openings fail with UNAVAILABLE. */
  closeAll(): Promise<void>;
  /** Gives later connections of one sandbox, or of all for "", new credentials; returns how many took them. */
  update(sandboxId: string, credentials: TlsCredentials): number;
  /** Takes no new ones from now on; returns how many are left. */
  drain(): number;
  list(): MessageInitShape<typeof SandboxSchema>[];
  traffic(): Traffic & { readonly connections: number };
}

export interface RelaySandboxesOptions {
  readonly rewriters: Rewriters;
  readonly log: Logger;
  /** Called whenever `size` or `isDraining` has changed. */
  onChange(): void;
}

interface Entry {
  readonly sandboxId: string;
  readonly agentSocket: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: no TLS. */
  readonly serverName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly upstream: Upstream;
  /** Gives up the opening. */
  readonly cancel: AbortController;
  /** Settles when the opening has succeeded or has been undone. */
  opened: Promise<AgentPath>;
  /** Callers that wait for the opening; it is given up when the last one has gone. */
  waiting: number;
  path: AgentPath | undefined;
  openedUnixMs: number;
  closing: Promise<void> | undefined;
}

export function createRelaySandboxes(options: RelaySandboxesOptions): RelaySandboxes {
  const { log } = options;
  const contexts = createTlsContexts();
  const entries = new Map<string, Entry>();
  const ended = { toGuestBytes: 0, toHostBytes: 0, requests: 0 };
  let isDraining = false;

  async function open(request: OpenRequest, signal: AbortSignal): Promise<void> {
    const { sandboxId } = request;
    for (let twin = entries.get(sandboxId); twin; twin = entries.get(sandboxId)) {
      // One that is on its way out does not answer for a new request: it is awaited, then looked for again.
      if (twin.closing) await twin.closing;
      else if (twin.cancel.signal.aborted) await twin.opened.catch(() => {});
      else if (isSame(twin, request)) return await join(twin, signal);
      else throw alreadyExists(sandboxId);
    }
    if (isDraining) {
      throw new RpcError(Code.unavailable, `Cannot open sandbox "${sandboxId}": this relay is draining`);
    }
    if (entries.size >= MAX_RELAY_SANDBOXES) {
      throw new PeerctlError("limit", `Cannot open sandbox "${sandboxId}": limit ${MAX_RELAY_SANDBOXES} reached`);
    }
    const entry = begin(request);
    await join(entry, signal);
  }

  function begin(request: OpenRequest): Entry {
    const { sandboxId, agentSocket, host, port } = request;
    checkOpenRequest(request);
    const tls = tlsOptionsOf(request);
    const sandboxLog = log.with({ sandbox: sandboxId });
    const upstream = createUpstream({ host, port, tls: tls && { ...tls, contexts }, log: sandboxLog });
    const cancel = new AbortController();
    const opened = openAgentPath({
      agentSocket,
      upstream,
      timeoutMs: openTimeoutMs(request.timeoutMs),
      rewriters: options.rewriters,
      log: sandboxLog,
      signal: cancel.signal,
    });
    const entry: Entry = {
      sandboxId,
      agentSocket,
      host,
      port,
      serverName: tls?.serverName,
      labels: { ...request.labels },
      upstream,
      cancel,
      opened,
      waiting: 0,
      path: undefined,
      openedUnixMs: 0,
      closing: undefined,
    };
    entries.set(sandboxId, entry);
    options.onChange();
    opened.then((path) => {
      entry.path = path;
      entry.openedUnixMs = Date.now();
      sandboxLog.info("Sandbox opened", { peer: `${host}:${port}`, tls: upstream.usesTls });
    }, (error) => {
      // Not `closing`: there is nothing to end, and whoever waits is told by `opened`.
      if (!entry.closing) forget(entry);
      if (cancel.signal.aborted) sandboxLog.info("Sandbox opening cancelled", { peer: `${host}:${port}` });
      else {sandboxLog.warn("Sandbox could not be opened", {
          peer: `${host}:${port}`,
          error: toPeerctlError(error).message,
        });}
    });
    return entry;
  }

  async function join(entry: Entry, signal: AbortSignal): Promise<void> {
    if (entry.path) return;
    entry.waiting++;
    const leave = () => {
      entry.waiting--;
      if (entry.waiting === 0 && !entry.path) entry.cancel.abort(cancelled(entry.sandboxId));
    };
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave);
    try {
      await entry.opened;
    } catch (error) {
      throw entry.cancel.signal.aborted ? entry.cancel.signal.reason : error;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** `reason` is what callers that wait for the opening are told. */
  function close(sandboxId: string, reason: Error): Promise<boolean> {
    const entry = entries.get(sandboxId);
    if (!entry) return Promise.resolve(false);
    entry.closing ??= end(entry, reason);
    return entry.closing.then(() => true);
  }

  async function end(entry: Entry, reason: Error): Promise<void> {
    entry.cancel.abort(reason);
    const path = await entry.opened.catch(() => undefined);
    if (path) {
      await path.close();
      addTraffic(ended, path.traffic());
    }
    forget(entry);
    log.info("Sandbox closed", { sandbox: entry.sandboxId });
  }

  function forget(entry: Entry): void {
    entries.delete(entry.sandboxId);
    options.onChange();
  }

  return {
    get size() {
      return entries.size;
    },
    get isDraining() {
      return isDraining;
    },
    open,
    close: (sandboxId) => close(sandboxId, cancelled(sandboxId)),
    async closeAll() {
      await Promise.all([...entries.keys()].map((sandboxId) => close(sandboxId, relayEnds(sandboxId))));
    },
    update(sandboxId, credentials) {
      const chosen = sandboxId === "" ? [...entries.values()] : [entries.get(sandboxId)];
      let updated = 0;
      for (const entry of chosen) {
        if (!entry?.upstream.usesTls) continue;
        // Unusable credentials throw here, at the first one: then no sandbox has taken them.
        entry.upstream.update(credentials);
        updated++;
      }
      if (updated > 0) log.info("Credentials replaced", { sandboxes: updated });
      return updated;
    },
    drain() {
      isDraining = true;
      options.onChange();
      return entries.size;
    },
    list: () => [...entries.values()].map(describe),
    traffic() {
      const sum = { ...ended };
      let connections = 0;
      for (const { path } of entries.values()) {
        if (!path) continue;
        addTraffic(sum, path.traffic());
        connections += path.connections;
      }
      return { ...sum, connections };
    },
  };
}

/** What `List` tells: never credentials. */
function describe(entry: Entry): MessageInitShape<typeof SandboxSchema> {
  const { sandboxId, agentSocket, labels, host, port, path } = entry;
  return {
    sandboxId,
    state: path ? "open" : "opening",
    agentSocket,
    labels: { ...labels },
    openedUnixMs: BigInt(entry.openedUnixMs),
    connections: path?.connections ?? 0,
    host,
    port,
  };
}

function cancelled(sandboxId: string): PeerctlError {
  return new PeerctlError("closed", `Cannot open sandbox "${sandboxId}": cancelled`);
}

/** Not an end for the sandbox: another relay can open it. */
function relayEnds(sandboxId: string): RpcError {
  return new RpcError(Code.unavailable, `Cannot open sandbox "${sandboxId}": this relay is ending`);
}

function isSame(entry: Entry, request: OpenRequest): boolean {
  return entry.host === request.host && entry.port === request.port &&
    entry.agentSocket === request.agentSocket && entry.serverName === request.tls?.serverName;
}

function alreadyExists(sandboxId: string): RpcError {
  return new RpcError(
    Code.alreadyExists,
    `Cannot open sandbox "${sandboxId}": it is open already, to another address, name or socket`,
  );
}
