// SPDX-License-Identifier: Apache-2.0
/** Starts the Rust agent peer: a few agent methods on the Rust ttrpc crate. */

import { startLineProcess } from "./line_process.ts";
import { rustPeer } from "./peers.ts";

export interface RustAgent {
  /** Resolves when a GetOOMEvent waits. */
  parked(): Promise<void>;
  /** Resolves when a waiting GetOOMEvent was given up by the server. */
  dropped(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRustAgent(o: { socket: string }): Promise<RustAgent> {
  const child = startLineProcess({ path: await rustPeer(), args: [o.socket] });
  const event = async (name: string) => {
    await child.line((line) => line.event === name);
  };
  await event("ready").catch(async (error) => {
    await child.stop();
    throw error;
  });
  return {
    parked: () => event("parked"),
    dropped: () => event("dropped"),
    async stop() {
      await child.stop();
    },
  };
}
