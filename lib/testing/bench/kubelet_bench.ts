// SPDX-License-Identifier: Apache-2.0
/** `peerctl kubelet-proxy` beside nginx without a policy and beside a Go proxy that compiles its policy for each request. */

import { join } from "node:path";
import { layCertificates } from "../certificate_files.ts";
import { startKubeletStandIn } from "../kubelet_peers.ts";
import { withTempDir } from "../temp_dir.ts";
import type { Bench, BenchRun } from "./bench.ts";
import { type KubeletLoad, startKubeletLoad, type Target } from "./kubelet_load.ts";
import {
  type ProxyOptions,
  type RunningProxy,
  SERVER_NAME,
  startNginx,
  startOurProxy,
  startPerRequestProxy,
} from "./kubelet_proxies.ts";
import { cpuSeconds, memoryMiB } from "./process_cost.ts";

/** How long requests are made in each round, in seconds. */
const SECONDS = 3;
const QUICK_SECONDS = 0.3;

/** Length of the download, in bytes: 1 GiB, the size of a large checkpoint. */
const DOWNLOAD_BYTES = 1 << 30;
const QUICK_DOWNLOAD_BYTES = 1 << 24;

const HELD_STREAMS = 100;
const QUICK_HELD_STREAMS = 5;

/** Denies what the route table denies without a policy, by path, as the simplest policy of an operator does. */
const POLICY = `package kubelet.policy

import rego.v1

deny if {
  some prefix in ["/exec", "/attach", "/run", "/portForward"]
  startswith(input.path, prefix)
}
`;

/** Denies nothing: exec streams are measured, too. */
const OPEN_POLICY = `package kubelet.policy

import rego.v1

deny if input.path == "/never"
`;

const EXEC = "/exec/default/web/app";
const PODS = { path: "/pods", body: `{"kind":"PodList","apiVersion":"v1","items":[]}` };

export default {
  summary: "kubelet-proxy beside nginx without a policy and a Go proxy that compiles its policy for each request",
  needs: ["go", "nginx"],
  async run(o) {
    await withTempDir(async (dir) => {
      const files = await layCertificates(join(dir, "tls"), "ecdsa-p256", [SERVER_NAME, "127.0.0.1"]);
      const server = { ca: files.path("ca.crt"), cert: files.path("tls.crt"), key: files.path("tls.key") };
      const client = { ca: files.path("ca.crt"), cert: files.path("client.crt"), key: files.path("client.key") };
      const policy = join(dir, "policy.rego"), open = join(dir, "open.rego");
      await Deno.writeTextFile(policy, POLICY);
      await Deno.writeTextFile(open, OPEN_POLICY);
      const logsDir = join(dir, "logs");
      await Deno.mkdir(logsDir);
      const load = await startKubeletLoad();
      const kubelet = await startKubeletStandIn({ tls: server, logsDir, quiet: true });
      try {
        const bytes = o.quick ? QUICK_DOWNLOAD_BYTES : DOWNLOAD_BYTES;
        await load.make(join(logsDir, "large"), bytes);
        const common = { kubelet: kubelet.address, server, client, workers: 1, env: o.env };
        const subjects: Subject[] = [
          { start: startOurProxy, o: { ...common, dir: join(dir, "ours"), policy }, streams: open },
          { start: startNginx, o: { ...common, dir: join(dir, "nginx"), policy }, streams: policy },
          { start: startPerRequestProxy, o: { ...common, dir: join(dir, "go"), policy }, streams: open },
        ];
        for (let round = 0; round < o.rounds; round++) {
          for (const subject of subjects) await measure(o, round, subject, { load, client, bytes });
        }
      } finally {
        await load.stop();
        await kubelet.stop();
      }
    });
    o.remark("Every reply was compared byte by byte. One worker on both sides; nginx judges nothing.");
  },
} satisfies Bench;

interface Subject {
  start(o: ProxyOptions): Promise<RunningProxy>;
  readonly o: ProxyOptions;
  /** The policy for the measurement of exec streams. */
  readonly streams: string;
}

interface Measuring {
  readonly load: KubeletLoad;
  readonly client: Target["tls"];
  readonly bytes: number;
}

async function measure(o: BenchRun, round: number, subject: Subject, m: Measuring): Promise<void> {
  await withProxy(subject, subject.o.policy, m, async (proxy, target) => {
    const say = (what: string) => o.note(`round ${round + 1} of ${o.rounds}: ${proxy.name}: ${what}`);
    await measureGets(o, proxy, target, m.load, say);
    say("download");
    const before = cpuSeconds(proxy.pids);
    const { seconds } = await m.load.download(target, { path: "/logs/large", bytes: m.bytes });
    const line = `download of ${m.bytes >> 20} MiB`;
    o.add({ line, unit: "MB/s", better: "more", goal: 0.8 }, proxy.name, m.bytes / seconds / 1e6);
    const cpu = (cpuSeconds(proxy.pids) - before) * 1e9 / m.bytes;
    o.add({ line, unit: "CPU s per GB", better: "less" }, proxy.name, cpu);
  });
  await withProxy(subject, subject.streams, m, async (proxy, target) => {
    o.note(`round ${round + 1} of ${o.rounds}: ${proxy.name}: exec`);
    const echo = await m.load.echo(target, { path: EXEC, seconds: secondsOf(o) });
    o.add({ line: "exec echo", unit: "round trips/s", better: "more" }, proxy.name, echo.count / echo.seconds);
    o.add({ line: "exec echo", unit: "p99 µs", better: "less" }, proxy.name, echo.p99Us);
    const streams = o.quick ? QUICK_HELD_STREAMS : HELD_STREAMS;
    const before = memoryMiB(proxy.pids);
    await m.load.hold(target, { path: EXEC, streams });
    const each = (memoryMiB(proxy.pids) - before) * 1024 / streams;
    o.add({ line: "idle exec stream", unit: "KiB each", better: "less" }, proxy.name, each);
    await m.load.drop();
  });
}

async function measureGets(
  o: BenchRun,
  proxy: RunningProxy,
  target: Target,
  load: KubeletLoad,
  say: (what: string) => void,
): Promise<void> {
  for (const connections of [1, 16, 64]) {
    say(`requests on ${connections} connections`);
    const line = `GET on ${connections} connections`;
    const cpu = cpuSeconds(proxy.pids);
    const { count, seconds, p99Us } = await load.get(target, { ...PODS, connections, seconds: secondsOf(o) });
    o.add({ line, unit: "requests/s", better: "more", goal: 0.5 }, proxy.name, count / seconds);
    o.add({ line, unit: "p99 µs", better: "less" }, proxy.name, p99Us);
    const each = (cpuSeconds(proxy.pids) - cpu) * 100_000 / count;
    o.add({ line, unit: "CPU s per 100,000", better: "less" }, proxy.name, each);
  }
}

function secondsOf(o: BenchRun): number {
  return o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
}

async function withProxy(
  { start, o }: Subject,
  policy: string,
  { client }: Measuring,
  body: (proxy: RunningProxy, target: Target) => Promise<void>,
): Promise<void> {
  const proxy = await start({ ...o, policy });
  try {
    await body(proxy, { address: proxy.address, serverName: SERVER_NAME, tls: client });
  } finally {
    await proxy.stop();
  }
}
