// SPDX-License-Identifier: Apache-2.0
/** Dials and listens on TCP, tuned for small frames: no delay, keep-alive, and an error for each way it can fail. */

import * as net from "node:net";
import { PeerctlError } from "../errors.ts";
import { type ConnectOptions, handOut, whenConnected } from "./connecting.ts";

/** Idle time before the kernel probes a silent peer, in milliseconds; a parked agent call may be silent for hours. */
export const KEEP_ALIVE_MS = 30_000;

/** Longest time for a TCP connection when the caller names none, in milliseconds. */
const DIAL_TIMEOUT_MS = 30_000;

/** Longest host name, in characters (RFC 1035 section 2.3.4). */
const MAX_HOST_CHARS = 253;

export interface DialTcpOptions extends ConnectOptions {
  readonly host: string;
  readonly port: number;
}

export interface TcpListener {
  /** Where it listens: the port is the real one when 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Stops listening. Connections go on: they belong to whom they were handed to. */
  close(): Promise<void>;
}

/**
 * Reads `host:port`, `[v6]:port` or `:port` (every address), as Go's net.Dial and net.Listen take it.
 *
 * @param what names the value in errors, such as `flag -listen`.
 * @throws {PeerctlError} kind "config".
 */
export function parseHostPort(text: string, what: string): { host: string; port: number } {
  const parts = /^(?:\[([^\[\]]*)\]|([^:\[\]]*)):(\d{1,5})$/.exec(text);
  const refuse = (why: string) =>
    new PeerctlError("config", `Cannot use ${what} "${text}": ${why}`, {
      hint: 'write it as "host:port" or "[IPv6 address]:port"',
    });
  if (!parts) throw refuse("it is not an address with a port");
  const [, bracketed, plain, digits] = parts;
  const port = Number(digits);
  if (port > 65535) throw refuse(`port ${digits} is not from 0 to 65535`);
  if (bracketed !== undefined && net.isIP(bracketed.replace(/%.*$/, "")) !== 6) {
    throw refuse(`"${bracketed}" is not an IPv6 address`);
  }
  const host = bracketed ?? plain ?? "";
  if (host.length > MAX_HOST_CHARS || /[\s\/\\@?#]/.test(host)) throw refuse(`"${host}" is not a host name`);
  return { host: host === "" ? "::" : host, port };
}

/**
 * Connects once.
 *
 * The socket has a listener for 'error', so that an early loss does not end the process; 'close' follows every error.
 *
 * @throws {PeerctlError} kind "peer" when nobody answers there, "timeout", or "closed" when `signal` aborts.
 */
export function dialTcp(o: DialTcpOptions): Promise<net.Socket> {
  const socket = net.connect({ host: o.host, port: o.port });
  const what = `Cannot connect to ${formatAddress(o)}`;
  return whenConnected(socket, "connect", { timeoutMs: DIAL_TIMEOUT_MS, ...definedOf(o) }, what).then(tune);
}

/**
 * Listens; every connection is handed to `onConnection` at once, with no delay and keep-alive set.
 *
 * @throws {PeerctlError} kind "config" when the address cannot be used (taken, not ours, not allowed).
 */
export async function listenTcp(
  o: { host: string; port: number; onConnection(socket: net.Socket): void },
): Promise<TcpListener> {
  const server = net.createServer((socket) => o.onConnection(tune(handOut(socket))));
  return await startListening(server, o);
}

/** Starts `server` on an address; shared with TLS, whose server is a net.Server too. */
export async function startListening(server: net.Server, o: { host: string; port: number }): Promise<TcpListener> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new PeerctlError(
          "config",
          `Cannot listen on ${formatAddress(o)}: ${LISTEN_FAILURES[error.code ?? ""] ?? error.message}`,
          {
            cause: error,
          },
        ),
      );
    });
    server.listen({ host: o.host, port: o.port }, resolve);
  });
  server.removeAllListeners("error");
  // An accept that fails (too many open files) is tried again by the runtime; it must not end the process.
  server.on("error", () => {});
  const { address, port } = server.address() as net.AddressInfo;
  return { address: { host: address, port }, close: () => stopListening(server) };
}

/** Resolves when the listening socket is closed; net.Server's own callback would wait for every connection to end. */
export async function stopListening(server: net.Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Writes an address as it is dialled: IPv6 in brackets. */
export function formatAddress({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Small frames must not wait for an acknowledgement of the one before (Nagle), and a vanished peer must be noticed. */
export function tune<S extends net.Socket>(socket: S): S {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
}

const LISTEN_FAILURES: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there",
  EADDRNOTAVAIL: "this machine has no such address",
  EACCES: "not allowed, ports below 1024 need more rights",
  ENOTFOUND: "the host name is unknown",
};

function definedOf({ signal, timeoutMs }: ConnectOptions): ConnectOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
}
