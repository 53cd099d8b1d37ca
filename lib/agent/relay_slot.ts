// SPDX-License-Identifier: Apache-2.0
/** One relay's folder under the relay directory: names, paths, and the lock that lets only one process have it. */

import { isAbsolute, join } from "node:path";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { checkSocketPath } from "../net/unix_socket.ts";
import { createPrivateDir } from "../os/private_dir.ts";

/** Highest slot number: far more relays than a worker node has cores. */
export const MAX_SLOT = 999;

/** How often, and how far apart in milliseconds, a taken lock is tried again: whoever only looks holds it for an instant. */
const LOCK_ATTEMPTS = 10;
const LOCK_PAUSE_MS = 50;

/** What stays in a slot's folder when its relay is gone. */
const KEPT_FILE = /^(lock|relay\.log(\.1)?)$/;

export interface RelaySlotPaths {
  readonly folder: string;
  /** Held by the relay for as long as it lives; never removed, so that two processes always mean the same file. */
  readonly lock: string;
  readonly controlSocket: string;
  readonly log: string;
}

export interface RelaySlot extends Disposable {
  readonly slot: string;
  readonly paths: RelaySlotPaths;
  /** Lets another relay take the slot; twice is fine. */
  release(): void;
}

/**
 * Refuses what is no slot name: a small non-negative integer as text, without leading zeros.
 *
 * @throws {PeerctlError} kind "config".
 */
export function checkSlot(slot: string): void {
  if (!isSlot(slot)) {
    throw new PeerctlError(
      "config",
      `Cannot use relay slot ${JSON.stringify(slot)}: it is no number from 0 to ${MAX_SLOT}`,
    );
  }
}

function isSlot(name: string): boolean {
  return /^(0|[1-9][0-9]{0,2})$/.test(name);
}

/** Where the files of one slot are; `dir` is the relay directory, absolute. */
export function relaySlotPaths(dir: string, slot: string): RelaySlotPaths {
  if (!isAbsolute(dir)) {
    throw new PeerctlError("config", `Cannot use relay directory ${JSON.stringify(dir)}: the path is not absolute`);
  }
  checkSlot(slot);
  const folder = join(dir, slot);
  const paths = {
    folder,
    lock: join(folder, "lock"),
    controlSocket: join(folder, "control.sock"),
    log: join(folder, "relay.log"),
  };
  checkSocketPath(paths.controlSocket, "relay control socket");
  return paths;
}

/** Names of the slots that exist under `dir`, lowest first; none when there is no such directory. */
export async function listSlots(dir: string): Promise<string[]> {
  try {
    const slots: string[] = [];
    for await (const entry of Deno.readDir(dir)) {
      if (entry.isDirectory && isSlot(entry.name)) slots.push(entry.name);
    }
    return slots.sort((a, b) => Number(a) - Number(b));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new PeerctlError("config", `Cannot look for relays in "${dir}": ${toPeerctlError(error).message}`, {
      cause: error,
    });
  }
}

/**
 * Takes a slot for this process, making its folder (mode 0700) if need be.
 *
 * @throws {PeerctlError} kind "state" when another relay has it, "config" when the folder cannot be made.
 */
export async function takeRelaySlot(dir: string, slot: string): Promise<RelaySlot> {
  const paths = relaySlotPaths(dir, slot);
  await createPrivateDir(dir);
  await createPrivateDir(paths.folder);
  const file = await openLock(paths.lock);
  try {
    for (let attempt = 1; !(await file.tryLock(true)); attempt++) {
      if (attempt === LOCK_ATTEMPTS) {
        throw new PeerctlError("state", `Cannot take relay slot ${slot} in "${dir}": another relay has it`, {
          hint: "give another -slot, or end that relay first",
        });
      }
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
  } catch (error) {
    file.close();
    throw error;
  }
  let held = true;
  const release = () => {
    if (held) file.close();
    held = false;
  };
  return { slot, paths, release, [Symbol.dispose]: release };
}

/** True while a relay, one that only just starts or still ends included, has the slot. */
export async function isSlotTaken(dir: string, slot: string): Promise<boolean> {
  const { lock } = relaySlotPaths(dir, slot);
  try {
    using file = await Deno.open(lock, { read: true });
    return !(await file.tryLock(false));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Removes what a relay that was killed has left in its slot: sockets, and folders in which they were made. A slot that a
 * relay has, or that nobody ever had, is left alone.
 *
 * @param o with `wait`, a relay that is just dying may take a moment to let go of its slot.
 */
export async function clearSlot(dir: string, slot: string, o: { readonly wait?: boolean } = {}): Promise<void> {
  const paths = relaySlotPaths(dir, slot);
  try {
    // Looked at first without the lock: a relay that just starts must not find it taken again and again.
    if ((await leftIn(paths.folder)).length === 0) return;
    using file = await Deno.open(paths.lock, { read: true, write: true });
    for (let attempt = 1; !(await file.tryLock(true)); attempt++) {
      if (!o.wait || attempt === LOCK_ATTEMPTS) return;
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE_MS));
    }
    for (const path of await leftIn(paths.folder)) await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new PeerctlError("config", `Cannot clear relay slot ${slot} in "${dir}": ${toPeerctlError(error).message}`, {
      cause: error,
    });
  }
}

async function leftIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).filter((name) => !KEPT_FILE.test(name)).map((name) => join(folder, name));
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new PeerctlError("config", `Cannot open relay lock "${path}": ${toPeerctlError(error).message}`, {
      cause: error,
    });
  }
}
