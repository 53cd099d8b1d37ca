// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mock } from "node:test";
import { createRelayLife } from "./relay_life.ts";

const timing = { startGraceMs: 10_000, lingerMs: 2_000 };
const idle = { sandboxes: 0, clients: 0, isDraining: false };

function withLife(
  o: { stay: boolean },
  body: (life: ReturnType<typeof createRelayLife>, ends: string[]) => void,
): void {
  mock.timers.enable({ apis: ["setTimeout"] });
  const ends: string[] = [];
  const life = createRelayLife({ stay: o.stay, timing, onEnd: (reason) => ends.push(reason) });
  try {
    body(life, ends);
  } finally {
    life.stop();
    mock.timers.reset();
  }
}

Deno.test("createRelayLife() waits for a first caa, then ends", () => {
  withLife({ stay: false }, (life, ends) => {
    life.observe(idle);
    mock.timers.tick(9_999);
    assert.deepEqual(ends, []);
    mock.timers.tick(1);
    assert.deepEqual(ends, ["no caa came"]);
  });
});

Deno.test("createRelayLife() lives on without sandboxes while caa is there, and ends soon after it", () => {
  withLife({ stay: false }, (life, ends) => {
    life.observe(idle);
    life.observe({ ...idle, clients: 1 });
    mock.timers.tick(60_000);
    assert.deepEqual(ends, []);
    life.observe(idle);
    mock.timers.tick(2_000);
    assert.deepEqual(ends, ["no sandbox and no caa"]);
  });
});

Deno.test("createRelayLife() ends soon after the last sandbox, caa there or not", () => {
  withLife({ stay: false }, (life, ends) => {
    life.observe({ ...idle, clients: 1, sandboxes: 1 });
    life.observe({ ...idle, sandboxes: 1 });
    mock.timers.tick(3_600_000);
    assert.deepEqual(ends, []);
    life.observe({ ...idle, clients: 1 });
    mock.timers.tick(2_000);
    assert.deepEqual(ends, ["last sandbox ended"]);
  });
});

Deno.test("createRelayLife() goes on when a sandbox comes while it lingers", () => {
  withLife({ stay: false }, (life, ends) => {
    life.observe({ ...idle, clients: 1, sandboxes: 1 });
    life.observe({ ...idle, clients: 1 });
    mock.timers.tick(1_999);
    life.observe({ ...idle, clients: 1, sandboxes: 1 });
    mock.timers.tick(60_000);
    assert.deepEqual(ends, []);
  });
});

Deno.test("createRelayLife() is not kept alive by callers that come and go", () => {
  withLife({ stay: false }, (life, ends) => {
    life.observe({ ...idle, sandboxes: 1 });
    for (let passed = 0; passed < 2_000; passed += 500) {
      life.observe(idle);
      life.observe({ ...idle, clients: 1 });
      mock.timers.tick(500);
    }
    assert.deepEqual(ends, ["last sandbox ended"]);
  });
});

Deno.test("createRelayLife() with -stay ends by draining only", () => {
  withLife({ stay: true }, (life, ends) => {
    life.observe(idle);
    life.observe({ ...idle, sandboxes: 1 });
    life.observe(idle);
    mock.timers.tick(3_600_000);
    assert.deepEqual(ends, []);
    life.observe({ ...idle, sandboxes: 1, isDraining: true });
    mock.timers.tick(3_600_000);
    assert.deepEqual(ends, []);
    life.observe({ ...idle, isDraining: true });
    mock.timers.tick(2_000);
    assert.deepEqual(ends, ["drained"]);
  });
});
