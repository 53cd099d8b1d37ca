// SPDX-License-Identifier: Apache-2.0
/** Knows which relays run: looks through the slots of the relay directory and keeps a connection to each it can use. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { connectRelay, type RelayClient } from "./relay_client.ts";
import { listSlots, MAX_SLOT } from "./relay_slot.ts";

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
  /** One line for each relay that runs and cannot be used. */
  warnings(): string[];
  /** Drops all connections. */
  stop(): Promise<void>;
}

export interface RelayScanOptions {
  readonly dir: string;
  readonly build: string;
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
  const { dir, build, log, onLost } = options;
  const stopping = new AbortController();
  const relays = new Map<string, LiveRelay>();
  const strangers = new Map<string, Stranger>();
  const meeting = new Map<string, Promise<boolean>>();
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
        return false;
      }
      const carried = await client.list();
      if (stopping.signal.aborted) throw new PeerctlError("closed", "Cannot use relay: stopping");
      adopt(client, carried.map(({ sandboxId }) => sandboxId));
      return true;
    } catch (error) {
      client?.disconnect();
      await client?.closed;
      if (!stopping.signal.aborted) remember(slot, toPeerctlError(error));
      return false;
    }
  }

  function adopt(client: RelayClient, sandboxIds: readonly string[]): void {
    const { slot, hello } = client;
    const relay: LiveRelay = { client, sandboxIds: new Set(sandboxIds), isDraining: hello.draining };
    strangers.delete(slot);
    relays.set(slot, relay);
    log.info("Relay found", { slot, relay_pid: Number(hello.pid), build: hello.build, sandboxes: sandboxIds.length });
    client.closed.then(() => {
      relays.delete(slot);
      if (stopping.signal.aborted) return;
      if (relay.sandboxIds.size === 0) return log.info("Relay ended", { slot });
      log.error("Relay ended and took its sandboxes along", { slot, sandboxes: relay.sandboxIds.size });
      onLost(slot, [...relay.sandboxIds]);
    });
  }

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
    warnings: () => [...strangers.values()].map(({ warning }) => warning),
    async stop() {
      stopping.abort();
      const ends = [...relays.values()].map(({ client }) => (client.disconnect(), client.closed));
      await Promise.allSettled([...meeting.values(), ...ends]);
    },
  };
}
