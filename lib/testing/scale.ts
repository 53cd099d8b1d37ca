// SPDX-License-Identifier: Apache-2.0
/** Measures what sandboxes cost: `deno task scale --count 1000`. Starts them, restarts caa in the middle, stops them. */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { getLogger } from "@logtape/logtape";
import { connectRelay } from "../agent/relay_client.ts";
import { isSlotTaken } from "../agent/relay_slot.ts";
import { alignColumns } from "../cli/output.ts";
import { dialUnix } from "../net/unix_socket.ts";
import { Health } from "../proto/gen/health_pb.ts";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { createTtrpcClient, type TtrpcClient } from "../ttrpc/client.ts";
import { typedClient } from "../ttrpc/typed.ts";
import { startGuestEnd } from "./guest_end.ts";
import { startScript } from "./peerctl.ts";
import { scalePaths, type ScaleTask } from "./scale_caa.ts";
import { withTempDir } from "./temp_dir.ts";

/** The name in operator-made certificates of pod VMs. */
const SERVER_NAME = "podvm-server";

/** How many pods start or stop at the same time. */
const AT_ONCE = 8;

/** How many times memory and descriptors are looked at while sandboxes start. */
const LOOKS = 4;

/** What one process holds. */
export interface Held {
  readonly rssMiB: number;
  readonly descriptors: number;
}

export interface ScaleRow {
  readonly sandboxes: number;
  readonly startMs: number;
  readonly caa: Held;
  readonly relay: Held;
}

export interface ScaleResult {
  readonly rows: readonly ScaleRow[];
  /** From the start of a new caa, with half of the sandboxes running, until it serves, in milliseconds. */
  readonly restartMs: number;
  readonly stopMs: number;
  /** Checks over the agent paths that were opened before the restart and answered after it. */
  readonly checksAfterRestart: number;
  /** What was left of it all: instances, folders, relays. */
  readonly left: number;
}

/** Runs `count` sandboxes on one caa and one relay, each with one held agent connection as of a kata shim. */
export function measureScale(count: number): Promise<ScaleResult> {
  return withTempDir(async (dir) => {
    const log = getLogger(["peerctl", "scale"]);
    await using guest = await startGuest(log);
    const { tls } = guest.end;
    if (!tls) throw new TypeError("the guest end speaks TLS");
    const main = fileURLToPath(new URL("../../main.ts", import.meta.url));
    const task: ScaleTask = {
      dir,
      selfCommand: [Deno.execPath(), "run", "--quiet", "-A", "--config", configFile(), main],
      host: guest.end.host,
      port: guest.end.port,
      credentials: tls.credentials,
    };
    const startCaa = async () => {
      const caa = startScript(fileURLToPath(new URL("scale_caa.ts", import.meta.url)), [JSON.stringify(task)]);
      await caa.waitForLine(/^ready$/, 120_000);
      return caa;
    };
    const paths = scalePaths(dir);
    const ids = Array.from({ length: count }, (_, i) => `sb${i}`);
    const held: TtrpcClient[] = [];
    const rows: ScaleRow[] = [];
    let caa = await startCaa();
    try {
      let restartMs = 0;
      let checksAfterRestart = 0;
      for (let look = 0; look < LOOKS; look++) {
        const part = ids.slice(Math.floor(count * look / LOOKS), Math.floor(count * (look + 1) / LOOKS));
        const began = performance.now();
        await eachAtOnce(part, async (id) => void held.push(await startPod(paths.socket, id)));
        rows.push({
          sandboxes: held.length,
          startMs: (performance.now() - began) / part.length,
          caa: heldBy(caa.pid),
          relay: heldBy(await relayPid(paths.relays)),
        });
        if (look !== LOOKS / 2 - 1) continue;
        await caa.kill();
        const restarted = performance.now();
        caa = await startCaa();
        restartMs = performance.now() - restarted;
        for (const client of held) await typedClient(Health, client).check({});
        checksAfterRestart = held.length;
      }
      const began = performance.now();
      await eachAtOnce(ids, (id) => onHypervisor(paths.socket, (vm) => vm.stopVM({ id })));
      const stopMs = (performance.now() - began) / count;
      for (const client of held) client.close();
      await Promise.all(held.map((client) => client.closed));
      await untilRelayEnds(paths.relays);
      const left = [...Deno.readDirSync(paths.cloud)].length +
        [...Deno.readDirSync(paths.podsDir)].filter(({ name }) => !name.startsWith(".")).length;
      return { rows, restartMs, stopMs, checksAfterRestart, left };
    } finally {
      for (const client of held) client.close();
      await caa.kill();
      await endRelay(paths.relays);
    }
  });
}

