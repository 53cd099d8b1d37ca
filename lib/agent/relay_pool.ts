// SPDX-License-Identifier: Apache-2.0
/** The relays of one worker node as caa sees them: one is picked for each sandbox, and started when there is none. */

import { resolve } from "node:path";
import type { Logger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";
import type { TlsCredentials } from "../net/tls.ts";
import type { Sandbox } from "../proto/gen/relay_pb.ts";
import { isRelayGone, type OpenInit, type RelayClient } from "./relay_client.ts";
import { createRelayLaunch, DEFAULT_POOL_TIMING, type RelayMode, type RelayPoolTiming } from "./relay_launch.ts";
import { createRelayScan, type LiveRelay } from "./relay_scan.ts";
import type { RelayStarter } from "./relay_spawn.ts";

export type { OpenInit, RelayMode };
export type RelaySandbox = Sandbox;

/** How often one sandbox is placed: a relay may end just when it is picked, or refuse because it drains. */
const OPEN_ATTEMPTS = 3;

export interface RelayPoolOptions {
  /** The relay directory, beside caa's socket. */
  readonly dir: string;
  /** Over how many relays sandboxes are spread; in mode `wait` over all that run. */
  readonly count: number;
  readonly mode: RelayMode;
  /** Not used in mode `wait`. */
  readonly starter: RelayStarter;
  /** A relay has ended, or its process died, while it carried these sandboxes. */
  onRelayLost?(slot: string, sandboxIds: readonly string[]): void;
  /** Ours. A relay of another build that we did not start takes no new sandboxes, except in mode `wait`. */
  readonly build: string;
  readonly log: Logger;
  readonly timing?: RelayPoolTiming;
}

export interface RelayPool {
  /**
   * Opens the path to one pod VM; resolves after the agent answered over it. When `signal` aborts the opening is undone.
   *
   * @throws {PeerctlError} as the relay found it: kind "auth", "timeout", "state" …; kind "peer" when there is no relay.
   */
  open(sandbox: OpenInit, signal: AbortSignal): Promise<void>;
  /** Ends a path, one that is still opening included; true if a relay knew it. */
  close(sandboxId: string): Promise<boolean>;
  /** Gives new credentials to every sandbox that uses TLS, or to those of them that `select` picks. */
  update(credentials: TlsCredentials, select?: (sandbox: RelaySandbox) => boolean): Promise<void>;
  list(): Promise<RelaySandbox[]>;
  /** The slot of the relay that carries a sandbox, as far as we know without asking. */
  slotOf(sandboxId: string): string | undefined;
  /** True while a relay is there that does not answer, or not in our words: what it carries is not known. */
  isBlind(): boolean;
  /** What an operator should know, for /readyz. */
  warnings(): string[];
  /** Drops the control connections; the relays go on. */
  stop(): Promise<void>;
}

/** How many sandboxes a relay has now, and the state of the one that is to be placed if it is among them. */
interface Load {
  readonly relay: LiveRelay;
  readonly sandboxes: number;
  readonly state: string | undefined;
}

interface Placed {
  /** Undefined when the last one ended a moment ago. */
  readonly relay: LiveRelay | undefined;
  /** It was open before: giving up must not close it. */
  readonly wasOpen: boolean;
  readonly opened: Promise<void>;
}

/** Creates a pool that knows no relay yet; each call looks for them anew. */
export function createRelayPool(options: RelayPoolOptions): RelayPool {
  const { count, mode, starter, build, log } = options;
  const dir = resolve(options.dir);
  /** A relay that we start may be of a later build: peerctl was replaced, and caa is yet to be restarted. */
  const startedSlots = new Set<string>();
  const scan = createRelayScan({
    dir,
    build,
    otherBuild(slot) {
      if (mode === "wait") {
        const command = `peerctl relay drain --dir ${dir} --slot ${slot}`;
        return { drain: false, advice: `start one of this build in another slot, then run "${command}"` };
      }
      if (startedSlots.has(slot)) return { drain: false, advice: "restart caa, its program has been replaced" };
      return { drain: true };
    },
    log,
    onLost: (slot, sandboxIds) => options.onRelayLost?.(slot, sandboxIds),
  });
  const launch = createRelayLaunch({
    dir,
    mode,
    scan,
    starter: {
      start(slot) {
        startedSlots.add(slot);
        return starter.start(slot);
      },
      warnings: () => starter.warnings(),
    },
    log,
    timing: options.timing ?? DEFAULT_POOL_TIMING,
  });
  let placing: Promise<unknown> = Promise.resolve();

  async function open(sandbox: OpenInit, signal: AbortSignal): Promise<void> {
    const { sandboxId } = sandbox;
    for (let attempt = 1;; attempt++) {
      await launch.someRelay(signal);
      const { relay, wasOpen, opened } = await oneAtATime(() => place(sandbox, signal));
      try {
        await opened;
        relay?.sandboxIds.add(sandboxId);
        return;
      } catch (error) {
        if (signal.aborted && !wasOpen) await relay?.client.close(sandboxId).catch(() => {});
        if (signal.aborted || attempt === OPEN_ATTEMPTS || !isRelayGone(error)) throw error;
        if (relay) relay.isDraining = true;
        log.info("Relay went away, sandbox is placed again", { sandbox: sandboxId, slot: relay?.client.slot });
      }
    }
  }

  /** Runs one placing after the other, so that each sees what the one before has placed. */
  function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
    const turn = placing.then(work);
    placing = turn.catch(() => {});
    return turn;
  }

  /** Picks the relay that has the sandbox already, or the least loaded one, and sends it the request. */
  async function place(sandbox: OpenInit, signal: AbortSignal): Promise<Placed> {
    const { sandboxId } = sandbox;
    const loads = await loadsOf(scan.live(), sandboxId);
    const holder = loads.find(({ state }) => state !== undefined);
    const relay = holder?.relay ?? await pick(loads.filter(({ relay }) => !relay.isDraining), signal);
    // Not awaited here: the next one may be placed while this one opens.
    const opened = relay
      ? relay.client.open(sandbox, signal)
      : Promise.reject(new PeerctlError("closed", `Cannot open sandbox "${sandboxId}": the relay has just ended`));
    opened.catch(() => {});
    return { relay, wasOpen: holder?.state === "open", opened };
  }

  /** The least loaded relay; a new one as long as there are fewer than wanted and none is idle. */
  async function pick(loads: readonly Load[], signal: AbortSignal): Promise<LiveRelay | undefined> {
    const [least] = [...loads].sort((a, b) => a.sandboxes - b.sandboxes);
    const isSpread = mode === "wait" || loads.length >= count || least?.sandboxes === 0;
    return (isSpread ? undefined : await launch.anotherRelay(signal)) ?? least?.relay;
  }

  function ofAll<T>(ask: (client: RelayClient) => Promise<T>): Promise<T[]> {
    return scan.look().then(() => ofThese(scan.live(), ({ client }) => ask(client)));
  }

  return {
    open,
    async close(sandboxId) {
      const known = await ofAll((client) => client.close(sandboxId));
      for (const relay of scan.live()) relay.sandboxIds.delete(sandboxId);
      return known.includes(true);
    },
    async update(credentials, select) {
      await ofAll(async (client) => {
        if (!select) return await client.update("", credentials);
        const chosen = (await client.list()).filter(select);
        await Promise.all(chosen.map(({ sandboxId }) => client.update(sandboxId, credentials)));
      });
    },
    list: async () => (await ofAll((client) => client.list())).flat(),
    slotOf: (sandboxId) => scan.live().find(({ sandboxIds }) => sandboxIds.has(sandboxId))?.client.slot,
    isBlind: () => scan.hasStrangers(),
    warnings: () => [...starter.warnings(), ...scan.warnings(), ...launch.warnings()],
    async stop() {
      await launch.stop();
      await scan.stop();
    },
  };
}

function loadsOf(relays: readonly LiveRelay[], sandboxId: string): Promise<Load[]> {
  return ofThese(relays, async (relay) => {
    const [found, { sandboxes, draining }] = await Promise.all([relay.client.find(sandboxId), relay.client.greet()]);
    relay.isDraining ||= draining;
    return { relay, sandboxes, state: found?.state };
  });
}

/** Asks every relay at once; one that ends meanwhile has no answer. */
async function ofThese<T>(relays: readonly LiveRelay[], ask: (relay: LiveRelay) => Promise<T>): Promise<T[]> {
  const none = (error: unknown): T[] => {
    if (isRelayGone(error)) return [];
    throw error;
  };
  const answers = await Promise.all(relays.map((relay) => ask(relay).then((answer) => [answer], none)));
  return answers.flat();
}
