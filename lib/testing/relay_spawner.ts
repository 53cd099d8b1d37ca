// SPDX-License-Identifier: Apache-2.0
/** A stand-in for caa in a process of its own, to be killed: starts a relay, has it open one sandbox, and stays. */

import { getLogger } from "@logtape/logtape";
import { createRelayPool } from "../agent/relay_pool.ts";
import { createRelayStarter } from "../agent/relay_spawn.ts";

/** What it is told, as JSON, in its first argument. */
export interface SpawnerTask {
  readonly dir: string;
  readonly main: readonly string[];
  readonly sandboxId: string;
  readonly agentSocket: string;
  readonly host: string;
  readonly port: number;
  readonly tls: { serverName: string; caPem: string; certPem: string; keyPem: string };
  /** A file to hold open under a descriptor that children inherit. */
  readonly heldFile: string;
}

if (import.meta.main) {
  const task: SpawnerTask = JSON.parse(Deno.args[0] ?? "");
  const log = getLogger(["peerctl", "test"]);
  holdOpen(task.heldFile);
  const { dir, main, heldFile: _, ...sandbox } = task;
  const starter = createRelayStarter({
    dir,
    mode: "spawn",
    selfCommand: main,
    flags: ["-log-level", "debug"],
    env: Deno.env.toObject(),
    log,
  });
  const pool = createRelayPool({ dir, count: 1, mode: "spawn", starter, build: "test", log });
  await pool.open({ ...sandbox, timeoutMs: 20_000n, labels: { pod: "p" } }, new AbortController().signal);
  console.log("opened");
}

/** As a shell's redirection would: without close-on-exec. */
function holdOpen(path: string): void {
  const libc = Deno.dlopen("libc.so.6", { open: { parameters: ["buffer", "i32"], result: "i32" } });
  const [readOnly, failed] = [0, -1];
  if (libc.symbols.open(new TextEncoder().encode(`${path}\0`), readOnly) === failed) throw new Error("open failed");
  libc.close();
}
