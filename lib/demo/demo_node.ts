// SPDX-License-Identifier: Apache-2.0
/** A worker node for the demo: caa with the provider "process", all in one folder, and nothing left of it afterwards. */

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@logtape/logtape";
import { connectRelay } from "../agent/relay_client.ts";
import { isSlotTaken, listSlots } from "../agent/relay_slot.ts";
import { PeerctlError } from "../errors.ts";
import { retry } from "../net/retry.ts";
import { dialUnix } from "../net/unix_socket.ts";
import { createProcessProvider } from "../provider/process/process_provider.ts";
import { openStateDir } from "../sandbox/state_dir.ts";

/** How long caa may take to serve, and to end, in milliseconds. */
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 30_000;

/** How long a relay without sandboxes may take to end, and how often to look, in milliseconds. */
const RELAY_LIMIT_MS = 10_000;
const POLL_MS = 25;

/** How much of caa's log is shown when the demo fails, in lines. */
const TAIL_LINES = 20;

export interface DemoNodeOptions {
  /** An existing private folder; everything is put in it. */
  readonly dir: string;
  readonly selfCommand: readonly string[];
  /** The environment that caa gets, no more. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface DemoNode {
  readonly hypervisorSocket: string;
  /** The last lines of caa's log. */
  logTail(): string;
  /** Ends caa, its relay and every pod VM, in that order, however far each had come. */
  stop(): Promise<void>;
}

/** Starts caa and resolves once it serves. When it fails, nothing is left running. */
export async function startDemoNode(options: DemoNodeOptions): Promise<DemoNode> {
  const { dir, selfCommand, env, signal } = options;
  const hypervisorSocket = join(dir, "hypervisor.sock");
  const podsDir = join(dir, "pods");
  const [program = "", ...args] = selfCommand;
  // A session of its own: Ctrl-C reaches the demo alone, which then ends everything in order.
  const caa = new Deno.Command(program, {
    args: [...args, "caa", "process", "-socket", hypervisorSocket, "-pods-dir", podsDir],
    env: { ...env, PROBE_PORT: "0" },
    clearEnv: true,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ended = caa.status;
  const tail = keepTail(caa.stderr);
  let running = true;
  ended.finally(() => running = false);

  const node: DemoNode = {
    hypervisorSocket,
    logTail: () => tail.lines.join("\n"),
    async stop() {
      if (running) {
        caa.kill("SIGTERM");
        await Promise.race([ended, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
        if (running) caa.kill("SIGKILL");
      }
      await ended;
      await tail.ended;
      try {
        await endRelays(join(dir, "relay"));
      } finally {
        await deleteInstances(podsDir, options);
      }
    },
  };
  try {
    await retry(() => answers(hypervisorSocket), {
      signal,
      timeoutMs: START_LIMIT_MS,
      firstDelayMs: POLL_MS,
      maxDelayMs: 4 * POLL_MS,
      isFatal: () => !running,
    });
  } catch (cause) {
    await node.stop();
    if (signal.aborted) throw cause;
    throw new PeerctlError("peer", `Cannot start caa for the demo: ${tail.lines.at(-1) ?? "it says nothing"}`, {
      cause,
    });
  }
  return node;
}

/** Reads a log to its end and keeps its last lines. */
function keepTail(
  log: ReadableStream<Uint8Array<ArrayBuffer>>,
): { readonly lines: string[]; readonly ended: Promise<void> } {
  const lines: string[] = [];
  async function read(): Promise<void> {
    let rest = "";
    for await (const text of log.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      lines.splice(0, lines.length - TAIL_LINES);
    }
  }
  return { lines, ended: read() };
}

async function answers(socket: string): Promise<void> {
  (await dialUnix(socket)).destroy();
}

/** Ends every relay under `dir`; their sandboxes are ended with them. */
async function endRelays(dir: string): Promise<void> {
  for (const slot of await listSlots(dir)) {
    if (await isSlotTaken(dir, slot)) await drainRelay(dir, slot);
    const until = performance.now() + RELAY_LIMIT_MS;
    while (await isSlotTaken(dir, slot)) {
      if (performance.now() > until) {
        throw new PeerctlError("peer", `Cannot end the relay of the demo in "${dir}": it still holds slot ${slot}`);
      }
      await delay(POLL_MS);
    }
  }
}

/** Has a relay let go of its sandboxes and end; one that is ending already may not answer any more. */
async function drainRelay(dir: string, slot: string): Promise<void> {
  const relay = await connectRelay({ dir, slot, build: "demo" }).catch(() => undefined);
  if (!relay) return;
  try {
    await relay.drain();
    for (const { sandboxId } of await relay.list()) await relay.close(sandboxId);
  } catch {
    // It ended meanwhile, which the caller looks for.
  } finally {
    relay.disconnect();
    await relay.closed;
  }
}

/** Deletes what caa could not, because it was stopped in the middle of something. */
async function deleteInstances(podsDir: string, options: DemoNodeOptions): Promise<void> {
  using state = await openStateDir({ podsDir, nodeName: "" });
  const provider = createProcessProvider({
    stateDir: state.folder("process"),
    installationId: state.installationId,
    nodeName: "",
    selfCommand: options.selfCommand,
    agentCommand: [],
    forwarderPort: 0,
    env: options.env,
    log: options.log,
  });
  const signal = AbortSignal.timeout(STOP_LIMIT_MS);
  for (const { id } of await provider.list(signal)) await provider.delete(id, signal);
}
