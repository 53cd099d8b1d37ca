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

/** How long each proxy gets requests before it is measured, in seconds: it is no program that has just begun. */
const WARM_SECONDS = 6;

/** What a policy's decision may take of the CPU, in per cent. */
const DECISION_LIMIT = 5;

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
          { start: startOurProxy, o: { ...common, dir: join(dir, "ours"), policy }, streams: open, goals: undefined },
          { start: startNginx, o: { ...common, dir: join(dir, "nginx"), policy }, streams: policy, goals: NGINX_GOALS },
          {
            start: startPerRequestProxy,
            o: { ...common, dir: join(dir, "go"), policy },
            streams: open,
            goals: GO_GOALS,
          },
        ];
        for (let round = 0; round < o.rounds; round++) {
          for (const subject of subjects) await measure(o, round, subject, { load, client, bytes });
        }
      } finally {
        await load.stop();
        await kubelet.stop();
      }
    });
    o.remark("Every reply was compared byte by byte. One worker on both sides; nginx judges nothing and logs nothing.");
  },
} satisfies Bench;

interface Subject {
  start(o: ProxyOptions): Promise<RunningProxy>;
  readonly o: ProxyOptions;
  /** The policy for the measurement of exec streams. */
  readonly streams: string;
  /** What ours is to reach beside it; undefined for ours. */
  readonly goals: Goals | undefined;
}

/** A row is beside one of the others, for each has goals of its own. */
interface Goals {
  readonly suffix: string;
  readonly requests: number;
  readonly download?: number;
}
const NGINX_GOALS: Goals = { suffix: "", requests: 0.5, download: 0.8 };
const GO_GOALS: Goals = { suffix: " (policy per request)", requests: 10 };

/** Adds ours to the rows of both, another's to its own. */
function addBeside(
  o: BenchRun,
  { goals }: Subject,
  name: string,
  value: number,
  kind: { readonly line: string; readonly unit: string; readonly goal: "requests" | "download" },
): void {
  for (const each of goals === undefined ? [NGINX_GOALS, GO_GOALS] : [goals]) {
    const goal = each[kind.goal];
    const { line, unit } = kind;
    o.add({ line: `${line}${each.suffix}`, unit, better: "more", ...(goal !== undefined && { goal }) }, name, value);
  }
}

interface Measuring {
  readonly load: KubeletLoad;
  readonly client: Target["tls"];
  readonly bytes: number;
}

async function measure(o: BenchRun, round: number, subject: Subject, m: Measuring): Promise<void> {
  const { load } = m;
  await withProxy(subject, subject.o.policy, m, async (proxy, target) => {
    const say = (what: string) => o.note(`round ${round + 1} of ${o.rounds}: ${proxy.name}: ${what}`);
    say("warming up");
    await load.get(target, { ...PODS, connections: 16, seconds: o.quick ? QUICK_SECONDS : WARM_SECONDS });
    await measureGets(o, subject, proxy, target, load, say);
    say("download");
    const before = cpuSeconds(proxy.pids);
    const { seconds } = await load.download(target, { path: "/logs/large", bytes: m.bytes });
    const line = `download of ${m.bytes >> 20} MiB`;
    addBeside(o, subject, proxy.name, m.bytes / seconds / 1e6, { line, unit: "MB/s", goal: "download" });
    const cpu = (cpuSeconds(proxy.pids) - before) * 1e9 / m.bytes;
    o.add({ line, unit: "CPU s per GB", better: "less" }, proxy.name, cpu);
  });
  await withProxy(subject, subject.streams, m, async (proxy, target) => {
    o.note(`round ${round + 1} of ${o.rounds}: ${proxy.name}: exec`);
    const echo = await load.echo(target, { path: EXEC, seconds: secondsOf(o) });
    o.add({ line: "exec echo", unit: "round trips/s", better: "more" }, proxy.name, echo.count / echo.seconds);
    o.add({ line: "exec echo", unit: "p99 µs", better: "less" }, proxy.name, echo.p99Us);
    const streams = o.quick ? QUICK_HELD_STREAMS : HELD_STREAMS;
    const before = memoryMiB(proxy.pids);
    await load.hold(target, { path: EXEC, streams });
    const each = (memoryMiB(proxy.pids) - before) * 1024 / streams;
    o.add({ line: "idle exec stream", unit: "KiB each", better: "less" }, proxy.name, each);
    await load.drop();
  });
}

async function measureGets(
  o: BenchRun,
  subject: Subject,
  proxy: RunningProxy,
  target: Target,
  load: KubeletLoad,
  say: (what: string) => void,
): Promise<void> {
  for (const connections of [1, 16, 64]) {
    say(`requests on ${connections} connections`);
    const line = `GET, ${connections} at a time`;
    const cpu = cpuSeconds(proxy.pids);
    const decided = await proxy.decisionSeconds?.() ?? 0;
    const { count, seconds, p99Us } = await load.get(target, { ...PODS, connections, seconds: secondsOf(o) });
    const spent = cpuSeconds(proxy.pids) - cpu;
    addBeside(o, subject, proxy.name, count / seconds, { line, unit: "requests/s", goal: "requests" });
    o.add({ line, unit: "p99 µs", better: "less" }, proxy.name, p99Us);
    o.add({ line, unit: "CPU s per 100,000", better: "less" }, proxy.name, spent * 100_000 / count);
    if (proxy.decisionSeconds === undefined) continue;
    const share = (await proxy.decisionSeconds() - decided) * 100 / spent;
    o.add({ line, unit: "% of it to decide", better: "less", limit: DECISION_LIMIT }, proxy.name, share);
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
