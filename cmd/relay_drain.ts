// SPDX-License-Identifier: Apache-2.0
/** `peerctl relay drain`: has relays take no new sandboxes and end with their last one. */

import { resolve } from "node:path";
import { checkSlot, MAX_SLOT } from "../lib/agent/relay_slot.ts";
import { visitRelays } from "../lib/agent/relay_visit.ts";
import { buildName } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { stringFlag } from "../lib/cli/flags.ts";
import { errorText } from "../lib/cli/output.ts";
import { PeerctlError } from "../lib/errors.ts";
import { dirFlag } from "./relay_flags.ts";

/** Stands for every slot. */
const ALL = "all";

export const relayDrainCommand = defineCommand({
  name: "relay drain",
  summary: "have relays take no new sandboxes and end with their last one",
  description: `Tells relays to drain. No pod ends by it. New pods go to another relay: caa starts one, unless it runs
with -relay wait; then start one in another slot first. caa itself drains relays of another build than its own.`,
  flags: {
    dir: dirFlag,
    slot: stringFlag("slot", {
      default: ALL,
      placeholder: "N|all",
      help: `number of the relay, from 0 to ${MAX_SLOT}, or all`,
    }),
  },
  goStyle: false,
  examples: [
    { text: "Every relay there is", command: "relay drain" },
    { text: "One of them", command: "relay drain --slot 0" },
  ],
  async run({ values, output }) {
    const dir = resolve(values.dir);
    const slot = values.slot === ALL ? undefined : checkedSlot(values.slot);
    const visits = await visitRelays({ dir, slot, build: buildName(), ask: (relay) => relay.drain() });
    const relays = visits.flatMap((visit) => visit.error ? [] : [{ slot: visit.slot, sandboxes: visit.answer }]);
    const errors = visits.flatMap(({ slot, error }) => error ? [{ slot, error }] : []);
    if (output.format === "json") {
      output.json({ dir, relays, errors: errors.map(({ slot, error }) => ({ slot, message: errorText(error) })) });
    } else {
      if (visits.length === 0) output.result(`no relay runs in ${slot === undefined ? dir : `slot ${slot} of ${dir}`}`);
      for (const { slot, sandboxes } of relays) {
        output.result(`relay ${slot} drains: it ends ${sandboxes === 0 ? "now" : `with its ${left(sandboxes)}`}`);
      }
      if (errors.length > 0) output.error(new AggregateError(errors.map(({ error }) => error)));
    }
    return errors.length > 0 ? ExitCode.failed : ExitCode.done;
  },
});

function left(sandboxes: number): string {
  return sandboxes === 1 ? "sandbox" : `${sandboxes} sandboxes`;
}

/** @throws {PeerctlError} kind "usage". */
function checkedSlot(text: string): string {
  try {
    checkSlot(text);
  } catch {
    const quoted = JSON.stringify(text.slice(0, 64));
    throw new PeerctlError("usage", `Cannot use --slot ${quoted}: must be a number from 0 to ${MAX_SLOT}, or ${ALL}`);
  }
  return text;
}
