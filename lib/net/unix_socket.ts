// SPDX-License-Identifier: Apache-2.0
/** Dials and listens on unix sockets; a listening one appears at its path complete, mode 0600, and never replaces a live one. */

import * as net from "node:net";
import { basename, dirname, isAbsolute, join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { type ConnectOptions, handOut, whenConnected } from "./connecting.ts";
import { fileError } from "../os/private_file.ts";
import { stopListening } from "./tcp.ts";

/** Longest path of a unix socket, in bytes: sun_path holds 108 with its final zero (unix(7)). */
export const MAX_SOCKET_PATH_BYTES = 107;

const SOCKET_MODE = 0o600;
const PRIVATE_DIR_MODE = 0o700;

/** Longest time for a connection to a local socket when the caller names none, in milliseconds. */
const DIAL_TIMEOUT_MS = 5_000;

/** How long to wait for an answer from a socket file that may be stale, in milliseconds; no answer counts as alive. */
const PROBE_TIMEOUT_MS = 1_000;

/** What the private directories are called. */
const BINDING_DIR = /^\.~[0-9a-z]+$/;

/** Characters in the name of the private directory after its dot, of which the first is a tilde. */
const MAX_NAME_CHARS = 8;
const MIN_NAME_CHARS = 2;

export interface UnixListener {
  readonly path: string;
  /** Stops listening and removes the socket file if it is still ours. Connections go on. */
  close(): Promise<void>;
}

/**
 * Refuses a path at which no unix socket can be made.
 *
 * @param what names the path in errors, such as `agent socket` or `flag -socket`.
 * @throws {PeerctlError} kind "config".
 */
export function checkSocketPath(path: string, what: string): void {
  const refuse = (why: string, hint?: string) =>
    new PeerctlError("config", `Cannot use ${what} "${path}": ${why}`, hint === undefined ? {} : { hint });
  if (!isAbsolute(path)) throw refuse("the path is not absolute");
  if (path.includes("\0")) throw refuse("the path holds a zero byte");
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw refuse(
      `${bytes} bytes, a unix socket path has at most ${MAX_SOCKET_PATH_BYTES}`,
      "choose a shorter directory",
    );
  }
  const there = statOf(path);
  if (there?.isDirectory || path.endsWith("/")) throw refuse("it is a directory");
  if (there && !there.isSocket) throw refuse("a file that is not a socket is in the way");
}

/**
 * Listens at `path`, whose directory must exist.
 *
 * The socket is bound in a private directory beside `path`, given its mode there and renamed into place, so that nobody
 * sees it before it is complete and nobody but us could ever connect to it.
 *
 * @throws {PeerctlError} kind "state" when a live process listens there, "config" when the path cannot be used, "limit" when the disk is full.
 */
export async function listenUnix(
  o: { path: string; onConnection(socket: net.Socket): void; signal?: AbortSignal | undefined },
): Promise<UnixListener> {
  const { path, signal } = o;
  checkSocketPath(path, "socket path");
  const server = net.createServer((socket) => o.onConnection(handOut(socket)));
  let inode: number | null;
  try {
    // Two processes that start together must not both find the old socket dead and then replace each other's; and
    // while we have the lock, a private directory that is there was left by one that was killed.
    using _lock = await lockDirectory(dirname(path));
    await removeBindingDirs(dirname(path));
    const privateDir = await makeBindingDir(path);
    try {
      const bound = join(privateDir, "s");
      await bind(server, bound, path);
      await Deno.chmod(bound, SOCKET_MODE);
      inode = (await Deno.lstat(bound)).ino;
      await refuseLive(path);
      await Deno.rename(bound, path);
    } finally {
      // The runtime unlinks the name it was bound under when the server closes (measured): it must never be used again.
      await Deno.remove(privateDir, { recursive: true }).catch(() => {});
    }
  } catch (error) {
    await stopListening(server);
    throw error instanceof PeerctlError ? error : cannotListen(path, error);
  }

  let closing: Promise<void> | undefined;
  const close = () =>
    closing ??= (async () => {
      signal?.removeEventListener("abort", close);
      await removeIfOurs(path, inode);
      await stopListening(server);
    })();
  signal?.addEventListener("abort", close);
  if (signal?.aborted) await close();
  return { path, close };
}

