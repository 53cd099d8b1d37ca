// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createTurns } from "./turns.ts";

Deno.test("take() runs work of one key in order, also after a failure, and other keys at once", async () => {
  const turns = createTurns();
  const events: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take("a", async () => {
    await gate.promise;
    events.push("a1");
    throw new Error("broken");
  });
  const second = turns.take("a", () => Promise.resolve(events.push("a2")));
  await turns.take("b", () => Promise.resolve(events.push("b")));
  gate.resolve();
  await assert.rejects(first, /broken/);
  await second;
  assert.deepEqual(events, ["b", "a1", "a2"]);
});
