// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { measureScale } from "../testing/scale.ts";

/** A share of what `deno task scale` starts. */
const SANDBOXES = 40;

/** What the relay holds for a sandbox with one client: a listener, the client, the pod VM. */
const DESCRIPTORS_EACH = 3;

/** Connections of the first checks that may still be closing when descriptors are counted. */
const CLOSING = 8;

Deno.test("sandboxes cost caa no descriptors and the relay three each, outlive caa, and leave nothing", async () => {
  const { rows, checksAfterRestart, left } = await measureScale(SANDBOXES);
  const first = rows[0], last = rows.at(-1);
  assert.ok(first && last);
  const more = last.sandboxes - first.sandboxes;
  const relayMore = last.relay.descriptors - first.relay.descriptors;
  assert.ok(Math.abs(relayMore - DESCRIPTORS_EACH * more) <= CLOSING, `${relayMore} for ${more} sandboxes`);
  assert.ok(last.caa.descriptors - first.caa.descriptors < more, `${first.caa.descriptors} to ${last.caa.descriptors}`);
  assert.equal(checksAfterRestart, SANDBOXES / 2);
  assert.equal(left, 0);
});
