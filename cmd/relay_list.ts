// SPDX-License-Identifier: Apache-2.0
/** `peerctl relay list`: which relays run, and what they carry. */

import { resolve } from "node:path";
import { type RelayVisit, visitRelays } from "../lib/agent/relay_visit.ts";
import { buildName } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { formatAge } from "../lib/cli/duration.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { errorText, type Output } from "../lib/cli/output.ts";
import type { Sandbox } from "../lib/proto/gen/relay_pb.ts";
import { dirFlag } from "./relay_flags.ts";

/** One relay as it is shown; the JSON has these very fields. */
interface ListedRelay {
  readonly slot: string;
  readonly pid: number;
  readonly build: string;
  /** A draining relay takes no new sandboxes and ends with its last one. */
  readonly state: "serving" | "draining";
  readonly stay: boolean;
  readonly sandboxes: readonly ListedSandbox[];
}

interface ListedSandbox {
  readonly id: string;
  readonly pod: string;
  readonly namespace: string;
  readonly state: string;
  /** Since it is open, in milliseconds; null while it opens. */
  readonly ageMs: number | null;
  readonly connections: number;
  /** The forwarder of its pod VM. */
  readonly peer: string;
}

export const relayListCommand = defineCommand({
  name: "relay list",
  summary: "show the relays that run and the sandboxes they carry",
  description: `Asks every relay of a folder. It changes nothing, and needs no caa.`,
  flags: { dir: dirFlag },
  goStyle: false,
  examples: [
    { text: "For a person", command: "relay list" },
    { text: "For a script, in another folder", command: "relay list --dir /tmp/peerpod/relay --output json" },
  ],
  async run({ values, output }) {
    const dir = resolve(values.dir);
    const visits = await visitRelays({ dir, build: buildName(), ask: (relay) => relay.list() });
    const relays = visits.flatMap((visit) => visit.error ? [] : [listed(visit)]);
    const errors = visits.flatMap(({ slot, error }) => error ? [{ slot, error }] : []);
    if (output.format === "json") {
      output.json({ dir, relays, errors: errors.map(({ slot, error }) => ({ slot, message: errorText(error) })) });
    } else {
      print(output, dir, relays, errors.length);
      if (errors.length > 0) output.error(new AggregateError(errors.map(({ error }) => error)));
    }
    return errors.length > 0 ? ExitCode.failed : ExitCode.done;
  },
});

function listed({ slot, hello, answer }: RelayVisit<Sandbox[]> & { error?: undefined }): ListedRelay {
  return {
    slot,
    pid: Number(hello.pid),
    build: hello.build,
    state: hello.draining ? "draining" : "serving",
    stay: hello.stay,
    sandboxes: answer.map(({ sandboxId, labels, state, openedUnixMs, connections, host, port }) => ({
      id: sandboxId,
      pod: labels["pod"] ?? "",
      namespace: labels["namespace"] ?? "",
      state,
      ageMs: state === "open" ? Math.max(0, Date.now() - Number(openedUnixMs)) : null,
      connections,
      peer: `${host}:${port}`,
    })),
  };
}

function print(output: Output, dir: string, relays: readonly ListedRelay[], failed: number): void {
  if (relays.length === 0) {
    if (failed === 0) output.result(`no relay runs in ${dir}`);
    return;
  }
  const rows = relays.map(({ slot, pid, build, state, stay, sandboxes }) => [
    slot,
    `${pid}`,
    build,
    state,
    stay ? "yes" : "no",
    `${sandboxes.length}`,
  ]);
  output.table([["SLOT", "PID", "BUILD", "STATE", "STAYS", "SANDBOXES"], ...rows]);
  const sandboxes = relays.flatMap(({ slot, sandboxes }) =>
    sandboxes.map(({ id, pod, namespace, state, ageMs, connections, peer }) => [
      id,
      slot,
      `${namespace}/${pod}`,
      state,
      ageMs === null ? "" : formatAge(ageMs),
      `${connections}`,
      peer,
    ])
  );
  if (sandboxes.length === 0) return;
  output.result("");
  output.table([["SANDBOX", "SLOT", "POD", "STATE", "AGE", "CONNECTIONS", "PEER"], ...sandboxes]);
}
