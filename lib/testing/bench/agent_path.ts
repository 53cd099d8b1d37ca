// SPDX-License-Identifier: Apache-2.0
/** Starts what lies between a shim and an agent, of peerctl and of Go, with the same certificates. */

import { join } from "node:path";
import { connectRelay } from "../../agent/relay_client.ts";
import { generateAutomaticTlsKeys, openAutomaticTls } from "../../crypto/automatic.ts";
import { startGoForwarder, startGoProxy } from "../go_tls_peers.ts";
import { type PeerctlProcess, startPeerctl } from "../peerctl.ts";

/** The name in the pod VM's certificate. */
export const SERVER_NAME = "podvm-server";

/** How long a relay may take to reach the agent, in milliseconds. */
const OPEN_TIMEOUT_MS = 30_000n;

/** Certificates of automatic mutual TLS, as PEM and as files. */
export interface BenchCertificates {
  readonly pem: { readonly ca: string; readonly cert: string; readonly key: string };
  /** What the worker node's end shows and trusts. */
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The pod VM's apf.json. */
  readonly config: string;
}

export interface AgentHops {
  readonly name: string;
  /** Where the shim connects. */
  readonly socket: string;
  /** The process on the worker node and the one in the pod VM. */
  readonly worker: number;
  readonly guest: number;
  /** Where the one in the pod VM listens. */
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

export interface HopOptions {
  /** A folder of its own. */
  readonly dir: string;
  readonly agentSocket: string;
  readonly certificates: BenchCertificates;
  /** For peerctl's processes. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function makeCertificates(dir: string): Promise<BenchCertificates> {
  const tls = await openAutomaticTls(await generateAutomaticTlsKeys());
  const server = await tls.issueServer(SERVER_NAME);
  const files = { caFile: join(dir, "ca.crt"), certFile: join(dir, "client.crt"), keyFile: join(dir, "client.key") };
  const config = join(dir, "apf.json");
  const guest = {
    "pod-network": null,
    "pod-namespace": "default",
    "pod-name": "bench",
    "tls-server-cert": server.cert,
    "tls-server-key": server.key,
    "tls-client-ca": tls.client.cert,
  };
  const mode = 0o600;
  await Deno.writeTextFile(files.caFile, tls.ca.cert, { mode });
  await Deno.writeTextFile(files.certFile, tls.client.cert, { mode });
  await Deno.writeTextFile(files.keyFile, tls.client.key, { mode });
  await Deno.writeTextFile(config, JSON.stringify(guest), { mode });
  return { pem: { ca: tls.ca.cert, ...tls.client }, ...files, config };
}

/** `peerctl apf` alone, on a free port. */
export async function startApf(o: HopOptions) {
  const args = ["apf", "-config", o.certificates.config, "-listen", "127.0.0.1:0", "-kata-agent-socket", o.agentSocket];
  const process = startPeerctl(args, { env: o.env ?? {} });
  const { host, port } = JSON.parse(await process.waitForLine(/"message":"Serving"/));
  return { process, address: { host: String(host), port: Number(port) } };
}

/** `peerctl relay` alone; `open` does what caa does when a pod VM is up. */
export async function startRelayProcess(o: Pick<HopOptions, "dir" | "certificates" | "env">) {
  const dir = join(o.dir, "relay");
  const process: PeerctlProcess = startPeerctl(["relay", "-dir", dir, "-stay"], { env: o.env ?? {} });
  await process.waitForLine(/Ready/);
  const relay = await connectRelay({ dir, slot: "0", build: "bench" });
  if (relay === undefined) throw new Error("The relay does not answer");
  const { ca, cert, key } = o.certificates.pem;
  return {
    process,
    async open(sandboxId: string, agentSocket: string, address: { host: string; port: number }): Promise<void> {
      const tls = { serverName: SERVER_NAME, caPem: ca, certPem: cert, keyPem: key };
      const request = { sandboxId, agentSocket, ...address, tls, timeoutMs: OPEN_TIMEOUT_MS };
      await relay.open(request, new AbortController().signal);
    },
    async stop() {
      relay.disconnect();
      await relay.closed;
      await process.stop();
    },
  };
}

/** relay and apf, one sandbox open. */
export async function startPeerctlHops(o: HopOptions): Promise<AgentHops> {
  const apf = await startApf(o);
  const relay = await startRelayProcess(o);
  const socket = join(o.dir, "agent.ttrpc");
  await relay.open("bench", socket, apf.address);
  return {
    name: "peerctl",
    socket,
    worker: relay.process.pid,
    guest: apf.process.pid,
    address: apf.address,
    async stop() {
      await relay.stop();
      await apf.process.stop();
    },
  };
}

/** The Go proxy and the Go forwarder, which decode and encode each call again. */
export async function startGoHops(o: HopOptions): Promise<AgentHops> {
  const { config, caFile, certFile, keyFile } = o.certificates;
  const forwarder = await startGoForwarder({ config, agentSocket: o.agentSocket, netns: "/run/netns/podns" });
  const socket = join(o.dir, "agent.ttrpc");
  const args = ["-ca-cert-file", caFile, "-cert-file", certFile, "-cert-key", keyFile];
  const proxy = await startGoProxy({ socket, serverName: SERVER_NAME, args });
  await proxy.dial(forwarder);
  return {
    name: "Go",
    socket,
    worker: proxy.pid,
    guest: forwarder.pid,
    address: forwarder,
    async stop() {
      await proxy.stop();
      await forwarder.stop();
    },
  };
}
