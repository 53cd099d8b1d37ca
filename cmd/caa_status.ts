// SPDX-License-Identifier: Apache-2.0
/** `peerctl caa status`: the sandboxes of this node, and what could not be cleaned up yet. */

import { defineCommand } from "../lib/cli/command.ts";
import { formatAge } from "../lib/cli/duration.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import type { Output } from "../lib/cli/output.ts";
import type { StatusResponse } from "../lib/proto/gen/caa_pb.ts";
import { askCaa, CAA_TIMEOUT_MS } from "./caa_client.ts";
import { caaFlags } from "./caa_flags.ts";

/** What is shown; the JSON has these very fields. Times are relative, in milliseconds, by caa's clock. */
type Shown = ReturnType<typeof shown>;

export const caaStatusCommand = defineCommand({
  name: "caa status",
  summary: "show the sandboxes of the caa that runs, and what it could not clean up yet",
  description: `Asks the caa that runs on this machine. Besides its sandboxes it tells which instances could not be
deleted yet and are tried again, and which are ours though no sandbox owns them; those are deleted when their time has
come (-orphan-grace of caa).`,
  flags: { socket: caaFlags.socket },
  goStyle: false,
  examples: [
    { text: "For a person", command: "caa status" },
    { text: "For a script", command: "caa status --output json" },
  ],
  async run({ values, output }) {
    const status = shown(await askCaa(values.socket, (caa) => caa.status({}, { timeoutMs: CAA_TIMEOUT_MS })));
    if (output.format === "json") output.json(status);
    else print(output, status);
    return ExitCode.done;
  },
});

function shown(status: StatusResponse) {
  const { build, provider, nowUnixMs, warnings } = status;
  const since = (ms: bigint) => Math.max(0, Number(nowUnixMs - ms));
  const until = (ms: bigint) => Math.max(0, Number(ms - nowUnixMs));
  return {
    build,
    provider,
    sandboxes: status.sandboxes.map((one) => ({
      id: one.id,
      pod: one.pod,
      namespace: one.namespace,
      state: one.state,
      ageMs: since(one.createdUnixMs),
      inStateMs: since(one.changedUnixMs),
      instance: one.instance,
      relay: one.relay,
      lastError: one.lastError,
    })),
    deletions: status.deletions.map((one) => ({
      instance: one.instance,
      sandbox: one.sandbox,
      attempts: one.attempts,
      nextTryInMs: until(one.nextUnixMs),
      lastError: one.lastError,
    })),
    orphans: status.orphans.map((one) => ({
      instance: one.instance,
      sandbox: one.sandbox,
      seenForMs: since(one.seenUnixMs),
      deletedInMs: until(one.deleteUnixMs),
    })),
    warnings,
  };
}

function print(output: Output, { sandboxes, deletions, orphans, warnings }: Shown): void {
  if (sandboxes.length === 0) output.result("no sandboxes");
  else {
    const rows = sandboxes.map(({ id, pod, namespace, state, ageMs, inStateMs, instance, relay, lastError }) => [
      id,
      `${namespace}/${pod}`,
      state,
      formatAge(ageMs),
      formatAge(inStateMs),
      instance,
      relay,
      lastError,
    ]);
    output.table([["SANDBOX", "POD", "STATE", "AGE", "IN STATE", "INSTANCE", "RELAY", "LAST ERROR"], ...rows]);
  }
  if (deletions.length > 0) {
    const rows = deletions.map(({ instance, sandbox, attempts, nextTryInMs, lastError }) => [
      instance,
      sandbox,
      `${attempts}`,
      `in ${formatAge(nextTryInMs)}`,
      lastError,
    ]);
    output.result("");
    output.table([["TO BE DELETED", "OF SANDBOX", "ATTEMPTS", "NEXT TRY", "LAST ERROR"], ...rows]);
  }
  if (orphans.length > 0) {
    const rows = orphans.map(({ instance, sandbox, seenForMs, deletedInMs }) => [
      instance,
      sandbox,
      formatAge(seenForMs),
      `in ${formatAge(deletedInMs)}`,
    ]);
    output.result("");
    output.table([["WITHOUT OWNER", "MADE FOR SANDBOX", "SEEN FOR", "DELETED"], ...rows]);
  }
  for (const warning of warnings) output.note(`warning: ${warning}`);
}
