// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { PeerctlError } from "../errors.ts";
import { retry } from "./retry.ts";

const failure = new PeerctlError("peer", "Cannot connect to x: nobody listens there", { hint: "start it" });

Deno.test("retry() tries again until the operation succeeds, and tells of each failure", async () => {
  const told: number[] = [];
  const result = await retry(
    (attempt) => attempt < 3 ? Promise.reject(failure) : Promise.resolve(attempt),
    { timeoutMs: 5_000, firstDelayMs: 1, onRetry: (_, attempt) => told.push(attempt) },
  );
  assert.equal(result, 3);
  assert.deepEqual(told, [1, 2]);
});

Deno.test("retry() throws a fatal error as it is, after one attempt", async () => {
  let attempts = 0;
  const fatal = new PeerctlError("auth", "Cannot connect to x: refused");
  await assert.rejects(
    retry(() => {
      attempts++;
      return Promise.reject(fatal);
    }, { timeoutMs: 5_000, isFatal: (error) => (error as PeerctlError).kind === "auth" }),
    (error) => error === fatal,
  );
  assert.equal(attempts, 1);
});

Deno.test("retry() gives up at its deadline with the last error as cause and its hint", async () => {
  await assert.rejects(
    retry(() => Promise.reject(failure), { timeoutMs: 30, firstDelayMs: 5, maxDelayMs: 5 }),
    (error: PeerctlError) => {
      assert.equal(error.kind, "timeout");
      assert.equal(error.cause, failure);
      assert.equal(error.hint, "start it");
      assert.match(error.message, /nobody listens there \(tried \d+ times in 30 ms\)/);
      return true;
    },
  );
});

Deno.test("retry() waits longer each time, up to the limit, each pause shortened by at most one half", async () => {
  const started: number[] = [];
  await assert.rejects(retry(() => {
    started.push(performance.now());
    return Promise.reject(failure);
  }, { timeoutMs: 200, firstDelayMs: 8, maxDelayMs: 32 }));
  const pauses = started.slice(1).map((at, i) => at - started[i]!);
  // 8, 16, 32, 32 … at most halved; a busy machine only makes them longer. One millisecond for the timer's grain.
  for (const [i, full] of [8, 16, 32, 32].entries()) {
    assert.ok(pauses[i]! >= full / 2 - 1, `pause ${i}: ${pauses[i]} ms`);
  }
});

Deno.test("retry() ends at once when its signal aborts during a pause", async () => {
  const stop = new AbortController();
  // A pause of an hour: a signal that is not heeded keeps the test from ending.
  await assert.rejects(
    retry(() => Promise.reject(failure), {
      timeoutMs: 10 * 3_600_000,
      firstDelayMs: 3_600_000,
      maxDelayMs: 3_600_000,
      signal: stop.signal,
      onRetry: () => queueMicrotask(() => stop.abort()),
    }),
    { kind: "closed" },
  );
  await assert.rejects(retry(() => Promise.resolve(1), { timeoutMs: 1, signal: stop.signal }), { kind: "closed" });
});
