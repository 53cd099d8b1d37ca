// SPDX-License-Identifier: Apache-2.0
/** What sandboxes cost: opening one, TLS handshakes, and many that are idle but for the shim's checks. */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TlsCredentials } from "../../net/tls.ts";
import { dialUnix } from "../../net/unix_socket.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../../proto/gen/health_pb.ts";
import { Hypervisor } from "../../proto/gen/hypervisor_pb.ts";
import { createTtrpcClient } from "../../ttrpc/client.ts";
import { typedClient } from "../../ttrpc/typed.ts";
import { type GoForwarder, startGoForwarder, startGoProxy } from "../go_tls_peers.ts";
import { peerctlCommand, startScript } from "../peerctl.ts";
import { scalePaths, type ScaleTask } from "../scale_caa.ts";
import { withTempDir } from "../temp_dir.ts";
import { type BenchCertificates, makeCertificates, SERVER_NAME, startApf, startRelayProcess } from "./agent_path.ts";
import { type Bench, type BenchRun, OURS } from "./bench.ts";
import { startBenchAgent, startLoad } from "./load.ts";
import { cpuSeconds, descriptorCount, memoryMiB } from "./process_cost.ts";
import { spreadOf } from "./report.ts";

/** Sandboxes that are started one after the other, of which the median counts. */
const STARTS = 20;
const QUICK_STARTS = 2;

/** How many sandboxes are idle. */
const IDLE_COUNTS = [100, 1000];
const QUICK_IDLE_COUNTS = [10];

/** How long they are, in seconds: three checks each, or one. */
const IDLE_SECONDS = 15;
const QUICK_IDLE_SECONDS = 5;

/** Handshakes at a time, and how long, in seconds. */
const HANDSHAKES_AT_ONCE = 8;
const HANDSHAKE_SECONDS = 3;
const QUICK_HANDSHAKE_SECONDS = 0.5;

const NETNS = "/run/netns/podns";

/** What the parts of this bench share. */
interface Setting {
  readonly dir: string;
  readonly certificates: BenchCertificates;
  readonly agentSocket: string;
  /** The pod VM's end for both sides, so that only the worker node's end differs. */
  readonly forwarder: GoForwarder;
}

export default {
  summary: "opening sandboxes, TLS handshakes, 100 and 1,000 idle sandboxes; beside the Go proxy and forwarder",
  needs: ["go"],
  run: (o) =>
    withTempDir(async (dir) => {
      await using stack = new AsyncDisposableStack();
      const agentSocket = join(dir, "agent.sock");
      stack.adopt(await startBenchAgent(agentSocket), stop);
      const certificates = await makeCertificates(dir);
      const forwarder = stack.adopt(
        await startGoForwarder({ config: certificates.config, agentSocket, netns: NETNS }),
        stop,
      );
      const setting: Setting = { dir, certificates, agentSocket, forwarder };
      for (let round = 0; round < o.rounds; round++) {
        const part = (name: string) => o.note(`round ${round + 1} of ${o.rounds}: ${name}`);
        part("starts");
        await measureStarts(o, setting);
        part("handshakes");
        await measureHandshakes(o, setting);
        for (const count of o.quick ? QUICK_IDLE_COUNTS : IDLE_COUNTS) {
          part(`${count} idle sandboxes`);
          await measureIdle(o, setting, count);
        }
      }
      o.remark("Both sides' sandboxes end in the same Go forwarder; caa's provider answers at once.");
      o.remark("Every reply was checked; memory is that of the process that holds the sandboxes (relay, Go proxy).");
    }),
} satisfies Bench;

const stop = (running: { stop(): Promise<void> }) => running.stop();

/** From StartVM, or from the proxy's address, to the first reply of the agent. */
async function measureStarts(o: BenchRun, { dir, certificates, forwarder }: Setting): Promise<void> {
  const count = o.quick ? QUICK_STARTS : STARTS;
  const add = (subject: string, times: readonly number[]) =>
    o.add({ line: "StartVM to first reply", unit: "ms", better: "less" }, subject, spreadOf(times).median);

  const own = await Deno.makeTempDir({ dir, prefix: "c" });
  const task: ScaleTask = {
    dir: own,
    selfCommand: peerctlCommand,
    host: forwarder.host,
    port: forwarder.port,
    credentials: certificates.pem satisfies TlsCredentials,
  };
  const caa = startScript(fileURLToPath(new URL("../scale_caa.ts", import.meta.url)), [JSON.stringify(task)]);
  await caa.waitForLine(/^ready$/);
  const { socket } = scalePaths(own);
  const ours = createTtrpcClient(await dialUnix(socket));
  const hypervisor = typedClient(Hypervisor, ours);
  try {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const id = `sb${i}`;
      const annotations = { "io.kubernetes.cri.sandbox-name": id, "io.kubernetes.cri.sandbox-namespace": "default" };
      const { agentSocketPath } = await hypervisor.createVM({ id, annotations });
      const began = performance.now();
      await hypervisor.startVM({ id });
      await checkAgent(agentSocketPath);
      times.push(performance.now() - began);
    }
    // The first one starts the relay, too, and tells nothing of the others.
    add(OURS, times.slice(1));
    for (let i = 0; i < count; i++) await hypervisor.stopVM({ id: `sb${i}` });
  } finally {
    ours.close();
    await ours.closed;
    await caa.stop();
  }

  const proxy = await startProxy(certificates);
  try {
    const times: number[] = [];
    for (let i = 0; i < count; i++) {
      const path = join(own, `g${i}`);
      const began = performance.now();
      await proxy.dial(forwarder, path);
      await checkAgent(path);
      times.push(performance.now() - began);
    }
    add("Go", times.slice(1));
  } finally {
    await proxy.stop();
  }
}

