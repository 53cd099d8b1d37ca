// SPDX-License-Identifier: Apache-2.0
/** A caa with the provider "process" in a directory of its own, whose processes may be killed at any moment. */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { dialUnix } from "../net/unix_socket.ts";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { readRecord } from "../provider/process/vm_record.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { typedClient } from "../ttrpc/typed.ts";
import type { Target } from "./kill_plan.ts";
import { type PeerctlProcess, startPeerctl } from "./peerctl.ts";
import { killProcess, listProcesses, type SeenProcess } from "./processes.ts";

/** How long caa may take to serve, in milliseconds, and StopVM to answer. */
const SERVING_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 60_000;

/** How long StartVM tries to reach an agent that was killed. */
const PROXY_TIMEOUT = "8s";

/** How often a process that is to be killed is looked for, in milliseconds. */
const POLL_MS = 3;

const SERVING = /"message":"Serving"/;

export interface KilledNode extends AsyncDisposable {
  readonly dir: string;
  readonly hypervisorSocket: string;
  /** The caa of now, or the last one. */
  readonly caa: PeerctlProcess;
  /** Markers of all pod VMs that were seen. */
  readonly markers: ReadonlySet<string>;
  /** Starts caa, unless it runs; resolves when it serves. */
  serve(): Promise<void>;
  /** Kills the caa that runs, if one does. */
  caaEnded(): Promise<void>;
  /** The relays that run. */
  relays(): SeenProcess[];
  /** Starts caa and does not wait. */
  startCaa(): void;
  /**
   * Kills one process; `until` says when to stop looking for one that has not been started yet.
   *
   * @returns false when there was none.
   */
  kill(target: Target, until: () => boolean): Promise<boolean>;
  /** Notes the pod VMs that exist, so that what they leave can be found. */
  noteInstances(): Promise<void>;
  stopVM(sandboxId: string): Promise<void>;
  /** What caa and the relays logged last. */
  logTail(): string;
}

/** Prepares a node in an existing directory; nothing runs yet. At its end every process of it is killed. */
export function createKilledNode(dir: string): KilledNode {
  const hypervisorSocket = join(dir, "h.sock"), podsDir = join(dir, "pods");
  const markers = new Set<string>();
  let caa: PeerctlProcess | undefined;
  let isRunning = false;

  function startCaa(): void {
    const args = ["-socket", hypervisorSocket, "-pods-dir", podsDir, "-proxy-timeout", PROXY_TIMEOUT];
    const started = startPeerctl(["caa", "process", ...args], { env: { PROBE_PORT: "0" } });
    caa = started;
    isRunning = true;
    started.closed.then(() => {
      if (caa === started) isRunning = false;
    });
  }

  async function noteInstances(): Promise<void> {
    const stateDir = join(podsDir, ".process");
    const entries = await Array.fromAsync(Deno.readDir(stateDir)).catch(() => []);
    for (const { name } of entries) {
      const record = await readRecord(join(stateDir, name)).catch(() => undefined);
      if (record) markers.add(record.marker);
    }
  }

  function processesOf(target: Exclude<Target, "caa">): SeenProcess[] {
    const words = { relay: ` relay -dir ${dir}/`, apf: " apf -config ", agent: " stand-in-agent -listen " }[target];
    return listProcesses().filter(({ commandLine }) => commandLine.includes(words) && commandLine.includes(dir));
  }

  return {
    dir,
    hypervisorSocket,
    markers,
    startCaa,
    noteInstances,
    get caa() {
      if (caa === undefined) throw new Error("caa was not started yet");
      return caa;
    },
    async serve() {
      if (!isRunning) startCaa();
      await caa!.waitForLine(SERVING, SERVING_LIMIT_MS);
    },
    async caaEnded() {
      await caa?.kill();
    },
    relays: () => processesOf("relay"),
    async kill(target, until) {
      if (target === "caa") {
        await caa?.kill();
        return true;
      }
      for (;;) {
        const found = processesOf(target);
        for (const { pid } of found) killProcess(pid);
        if (found.length > 0) return true;
        if (until()) return false;
        await delay(POLL_MS);
      }
    },
    async stopVM(id) {
      const client = createTtrpcClient(await dialUnix(hypervisorSocket));
      try {
        await typedClient(Hypervisor, client).stopVM({ id }, { timeoutMs: STOP_LIMIT_MS });
      } finally {
        client.close();
        await client.closed;
      }
    },
    logTail() {
      const logs = [caa?.lines.slice(-30).join("\n") ?? ""];
      for (const slot of ["0", "1"]) {
        try {
          const lines = Deno.readTextFileSync(join(dir, "relay", slot, "relay.log")).trimEnd().split("\n");
          logs.push(`relay ${slot}:`, ...lines.slice(-10));
        } catch {
          // There is none.
        }
      }
      return logs.join("\n");
    },
    async [Symbol.asyncDispose]() {
      await noteInstances();
      await caa?.kill();
      for (const { pid, commandLine, environment } of listProcesses()) {
        const isOurs = commandLine.includes(dir) || environment.some((entry) => markers.has(entry.split("=")[1] ?? ""));
        if (isOurs) killProcess(pid);
      }
    },
  };
}
