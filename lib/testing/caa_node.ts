// SPDX-License-Identifier: Apache-2.0
/** Runs `peerctl caa process` in a directory of its own with the Go agent in its pod VMs, and leaves nothing of it. */

import { join } from "node:path";
import { connectRelay } from "../agent/relay_client.ts";
import { listSlots, relaySlotPaths } from "../agent/relay_slot.ts";
import { endMarked } from "../provider/process/end_processes.ts";
import { findMarked, type Marker, VM_MARKER_NAME } from "../provider/process/process_identity.ts";
import { readRecord, type VmRecord } from "../provider/process/vm_record.ts";
import { type AgentRequest, goAgentCommand, readAgentRecord } from "./go_agent.ts";
import { type PeerctlProcess, startPeerctl } from "./peerctl.ts";
import { withTempDir } from "./temp_dir.ts";

export interface CaaNode {
  readonly dir: string;
  readonly socket: string;
  readonly podsDir: string;
  /** The one that runs now, or ran last. */
  readonly caa: PeerctlProcess;
  /** Starts caa again with the same flags, of the build under test; the one before must have ended. */
  restart(): Promise<void>;
  /** What agents were asked so far, those of pod VMs that are gone included. */
  requests(): Promise<AgentRequest[]>;
  /** The pod VMs that exist. */
  instances(): Promise<{ folder: string; record: VmRecord }[]>;
  /** Resolves when no relay runs, after at most `limitMs`. */
  relayEnded(limitMs: number): Promise<void>;
}

/** Names and namespace of a pod, and the other annotations that a kata shim always sends. */
export const POD_ANNOTATIONS: Readonly<Record<string, string>> = {
  "io.kubernetes.cri.sandbox-name": "web",
  "io.kubernetes.cri.sandbox-namespace": "default",
  "io.katacontainers.config.hypervisor.machine_type": "",
  "io.katacontainers.config.hypervisor.image": "",
  "io.katacontainers.config.hypervisor.default_vcpus": "1",
  "io.katacontainers.config.hypervisor.default_memory": "2048",
  "io.katacontainers.config.hypervisor.default_gpus": "0",
  "io.katacontainers.config.hypervisor.default_gpu_model": "",
  "io.katacontainers.config.hypervisor.cc_init_data": "",
};

/**
 * Starts caa with more flags from `flags`, which may put files into the directory, and runs `body`. With `mainFile` the
 * first caa is of another build.
 */
export function withCaaNode(
  flags: (dir: string) => Promise<string[]> | string[],
  body: (node: CaaNode) => Promise<void>,
  first: { readonly mainFile?: string } = {},
): Promise<void> {
  return withTempDir(async (dir) => {
    const socket = join(dir, "h.sock"), podsDir = join(dir, "pods"), record = join(dir, "record.jsonl");
    const args = ["caa", "process", "-socket", socket, "-pods-dir", podsDir];
    args.push("-agent-command", await goAgentCommand({ record }), ...await flags(dir));
    const start = (o: { readonly mainFile?: string } = {}) => startPeerctl(args, { env: { PROBE_PORT: "0" }, ...o });
    let caa = start(first);
    const node: CaaNode = {
      dir,
      socket,
      podsDir,
      get caa() {
        return caa;
      },
      async restart() {
        await caa.closed;
        caa = start();
        await caa.waitForLine(SERVING);
      },
      requests: () => readAgentRecord(record),
      instances: () => listInstances(join(podsDir, ".process")),
      relayEnded: (limitMs) => relayEnded(join(dir, "relay"), limitMs),
    };
    try {
      await caa.waitForLine(SERVING);
      await body(node);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\ncaa said:\n${caa.lines.join("\n")}`, {
        cause: error,
      });
    } finally {
      await caa.kill();
      await endLeftovers(dir);
    }
  });
}

/** Kills the relays and pod VMs of a caa with `-socket <dir>/…` and `-pods-dir <dir>/pods`. */
export async function endLeftovers(dir: string): Promise<void> {
  await killRelays(join(dir, "relay"));
  for (const { record } of await listInstances(join(dir, "pods/.process"))) await endMarked(markerOf(record));
}

/** The processes of a pod VM that run. */
export async function countProcesses(record: VmRecord): Promise<number> {
  return (await findMarked(markerOf(record))).length;
}

const SERVING = /"message":"Serving"/;

const markerOf = (record: VmRecord): Marker => `${VM_MARKER_NAME}=${record.marker}`;

async function listInstances(stateDir: string): Promise<{ folder: string; record: VmRecord }[]> {
  const found: { folder: string; record: VmRecord }[] = [];
  const entries = await Array.fromAsync(Deno.readDir(stateDir)).catch(() => []);
  for (const { name } of entries) {
    const folder = join(stateDir, name);
    const record = await readRecord(folder);
    if (record !== undefined) found.push({ folder, record });
  }
  return found;
}

/** A relay holds the lock of its slot for as long as it lives, so that its end can be waited for. */
async function relayEnded(dir: string, limitMs: number): Promise<void> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killRelays(dir);
  }, limitMs);
  try {
    for (const slot of await listSlots(dir)) {
      using lock = await Deno.open(relaySlotPaths(dir, slot).lock, { read: true });
      await lock.lock(false);
    }
  } finally {
    clearTimeout(timer);
  }
  if (isLate) throw new Error(`The relay still ran after ${limitMs} ms`);
}

async function killRelays(dir: string): Promise<void> {
  for (const slot of await listSlots(dir)) {
    const relay = await connectRelay({ dir, slot, build: "test" });
    if (relay === undefined) continue;
    try {
      Deno.kill(Number(relay.hello.pid), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // ended by itself just now
    }
    await relay.closed;
  }
}