/** Connections with a client certificate to apf and to the Go forwarder, each ended at once. */
async function measureHandshakes(o: BenchRun, { dir, certificates, agentSocket, forwarder }: Setting): Promise<void> {
  const seconds = o.quick ? QUICK_HANDSHAKE_SECONDS : HANDSHAKE_SECONDS;
  const apf = await startApf({ dir, certificates, agentSocket, env: o.env });
  const load = await startLoad();
  try {
    const subjects = [[OURS, apf.address, apf.process.pid], ["Go", forwarder, forwarder.pid]] as const;
    for (const [subject, { host, port }, pid] of subjects) {
      const handshake = (seconds: number) =>
        load.handshakes({
          ...certificates,
          address: `${host}:${port}`,
          serverName: SERVER_NAME,
          inFlight: HANDSHAKES_AT_ONCE,
          seconds,
        });
      await handshake(seconds / 2);
      const before = cpuSeconds([pid]);
      const { calls, seconds: passed, p99Us } = await handshake(seconds);
      const cpu = cpuSeconds([pid]) - before;
      const line = "TLS handshakes of the forwarder";
      o.add({ line, unit: "handshakes/s", better: "more", goal: 1 }, subject, calls / passed);
      o.add({ line, unit: "p99 ms", better: "less" }, subject, p99Us / 1e3);
      o.add({ line, unit: "CPU s per 1,000", better: "less" }, subject, cpu / calls * 1e3);
    }
  } finally {
    await load.stop();
    await apf.process.stop();
  }
}

async function measureIdle(o: BenchRun, { dir, certificates, forwarder }: Setting, count: number): Promise<void> {
  const own = await Deno.makeTempDir({ dir, prefix: "i" });
  const relay = await startRelayProcess({ dir: own, certificates, env: o.env });
  try {
    await measureIdlePaths(o, OURS, relay.process.pid, count, (path, i) => relay.open(`sb${i}`, path, forwarder), own);
  } finally {
    await relay.stop();
  }
  const proxy = await startProxy(certificates);
  try {
    await measureIdlePaths(o, "Go", proxy.pid, count, (path) => proxy.dial(forwarder, path), own);
  } finally {
    await proxy.stop();
  }
}

async function measureIdlePaths(
  o: BenchRun,
  subject: string,
  pid: number,
  count: number,
  open: (path: string, i: number) => Promise<void>,
  dir: string,
): Promise<void> {
  const seconds = o.seconds ?? (o.quick ? QUICK_IDLE_SECONDS : IDLE_SECONDS);
  const paths = Array.from({ length: count }, (_, i) => join(dir, `${subject[0]}${i}`));
  const load = await startLoad();
  try {
    // What the first one costs once is not what the others cost.
    await open(paths[0]!, 0);
    await load.open(paths.slice(0, 1));
    const withOne = memoryMiB([pid]);
    const began = performance.now();
    for (const [i, path] of paths.entries()) if (i > 0) await open(path, i);
    const opened = (performance.now() - began) / 1000;
    await load.open(paths.slice(1));
    const before = cpuSeconds([pid]), since = performance.now();
    const watched = load.checkAll(seconds);
    const descriptors = new Promise<number>((resolve) =>
      setTimeout(() => resolve(descriptorCount([pid])), seconds * 500)
    );
    const { calls, p99Us } = await watched;
    const cpu = cpuSeconds([pid]) - before, passed = (performance.now() - since) / 1000;
    if (calls < count) throw new Error(`${count} sandboxes, but ${calls} checks`);
    const memory = memoryMiB([pid]);
    const line = `${count.toLocaleString("en")} idle sandboxes`;
    o.add({ line, unit: "opened/s", better: "more" }, subject, (count - 1) / opened);
    const all = { line, unit: "memory in all, MiB", better: "less" } as const;
    o.add({ ...all, ...(count === 1000 && { goal: 1.3 }) }, subject, memory);
    const each = { line, unit: "memory each, KiB", better: "less" } as const;
    o.add({ ...each, ...(count === 1000 && { goal: 0.9 }) }, subject, (memory - withOne) * 1024 / (count - 1));
    o.add({ line, unit: "CPU %", better: "less" }, subject, cpu / passed * 100);
    o.add({ line, unit: "descriptors", better: "less" }, subject, await descriptors);
    o.add({ line, unit: "p99 of a check, ms", better: "less" }, subject, p99Us / 1e3);
  } finally {
    await load.stop();
  }
}

function startProxy({ caFile, certFile, keyFile }: BenchCertificates) {
  const args = ["-ca-cert-file", caFile, "-cert-file", certFile, "-cert-key", keyFile];
  return startGoProxy({ socket: "unused", serverName: SERVER_NAME, args });
}

/** Asks the agent behind a socket whether it is well, over a connection of its own. */
async function checkAgent(socket: string): Promise<void> {
  const client = createTtrpcClient(await dialUnix(socket));
  try {
    const { status } = await typedClient(Health, client).check({});
    if (status !== HealthCheckResponse_ServingStatus.SERVING) throw new Error(`The agent says ${status}`);
  } finally {
    client.close();
    await client.closed;
  }
}
