// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createFakeClock } from "../testing/fake_clock.ts";
import { systemClock } from "./clock.ts";
import { limitTime } from "./limit_time.ts";

Deno.test("limitTime() passes results and errors on and leaves no timer", async () => {
  const options = { ms: 60_000, what: "wait", clock: systemClock };
  assert.equal(await limitTime(() => Promise.resolve(7), options), 7);
  await assert.rejects(limitTime(() => Promise.reject(new Error("no")), options), /no/);
});

Deno.test("limitTime() goes on without work that does not heed its signal", async () => {
  const clock = createFakeClock();
  let seen: AbortSignal | undefined;
  const limited = limitTime((signal) => {
    seen = signal;
    return new Promise(() => {});
  }, { ms: 1000, what: "delete it", clock });
  const failed = assert.rejects(limited, { kind: "timeout", message: "Cannot delete it: not done after 1000 ms" });
  await clock.advance(999);
  assert.equal(seen?.aborted, false);
  await clock.advance(1);
  await failed;
  assert.equal(seen?.aborted, true);
});

Deno.test("limitTime() ends with the reason of its caller's signal", async () => {
  const caller = new AbortController();
  const options = { ms: 1000, what: "wait", clock: createFakeClock(), signal: caller.signal };
  const limited = assert.rejects(limitTime(() => new Promise(() => {}), options), /enough/);
  caller.abort(new Error("enough"));
  await limited;
  await assert.rejects(limitTime(() => Promise.resolve(1), options), /enough/);
});