/**
 * Connects once to the socket at `path`.
 *
 * @throws {PeerctlError} kind "peer" when nobody listens there, "config" for a path that can be none, "timeout", "closed".
 */
export async function dialUnix(path: string, o: ConnectOptions = {}): Promise<net.Socket> {
  checkSocketPath(path, "socket path");
  const socket = net.connect({ path });
  const { signal, timeoutMs = DIAL_TIMEOUT_MS } = o;
  return await whenConnected(socket, "connect", { signal, timeoutMs }, `Cannot connect to "${path}"`);
}

/** Makes the private directory; its name is no longer than the socket's own, for the same limit holds for both. */
async function makeBindingDir(path: string): Promise<string> {
  const parent = dirname(path);
  const room = MAX_SOCKET_PATH_BYTES - new TextEncoder().encode(join(parent, "./s")).byteLength - "./".length;
  const chars = Math.min(Math.max(basename(path).length - "./s".length, MIN_NAME_CHARS), MAX_NAME_CHARS, room);
  if (chars < MIN_NAME_CHARS) {
    throw new PeerctlError("config", `Cannot listen on "${path}": the directory's path is too long for a unix socket`);
  }
  for (let attempt = 1;; attempt++) {
    const dir = join(parent, `.~${randomLetters(chars - 1)}`);
    try {
      await Deno.mkdir(dir, { mode: PRIVATE_DIR_MODE });
      return dir;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists && attempt < 1000) continue;
      throw cannotListen(path, error);
    }
  }
}

/** Removes what is left in `parent` of processes that were killed while they made a socket there. */
async function removeBindingDirs(parent: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    if (!isDirectory || !BINDING_DIR.test(name)) continue;
    // Nothing but a socket is ever in one; what holds more, or is another user's, stays.
    await Deno.remove(join(parent, name, "s")).catch(() => {});
    await Deno.remove(join(parent, name)).catch(() => {});
  }
}

function randomLetters(count: number): string {
  const letters = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(letters, (byte) => (byte % 36).toString(36)).join("");
}

async function bind(server: net.Server, bound: string, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(path, error)));
    server.listen({ path: bound }, resolve);
  });
  server.removeAllListeners("error");
  // An accept that fails (too many open files) is tried again by the runtime; it must not end the process.
  server.on("error", () => {});
}

/** Holds flock(2) on a directory, which leaves no lock file behind. */
async function lockDirectory(path: string): Promise<Disposable> {
  const directory = await Deno.open(path, { read: true });
  try {
    await directory.lock(true);
  } catch (error) {
    directory.close();
    throw error;
  }
  return directory;
}

async function refuseLive(path: string): Promise<void> {
  checkSocketPath(path, "socket path");
  if (statOf(path) === undefined) return;
  const busy = (cause?: unknown) =>
    new PeerctlError("state", `Cannot listen on "${path}": another process listens there`, { cause });
  let socket: net.Socket;
  try {
    socket = await dialUnix(path, { timeoutMs: PROBE_TIMEOUT_MS });
  } catch (error) {
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    if (code === "ECONNREFUSED" || code === "ENOENT") return;
    throw busy(error);
  }
  socket.destroy();
  throw busy();
}

async function removeIfOurs(path: string, inode: number | null): Promise<void> {
  try {
    using _lock = await lockDirectory(dirname(path));
    if (statOf(path)?.ino === inode) await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

function cannotListen(path: string, error: unknown): PeerctlError {
  if (!(error instanceof Deno.errors.NotFound)) return fileError(`Cannot listen on "${path}"`, error);
  return new PeerctlError("config", `Cannot listen on "${path}": its directory does not exist`, { cause: error });
}
