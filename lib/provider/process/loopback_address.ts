// SPDX-License-Identifier: Apache-2.0
/** Gives every pod VM a loopback address of its own, so that all of them can listen on the same port. */

import { createHash } from "node:crypto";
import { PeerctlError } from "../../errors.ts";

/** Addresses tried before giving up: with 16 million of them even the second try is rare. */
const MAX_TRIES = 64;

/** The state of a listening socket in /proc/net/tcp (include/net/tcp_states.h). */
const TCP_LISTEN = "0A";

/**
 * Chooses an address in 127.0.0.0/8, but not in 127.0.0.0/24 where everything else lives, on which `port` is free.
 *
 * The same seed gives the same address unless that one is taken.
 *
 * @param o `taken` holds addresses that must not be given again although nobody listens on them now.
 * @throws {PeerctlError} kind "config" when no process may listen there, "limit" when all tries are taken.
 */
export function chooseLoopbackAddress(o: { seed: string; port: number; taken: ReadonlySet<string> }): string {
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const address = candidate(o.seed, attempt);
    if (address !== undefined && !o.taken.has(address) && isFree(address, o.port)) return address;
  }
  throw new PeerctlError("limit", `Cannot find a loopback address with port ${o.port} free: ${MAX_TRIES} are taken`);
}

/** An address from the hash of seed and attempt; undefined where the hash falls on one that is not to be used. */
function candidate(seed: string, attempt: number): string | undefined {
  const [b = 0, c = 0, d = 0] = createHash("sha256").update(`${seed} ${attempt}`).digest();
  if ((b === 0 && c === 0) || d === 0 || d === 255) return undefined;
  return `127.${b}.${c}.${d}`;
}

/** True if someone listens on exactly this address and port; asked of the kernel, so that nobody is connected to. */
export async function isListening(address: string, port: number): Promise<boolean> {
  // proc(5), /proc/net/tcp: the address as the kernel keeps it, which is backwards on a little-endian machine.
  const bytes = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  const local = `${bytes.reverse().join("")}:${port.toString(16).padStart(4, "0")}`.toUpperCase();
  const lines = (await Deno.readTextFile("/proc/self/net/tcp")).split("\n").map((line) => line.trim().split(/\s+/));
  return lines.some(([, at, , state]) => at === local && state === TCP_LISTEN);
}

/** Listening is the only test that says what the forwarder will find. */
function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.AddrInUse) return false;
    throw new PeerctlError("config", `Cannot listen on ${hostname}:${port} for a pod VM's forwarder`, {
      hint: "choose another -forwarder-port; ports under 1024 need privileges",
      cause,
    });
  }
}
