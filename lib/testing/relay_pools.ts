// SPDX-License-Identifier: Apache-2.0
/** Pools of relays over one directory, with relays that run in this process. */

import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { connectRelay, type OpenInit } from "../agent/relay_client.ts";
import { createRelayPool, type RelayPool, type RelayPoolOptions } from "../agent/relay_pool.ts";
import { type RunningRelay, startRelay } from "../agent/relay_server.ts";
import { takeRelaySlot } from "../agent/relay_slot.ts";
import { type GuestEnd, startGuestEnd } from "./guest_end.ts";
import { withTempDir } from "./temp_dir.ts";

const log = getLogger(["peerctl", "test"]);

/** Timing of the pools, in milliseconds. */
export const POOL_TIMING = { waitMs: 300, startMs: 5_000, restartMs: 200, pollMs: 5 };

export interface RelayPools {
  /** The relay directory. */
  readonly dir: string;
  readonly guest: GuestEnd;
  /** Slots that were started, in order. */
  readonly started: string[];
  readonly lost: [string, readonly string[]][];
  /** Resolves with the next relay that a pool says it lost. */
  nextLost(): Promise<[string, readonly string[]]>;
  pool(o?: Partial<RelayPoolOptions>): RelayPool;
  start(slot: string, o?: { build?: string; stay?: boolean; startGraceMs?: number }): Promise<RunningRelay>;
  sandbox(id: string, guest?: GuestEnd): OpenInit;
}

/** Pools over one directory whose relays run in this process and linger for 50 ms. */
export async function withPools(body: (setup: RelayPools) => Promise<void>): Promise<void> {
  await withTempDir(async (parent) => {
    const dir = join(parent, "relay");
    const guest = await startGuestEnd({ log });
    const relays: RunningRelay[] = [];
    const starts: Promise<void>[] = [];
    const pools: RelayPool[] = [];
    const started: string[] = [];
    const lost: [string, readonly string[]][] = [];
    let onLost: ((lost: [string, readonly string[]]) => void) | undefined;
    const start = async (slot: string, { build = "test", stay = false, startGraceMs = 10_000 } = {}) => {
      const taken = await takeRelaySlot(dir, slot);
      const relay = await startRelay({
        slot: taken,
        stay,
        build,
        log,
        timing: { startGraceMs, lingerMs: 50 },
      });
      relays.push(relay);
      return relay;
    };
    try {
      await body({
        dir,
        guest,
        started,
        lost,
        nextLost: () => new Promise((resolve) => onLost = resolve),
        pool(o = {}) {
          const pool = createRelayPool({
            dir,
            count: 1,
            mode: "spawn",
            build: "test",
            log,
            timing: POOL_TIMING,
            starter: {
              start(slot) {
                started.push(slot);
                // As with a process: whether it gets the slot shows later.
                starts.push(start(slot).then(() => {}, () => {}));
                return Promise.resolve();
              },
              warnings: () => [],
            },
            onRelayLost(slot, ids) {
              lost.push([slot, ids]);
              onLost?.([slot, ids]);
            },
            ...o,
          });
          pools.push(pool);
          return pool;
        },
        start,
        sandbox: (sandboxId, to = guest) => ({
          sandboxId,
          agentSocket: join(parent, sandboxId),
          host: to.host,
          port: to.port,
          timeoutMs: 5_000n,
          labels: { pod: sandboxId },
        }),
      });
    } finally {
      await Promise.all([...pools.map((pool) => pool.stop()), ...starts]);
      await Promise.all([...relays.map((relay) => relay.stop()), guest.stop()]);
    }
  });
}

/** Drains the relay of a slot over a connection of its own, which ends with the relay. */
export async function drainRelay(dir: string, slot: string): Promise<{ closed: Promise<void> }> {
  const client = await connectRelay({ dir, slot, build: "test" });
  if (client === undefined) throw new Error(`No relay runs in slot ${slot}`);
  await client.drain();
  return client;
}