async function startGuest(log: ReturnType<typeof getLogger>) {
  const end = await startGuestEnd({ log, tlsName: SERVER_NAME });
  return { end, [Symbol.asyncDispose]: () => end.stop() };
}

function configFile(): string {
  return fileURLToPath(new URL("../../deno.json", import.meta.url));
}

async function startPod(socket: string, id: string): Promise<TtrpcClient> {
  const annotations = { "io.kubernetes.cri.sandbox-name": id, "io.kubernetes.cri.sandbox-namespace": "default" };
  const path = await onHypervisor(socket, async (vm) => {
    const { agentSocketPath } = await vm.createVM({ id, annotations });
    await vm.startVM({ id });
    return agentSocketPath;
  });
  const client = createTtrpcClient(await dialUnix(path));
  await typedClient(Health, client).check({});
  return client;
}

async function onHypervisor<T>(
  socket: string,
  use: (vm: ReturnType<typeof typedClient<typeof Hypervisor>>) => Promise<T>,
): Promise<T> {
  const client = createTtrpcClient(await dialUnix(socket));
  try {
    return await use(typedClient(Hypervisor, client));
  } finally {
    client.close();
    await client.closed;
  }
}

async function eachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  }));
}

/** Reads what the kernel says of a process (proc(5)). */
function heldBy(pid: number): Held {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const rssKiB = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  return { rssMiB: rssKiB / 1024, descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length };
}

async function relayPid(dir: string): Promise<number> {
  const relay = await connectRelay({ dir, slot: "0", build: "scale" });
  if (!relay) throw new Error("no relay runs");
  const pid = Number(relay.hello.pid);
  relay.disconnect();
  await relay.closed;
  return pid;
}

async function untilRelayEnds(dir: string): Promise<void> {
  while (await isSlotTaken(dir, "0")) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function endRelay(dir: string): Promise<void> {
  if (await isSlotTaken(dir, "0")) Deno.kill(await relayPid(dir), "SIGTERM");
  await untilRelayEnds(dir);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { count: { type: "string", default: "1000" }, output: { type: "string", default: "text" } },
  });
  const result = await measureScale(Number(values.count));
  if (values.output === "json") console.log(JSON.stringify(result, null, 2));
  else {
    const rows = result.rows.map(({ sandboxes, startMs, caa, relay }) => [
      String(sandboxes),
      `${startMs.toFixed(1)} ms`,
      `${caa.rssMiB.toFixed(0)} MiB`,
      String(caa.descriptors),
      `${relay.rssMiB.toFixed(0)} MiB`,
      String(relay.descriptors),
    ]);
    const head = ["SANDBOXES", "START EACH", "CAA MEMORY", "CAA FDS", "RELAY MEMORY", "RELAY FDS"];
    console.log(alignColumns([head, ...rows]));
    console.log(
      `caa restarted in the middle: serves after ${result.restartMs.toFixed(0)} ms; ` +
        `${result.checksAfterRestart} connections opened before went on. Stop: ${result.stopMs.toFixed(1)} ms each. ` +
        `Left afterwards: ${result.left}.`,
    );
  }
}
