// SPDX-License-Identifier: Apache-2.0
/** Starts the Go forwarder and the Go proxy: the two ends of the agent path on containerd/ttrpc and crypto/tls. */

import { startLineProcess } from "./line_process.ts";
import { goPeer } from "./peers.ts";

export interface GoForwarder {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts the forwarder on a free port of 127.0.0.1, with more of apf's flags in `args`. */
export async function startGoForwarder(
  o: { config: string; agentSocket: string; netns: string; args?: readonly string[] },
): Promise<GoForwarder> {
  const child = startLineProcess({
    path: await goPeer("forwarder"),
    args: [
      ...["-config", o.config, "-listen", "127.0.0.1:0"],
      ...["-kata-agent-socket", o.agentSocket, "-pod-namespace", o.netns],
      ...(o.args ?? []),
    ],
  });
  const ready = await child.line((line) => line.event === "ready").catch(async (error) => {
    await child.stop();
    throw error;
  });
  const [host = "", port] = String(ready.address).split(":");
  return {
    pid: child.pid,
    host,
    port: Number(port),
    async stop() {
      await child.stop();
    },
  };
}

export interface GoProxy {
  readonly pid: number;
  /** What the forwarder's apf.json needs, when the proxy makes the certificates itself. */
  certificates(): Promise<Record<string, string>>;
  /**
   * Dials the forwarder; resolves when it was reached and the socket is served, rejects when the proxy gives up. With a
   * `socket` of its own, that one is served: a proxy can hold many sandboxes.
   */
  dial(address: { host: string; port: number }, socket?: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the proxy; without certificate flags in `args` it makes its own. */
export async function startGoProxy(
  o: { socket: string; serverName: string; args?: readonly string[] },
): Promise<GoProxy> {
  const child = startLineProcess({
    path: await goPeer("proxy"),
    args: ["-socket", o.socket, "-server-name", o.serverName, ...(o.args ?? [])],
  });
  return {
    pid: child.pid,
    async certificates() {
      return (await child.line((line) => line.event === "certificates")).apf as Record<string, string>;
    },
    async dial({ host, port }, socket = o.socket) {
      await child.send({ address: `${host}:${port}`, socket });
      await child.line((line) => line.event === "ready" && line.socket === socket);
    },
    async stop() {
      await child.stop();
    },
  };
}
