// SPDX-License-Identifier: Apache-2.0
/** Visits the relays of a directory once, for an operator: no connection stays, no relay is started. */

import { type PeerctlError, toPeerctlError } from "../errors.ts";
import type { HelloResponse } from "../proto/gen/relay_pb.ts";
import { connectRelay, isRelayGone, type RelayClient } from "./relay_client.ts";
import { listSlots } from "./relay_slot.ts";

/** What came of one visit. */
export type RelayVisit<T> =
  | { readonly slot: string; readonly hello: HelloResponse; readonly answer: T; readonly error?: undefined }
  | { readonly slot: string; readonly error: PeerctlError };

export interface VisitOptions<T> {
  /** The relay directory, absolute. */
  readonly dir: string;
  readonly build: string;
  /** Only this one; every slot if absent. */
  readonly slot?: string | undefined;
  ask(relay: RelayClient): Promise<T>;
}

/**
 * Asks every relay that runs, lowest slot first; slots without one are left out. One that cannot be asked does not keep
 * the others from it.
 *
 * @throws {PeerctlError} kind "config" when the directory cannot be read.
 */
export async function visitRelays<T>(options: VisitOptions<T>): Promise<RelayVisit<T>[]> {
  const slots = options.slot === undefined ? await listSlots(options.dir) : [options.slot];
  const visits = await Promise.all(slots.map((slot) => visit(slot, options)));
  return visits.filter((one) => one !== undefined);
}

async function visit<T>(slot: string, { dir, build, ask }: VisitOptions<T>): Promise<RelayVisit<T> | undefined> {
  let relay: RelayClient | undefined;
  try {
    relay = await connectRelay({ dir, slot, build });
    return relay && { slot, hello: relay.hello, answer: await ask(relay) };
  } catch (error) {
    // One that has ended meanwhile does not run.
    return isRelayGone(error) ? undefined : { slot, error: toPeerctlError(error) };
  } finally {
    relay?.disconnect();
    await relay?.closed;
  }
}
