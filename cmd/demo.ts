// SPDX-License-Identifier: Apache-2.0
/** `peerctl demo`: runs one whole peer pod on this machine and shows each step. */

import { getLogger } from "@logtape/logtape";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { startDemoNode } from "../lib/demo/demo_node.ts";
import { playShim } from "../lib/demo/shim_sequence.ts";
import { createSteps, type StepResult } from "../lib/demo/steps.ts";
import { errorText, type Output } from "../lib/cli/output.ts";

/** Variables that the demo's processes may see: to find programs and Deno's cache, and nothing of caa's settings. */
const KEPT_VARIABLES = ["PATH", "HOME", "DENO_DIR", "LANG", "TMPDIR", "XDG_CACHE_HOME", "NO_COLOR"];

/** Width of the first column: the longest step name is CreateContainer. */
const STEP_WIDTH = 16;

export default defineCommand({
  name: "demo",
  summary: "run a whole peer pod on this machine: caa, relay, forwarder, a stand-in agent",
  description: `Starts caa with the provider "process", then does what the kata shim does with a pod: create the VM,
start it, run a container and a command in it, push 4 MiB through its stdin, and take everything down again. The agent
is a stand-in that runs processes without isolation; everything else is what runs in production.`,
  flags: {},
  goStyle: false,
  examples: [
    { text: "Run it", command: "demo" },
    { text: "Run it for a program to read", command: "demo --output json" },
  ],
  async run({ output, env, selfCommand }) {
    const dir = await Deno.makeTempDir({ prefix: "peerctl-demo-" });
    using interrupts = catchInterrupts();
    const steps = createSteps(output.format === "text" ? (result) => printStep(output, result) : () => {});
    const kept = Object.fromEntries(KEPT_VARIABLES.flatMap((name) => env[name] ? [[name, env[name]]] : []));
    let failure: unknown;
    try {
      if (output.format === "text") output.result(row("STEP", "RESULT", "TIME", "SEEN"));
      const node = await steps.step("start caa", async () => {
        const options = { dir, selfCommand, env: kept, log: getLogger(["peerctl", "demo"]), signal: interrupts.signal };
        return { value: await startDemoNode(options), detail: "hypervisor socket answers" };
      });
      try {
        const sandboxId = `demo-${crypto.randomUUID().slice(0, 8)}`;
        await playShim({ hypervisorSocket: node.hypervisorSocket, sandboxId, steps, signal: interrupts.signal });
      } catch (error) {
        failure = error;
        if (output.format === "text" && !interrupts.signal.aborted) {
          output.note(`the log of caa ends with:\n${node.logTail()}`);
        }
      }
      await steps.step("stop caa", async () => {
        await node.stop();
        return { value: undefined, detail: "caa, relay and pod VM are gone" };
      });
    } catch (error) {
      failure ??= error;
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
    const ok = failure === undefined;
    if (output.format === "json") {
      output.json({ ok, steps: steps.results, ...(!ok && { error: errorText(failure) }) });
    } else if (ok) {
      const total = steps.results.reduce((sum, { ms }) => sum + ms, 0);
      output.result(`\nA whole peer pod ran over mutual TLS in ${(total / 1000).toFixed(1)} s; nothing is left of it.`);
    }
    if (failure !== undefined && output.format === "text") output.error(failure);
    return ok ? ExitCode.done : ExitCode.failed;
  },
});

function printStep(output: Output, { step, ok, ms, detail }: StepResult): void {
  output.result(row(step, ok ? "ok" : "FAILED", `${ms.toFixed(0)} ms`, detail));
}

function row(step: string, result: string, time: string, seen: string): string {
  return `${step.padEnd(STEP_WIDTH)}  ${result.padEnd(6)}  ${time.padStart(8)}  ${seen}`;
}

/** Turns Ctrl-C and SIGTERM into an abort, so that the demo can end what it started; a second one changes nothing. */
function catchInterrupts(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const stop = () => controller.abort(new DOMException("the demo was interrupted", "AbortError"));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) Deno.addSignalListener(name, stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of signals) Deno.removeSignalListener(name, stop);
    },
  };
}
