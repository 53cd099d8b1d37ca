// SPDX-License-Identifier: Apache-2.0
/** Tells the service manager how the process is, over the datagram socket it names in NOTIFY_SOCKET (sd_notify(3)). */

import type { Logger } from "@logtape/logtape";

/** Numbers of Linux: <bits/socket.h>; the same on x86_64 and aarch64. */
const AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0o2000000, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
/** Size of sun_path in struct sockaddr_un, and what stands before it: the two bytes of sun_family. */
const SUN_PATH_BYTES = 108, SUN_FAMILY_BYTES = 2;

export interface ServiceNotifier {
  /** Sends READY=1, once, and never after stopping(); `status` is the line that `systemctl status` shows. */
  ready(status?: string): void;
  /** Sends STOPPING=1, once. */
  stopping(): void;
}

/** Creates a notifier for `socketPath`; without one it does nothing. A notice that cannot be sent is logged, no more. */
export function createServiceNotifier(socketPath: string | undefined, log: Logger): ServiceNotifier {
  let state: "starting" | "ready" | "stopping" = "starting";
  const notify = (text: string) => {
    if (!socketPath) return;
    try {
      sendNotice(socketPath, text);
    } catch (error) {
      log.warn("Service manager not notified", { socket: socketPath, error });
    }
  };
  return {
    ready(status) {
      if (state !== "starting") return;
      state = "ready";
      notify(status === undefined ? "READY=1" : `READY=1\nSTATUS=${status.replaceAll("\n", " ")}`);
    },
    stopping() {
      if (state === "stopping") return;
      state = "stopping";
      notify("STOPPING=1");
    },
  };
}

/**
 * Sends one datagram to a unix socket: a path, or "@name" for the abstract namespace.
 *
 * It goes through the C library because Deno sends datagrams to unix sockets only with an unstable flag, and to
 * abstract ones not at all. It does not wait: a service manager that reads nothing cannot hold us up.
 *
 * @throws {Error} when the address is no unix socket or the system refuses.
 */
export function sendNotice(socketPath: string, text: string): void {
  const address = unixAddress(socketPath);
  const data = new TextEncoder().encode(text);
  using libc = openLibc();
  const { socket, sendto, close, __errno_location } = libc.symbols;
  const errno = () => new Deno.UnsafePointerView(__errno_location()!).getInt32();
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`socket() failed with errno ${errno()}`);
  try {
    const sent = sendto(fd, data, BigInt(data.byteLength), MSG_DONTWAIT | MSG_NOSIGNAL, address, address.byteLength);
    if (sent < 0) throw new Error(`sendto() failed with errno ${errno()}`);
  } finally {
    close(fd);
  }
}

/** Writes a struct sockaddr_un. An abstract name begins with a zero byte and has no zero at its end (unix(7)). */
function unixAddress(socketPath: string): Uint8Array<ArrayBuffer> {
  const isAbstract = socketPath.startsWith("@");
  if (!isAbstract && !socketPath.startsWith("/")) {
    throw new Error(`"${socketPath}" is not the address of a unix socket`);
  }
  const path = new TextEncoder().encode(isAbstract ? `\0${socketPath.slice(1)}` : `${socketPath}\0`);
  if (path.byteLength > SUN_PATH_BYTES) throw new Error(`"${socketPath}" is longer than ${SUN_PATH_BYTES - 1} bytes`);
  const address = new Uint8Array(SUN_FAMILY_BYTES + path.byteLength);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, SUN_FAMILY_BYTES);
  return address;
}

function openLibc() {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
    __errno_location: { parameters: [], result: "pointer" },
  });
  return { symbols: libc.symbols, [Symbol.dispose]: () => libc.close() };
}
