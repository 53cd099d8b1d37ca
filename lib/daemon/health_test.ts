// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { type Check, type DetailedCheck, type Health, startHealth } from "./health.ts";

const log = getLogger(["peerctl", "test"]);

async function withHealth(
  checks: { startup?: () => Promise<Check>; ready?: () => Promise<DetailedCheck> },
  body: (get: (path: string, init?: RequestInit) => Promise<[number, unknown]>, health: Health) => Promise<void>,
): Promise<void> {
  const ok = () => Promise.resolve({ ok: true });
  const health = await startHealth({ host: "127.0.0.1", port: 0, startup: ok, ready: ok, ...checks, log });
  const client = Deno.createHttpClient({});
  try {
    await body(async (path, init = {}) => {
      const response = await fetch(`http://127.0.0.1:${health.address.port}${path}`, { ...init, client });
      const text = await response.text();
      return [response.status, text === "" ? "" : JSON.parse(text)];
    }, health);
  } finally {
    client.close();
    await health.stop();
  }
}

Deno.test("startHealth() answers 200 on every path when all is well", async () => {
  await withHealth(
    { ready: () => Promise.resolve({ ok: true, details: { sandboxes: 2, warnings: ["w"] } }) },
    async (get) => {
      assert.deepEqual(await get("/startup"), [200, { ok: true }]);
      assert.deepEqual(await get("/healthz"), [200, { ok: true }]);
      assert.deepEqual(await get("/readyz?verbose"), [200, { ok: true, details: { sandboxes: 2, warnings: ["w"] } }]);
      assert.deepEqual(await get("/readyz", { method: "HEAD" }), [200, ""]);
    },
  );
});

Deno.test("startHealth() says what is missing, with 500 at startup and 503 for readiness", async () => {
  const missing = () => Promise.resolve({ ok: false, reason: "no relay answers" });
  await withHealth({ startup: missing, ready: missing }, async (get) => {
    assert.deepEqual(await get("/startup"), [500, { ok: false, reason: "no relay answers" }]);
    assert.deepEqual(await get("/readyz"), [503, { ok: false, reason: "no relay answers" }]);
    assert.deepEqual(await get("/healthz"), [200, { ok: true }]);
  });
});

Deno.test("startHealth() takes a check that throws for one that did not pass", async () => {
  const broken = (): Promise<Check> => {
    throw new Error("socket gone");
  };
  await withHealth({ ready: broken }, async (get) => {
    assert.deepEqual(await get("/readyz"), [503, { ok: false, reason: "socket gone" }]);
  });
});

Deno.test("startHealth() knows three paths and two methods", async () => {
  await withHealth({}, async (get) => {
    assert.deepEqual(await get("/metrics"), [404, { ok: false, reason: "no such path" }]);
    assert.deepEqual(await get("/constructor"), [404, { ok: false, reason: "no such path" }]);
    assert.deepEqual(await get("/readyz", { method: "POST", body: "x" }), [405, {
      ok: false,
      reason: "only GET and HEAD",
    }]);
  });
});

Deno.test("startHealth() refuses a port that is taken", async () => {
  await withHealth({}, async (_get, { address }) => {
    const ok = () => Promise.resolve({ ok: true });
    await assert.rejects(startHealth({ host: "127.0.0.1", port: address.port, startup: ok, ready: ok, log }), {
      kind: "config",
      message: `Cannot answer probes on 127.0.0.1:${address.port}`,
    });
  });
});
