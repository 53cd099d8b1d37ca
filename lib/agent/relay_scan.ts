// SPDX-License-Identifier: Apache-2.0
/** Knows which relays run: looks through the slots of the relay directory and keeps a connection to each it can use. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { connectRelay, isRelayGone, type RelayClient } from "./relay_client.ts";
import { clearSlot, listSlots, MAX_SLOT } from "./relay_slot.ts";

/** How long a relay that could not be used is left alone before it is looked at again, in milliseconds. */
const STRANGER_REST_MS = 10_000;

export interface LiveRelay {
  readonly client: RelayClient;
  /** What it carries as far as we know: another caa may have added or closed some. */
  readonly sandboxIds: Set<string>;
  /** It refuses new sandboxes. */
  isDraining: boolean;
}

export interface RelayScan {
  /** Looks through the whole directory; afterwards `live` is up to date. */
  look(): Promise<void>;
  /** Looks at one slot; true when a relay of our protocol answers there. */
  meet(slot: string): Promise<boolean>;
  /** All relays that can be asked, lowest slot first, draining ones included. */
  live(): LiveRelay[];
  /** The lowest slot where no relay has answered. */
  freeSlot(): string;
  /** True while no relay has answered in this slot, usable or not. */
  isFree(slot: string): boolean;
  /** True while a relay is there that cannot be spoken with. */
  hasStrangers(): boolean;
  /** One line for each relay that runs and cannot be used, or is used though it is of another build. */
  warnings(): string[];
  /** Drops all connections. */
  stop(): Promise<void>;
}

/** What becomes of a relay of another build: it only keeps what it has, or it is used, with an advice to operators. */
export type OtherBuild = { readonly drain: true } | { readonly drain: false; readonly advice: string };

export interface RelayScanOptions {
  readonly dir: string;
  readonly build: string;
  readonly otherBuild: (slot: string) => OtherBuild;
  readonly log: Logger;
  /** Called when a relay has ended while it carried sandboxes. */
  onLost(slot: string, sandboxIds: readonly string[]): void;
}

interface Stranger {
  readonly warning: string;
  readonly seenAt: number;
}

/** Creates a scan that has seen nothing yet. */
export function createRelayScan(options: RelayScanOptions): RelayScan {
  const { dir, build, otherBuild, log, onLost } = options;
  const stopping = new AbortController();
  const relays = new Map<string, LiveRelay>();
  const strangers = new Map<string, Stranger>();
  const meeting = new Map<string, Promise<boolean>>();
  const clearing = new Set<Promise<void>>();
  let looking: Promise<void> | undefined;

  async function lookThrough(): Promise<void> {
    const now = performance.now();
    const due = (await listSlots(dir)).filter((slot) => {
      const stranger = strangers.get(slot);
      return !stranger || now - stranger.seenAt > STRANGER_REST_MS;
    });
    await Promise.all(due.map(meet));
  }

  function meet(slot: string): Promise<boolean> {
    if (stopping.signal.aborted) return Promise.resolve(false);
    if (relays.has(slot)) return Promise.resolve(true);
    let under = meeting.get(slot);
    if (!under) {
      under = greet(slot).finally(() => meeting.delete(slot));
      meeting.set(slot, under);
    }
    return under;
  }

  async function greet(slot: string): Promise<boolean> {
    let client: RelayClient | undefined;
    try {
      client = await connectRelay({ dir, slot, build, signal: stopping.signal });
      if (!client) {
        strangers.delete(slot);
        await clearSlot(dir, slot).catch((error) => logUncleared(slot, error));
        return false;
      }
      const carried = await client.list();
      const isDraining = client.hello.draining || await drainIfOld(client, carried.length);
      if (stopping.signal.aborted) throw new PeerctlError("closed", "Cannot use relay: stopping");
      adopt(client, { sandboxIds: new Set(carried.map(({ sandboxId }) => sandboxId)), isDraining });
      return true;
    } catch (error) {
      client?.disconnect();
      await client?.closed;
      // It has ended meanwhile: then it has not been there.
      if (isRelayGone(error)) strangers.delete(slot);
      else if (!stopping.signal.aborted) remember(slot, toPeerctlError(error));
      return false;
    }
  }

  /** Pods of an older build's relay go on in it; new ones go to a relay that knows all we know. */
  async function drainIfOld(client: RelayClient, sandboxes: number): Promise<boolean> {
    const { slot, hello } = client;
    if (hello.build === build || !otherBuild(slot).drain) return false;
    await client.drain();
    log.info("Relay of another build drains", { slot, relay_build: hello.build, build, sandboxes });
    return true;
  }

  function adopt(client: RelayClient, o: { sandboxIds: Set<string>; isDraining: boolean }): void {
    const { slot, hello } = client;
    const relay: LiveRelay = { client, ...o };
    strangers.delete(slot);
    relays.set(slot, relay);
    const sandboxes = relay.sandboxIds.size;
    log.info("Relay found", { slot, relay_pid: Number(hello.pid), relay_build: hello.build, sandboxes });
    client.closed.then(() => {
      relays.delete(slot);
      if (stopping.signal.aborted) return;
      if (relay.sandboxIds.size === 0) return log.info("Relay ended", { slot });
      log.error("Relay ended and took its sandboxes along", { slot, sandboxes: relay.sandboxIds.size });
      onLost(slot, [...relay.sandboxIds]);
    }).finally(() => clear(slot)); // it may have been killed, and left its sockets
  }

  function clear(slot: string): void {
    if (stopping.signal.aborted) return;
    const cleared = clearSlot(dir, slot, { wait: true }).catch((error) => logUncleared(slot, error))
      .finally(() => clearing.delete(cleared));
    clearing.add(cleared);
  }

  const logUncleared = (slot: string, error: unknown) => log.warn("Relay slot could not be cleared", { slot, error });

  function remember(slot: string, error: PeerctlError): void {
    const warning = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`;
    if (strangers.get(slot)?.warning !== warning) log.warn("Relay cannot be used", { slot, error: warning });
    strangers.set(slot, { warning, seenAt: performance.now() });
  }

  const isFree = (slot: string) => !relays.has(slot) && !strangers.has(slot);

  return {
    look() {
      looking ??= lookThrough().finally(() => looking = undefined);
      return looking;
    },
    meet,
    live: () => [...relays.values()].sort((a, b) => Number(a.client.slot) - Number(b.client.slot)),
    freeSlot() {
      for (let slot = 0; slot <= MAX_SLOT; slot++) {
        if (isFree(`${slot}`)) return `${slot}`;
      }
      throw new PeerctlError("limit", `Cannot start another relay in "${dir}": all ${MAX_SLOT + 1} slots are taken`);
    },
    isFree,
    hasStrangers: () => strangers.size > 0,
    warnings: () => [
      ...[...strangers.values()].map(({ warning }) => warning),
      ...[...relays.values()].flatMap(({ client: { slot, hello } }) => {
        const policy = otherBuild(slot);
        if (hello.build === build || policy.drain) return [];
        return `relay ${slot} is of build ${hello.build}, this caa of build ${build}: it is used all the same; ${policy.advice}`;
      }),
    ],
    async stop() {
      stopping.abort();
      const ends = [...relays.values()].map(({ client }) => (client.disconnect(), client.closed));
      await Promise.allSettled([...meeting.values(), ...clearing, ...ends]);
    },
  };
}
