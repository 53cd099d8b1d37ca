// SPDX-License-Identifier: Apache-2.0
/** Drives the load program of the kubelet bench (testdata/peers/kubelet/cmd/load). */

import type { KubeletTls } from "../kubelet_peers.ts";
import { type Line, startLineProcess } from "../line_process.ts";
import { kubeletPeer } from "../peers.ts";

export interface Target {
  /** HOST:PORT. */
  readonly address: string;
  readonly serverName: string;
  readonly tls: KubeletTls;
}

/** What came of an order, every byte as it should be. */
export interface KubeletMeasured {
  readonly count: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface KubeletLoad {
  /** Asks for `path` on each of some connections, again and again; every reply must be `body`. */
  get(
    target: Target,
    o: { readonly path: string; readonly body: string; readonly connections: number; readonly seconds: number },
  ): Promise<KubeletMeasured>;
  /** Reads a file that `make` made. */
  download(target: Target, o: { readonly path: string; readonly bytes: number }): Promise<KubeletMeasured>;
  /** Sends lines through `exec cat`, one after the other. */
  echo(target: Target, o: { readonly path: string; readonly seconds: number }): Promise<KubeletMeasured>;
  /** Opens exec streams that carry nothing. */
  hold(target: Target, o: { readonly path: string; readonly streams: number }): Promise<void>;
  /** Ends the held streams, after each has carried one more line. */
  drop(): Promise<void>;
  /** Makes a file for `download`. */
  make(path: string, bytes: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startKubeletLoad(): Promise<KubeletLoad> {
  const waiting: ((line: Line) => void)[] = [];
  const child = startLineProcess({
    path: await kubeletPeer("load"),
    args: [],
    onLine: (line) => line.event !== "ready" && waiting.shift()?.(line),
  });
  const ended = child.line(() => false);
  ended.catch(() => {});
  await child.line((line) => line.event === "ready");

  /** Orders are carried out one after the other. */
  async function ask(op: string, fields: object): Promise<KubeletMeasured> {
    const answered = new Promise<Line>((resolve) => waiting.push(resolve));
    await child.send({ op, ...fields });
    const line = await Promise.race([answered, ended]);
    if (line.error !== undefined) throw new Error(`${op}: ${line.error}`);
    return {
      count: Number(line.count),
      bytes: Number(line.bytes),
      seconds: Number(line.seconds),
      p50Us: Number(line.p50_us),
      p99Us: Number(line.p99_us),
    };
  }
  const at = ({ address, serverName, tls }: Target) => ({ address, server_name: serverName, ...tls });
  return {
    get: (target, o) => ask("get", { ...at(target), ...o }),
    download: (target, o) => ask("download", { ...at(target), ...o }),
    echo: (target, o) => ask("exec", { ...at(target), ...o }),
    async hold(target, { path, streams }) {
      await ask("hold", { ...at(target), path, connections: streams });
    },
    async drop() {
      await ask("drop", {});
    },
    async make(path, bytes) {
      await ask("make", { path, bytes });
    },
    async stop() {
      await child.stop();
    },
  };
}
