// SPDX-License-Identifier: Apache-2.0
/** Writes the history to the journal in a folder without end, for a test that kills it; reports each write when done. */

import { openJournal } from "../sandbox/journal.ts";
import { writeHistory } from "./journal_history.ts";

const [dir = "", first = "1"] = Deno.args;
using journal = await openJournal(dir);
for (let n = Number(first);; n++) {
  writeHistory(journal, n);
  // At once, so that what was read of it was written by then.
  Deno.stdout.writeSync(new TextEncoder().encode(`${n}\n`));
}
