// SPDX-License-Identifier: Apache-2.0
/** A unix datagram socket such as a service manager has, for the tests of what it is told. */

/** Numbers of Linux: <bits/socket.h>, <asm-generic/socket.h>. */
const AF_UNIX = 1, SOCK_DGRAM = 2, SOL_SOCKET = 1, SO_RCVTIMEO = 20;

/** How long receive() waits, in seconds. */
const RECEIVE_TIMEOUT_S = 20;

export interface NotifySocket extends Disposable {
  /** Resolves with the next datagram; rejects when none comes in time. */
  receive(): Promise<string>;
}

/** Binds to `address`: a path, or "@name" in the abstract namespace. */
export function bindNotifySocket(address: string): NotifySocket {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize", nonblocking: true },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { socket, bind, setsockopt, recv, close } = libc.symbols;
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  const name = new TextEncoder().encode(address.replace(/^@/, "\0"));
  const sockaddr = new Uint8Array([AF_UNIX, 0, ...name]);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, new BigInt64Array([BigInt(RECEIVE_TIMEOUT_S), 0n]), 16);
  if (fd < 0 || bind(fd, sockaddr, sockaddr.byteLength) !== 0) throw new Error(`Cannot bind "${address}"`);
  return {
    async receive() {
      const buffer = new Uint8Array(4096);
      const size = Number(await recv(fd, buffer, BigInt(buffer.byteLength), 0));
      if (size < 0) throw new Error(`No notice came within ${RECEIVE_TIMEOUT_S} s`);
      return new TextDecoder().decode(buffer.subarray(0, size));
    },
    [Symbol.dispose]() {
      close(fd);
      libc.close();
    },
  };
}
