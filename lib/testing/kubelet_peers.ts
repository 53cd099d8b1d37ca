// SPDX-License-Identifier: Apache-2.0
/** Starts the kubelet stand-in and runs the client on client-go against it, or against what stands in front of it. */

import { type Line, startLineProcess } from "./line_process.ts";
import { kubeletPeer } from "./peers.ts";

/** Paths of PEM files. */
export interface KubeletTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** A request that reached the stand-in. */
export interface KubeletRequest {
  readonly method: string;
  /** The request target as it came. */
  readonly target: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** Common name of the client certificate. */
  readonly user: string;
}

export interface KubeletStandIn {
  readonly pid: number;
  /** HOST:PORT. */
  readonly address: string;
  requests(): KubeletRequest[];
  /** Waits until a request for `path`, whatever its query, has come. */
  requested(path: string): Promise<KubeletRequest>;
  /** Adds a line to the container log. */
  log(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the stand-in on a free port; `logsDir` is served under /logs/, `quiet` leaves requests untold. */
export async function startKubeletStandIn(
  o: { tls: KubeletTls; logsDir?: string; quiet?: boolean },
): Promise<KubeletStandIn> {
  const child = startLineProcess({
    path: await kubeletPeer("kubelet"),
    args: [
      ...["-cert", o.tls.cert, "-key", o.tls.key, "-client-ca", o.tls.ca],
      ...(o.logsDir === undefined ? [] : ["-logs-dir", o.logsDir]),
      ...(o.quiet ? ["-quiet"] : []),
    ],
  });
  const ready = await child.line((line) => line.event === "ready").catch(async (error) => {
    await child.stop();
    throw error;
  });
  const isRequest = (line: Line) => line.event === "request";
  const toRequest = (line: Line) => line as unknown as KubeletRequest;
  return {
    pid: child.pid,
    address: String(ready.address),
    requests: () => child.lines.filter(isRequest).map(toRequest),
    requested: async (path) =>
      toRequest(await child.line((line) => isRequest(line) && String(line.target).split("?")[0] === path)),
    log: (text) => child.send({ op: "log", text }),
    async stop() {
      await child.stop();
    },
  };
}

export interface KubeClientOptions {
  /** HOST:PORT. */
  readonly address: string;
  readonly tls: KubeletTls;
  readonly serverName: string;
  /** What carries exec, attach and portforward; default spdy. */
  readonly protocol?: "spdy" | "websocket";
  /** Passes stdin on; otherwise the command has none. */
  readonly hasStdin?: boolean;
}

/** Starts the client with piped streams; its exit code is the remote command's, 125 an error of its own. */
export async function startKubeClient(args: readonly string[], o: KubeClientOptions): Promise<Deno.ChildProcess> {
  return new Deno.Command(await kubeletPeer("client"), {
    args: [
      ...["-url", `https://${o.address}`, "-server-name", o.serverName],
      ...["-ca", o.tls.ca, "-cert", o.tls.cert, "-key", o.tls.key],
      ...["-protocol", o.protocol ?? "spdy"],
      ...(o.hasStdin ? ["-stdin"] : []),
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}
