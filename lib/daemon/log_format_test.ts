// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";
import { formatColoured, formatJson, formatText } from "./log_format.ts";

function record(properties: Record<string, unknown>, level: LogRecord["level"] = "info"): LogRecord {
  return {
    category: ["peerctl", "caa"],
    level,
    message: ["Sandbox started"],
    rawMessage: "Sandbox started",
    timestamp: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
    properties,
  };
}

const error = new PeerctlError("peer", "Cannot reach VM", { cause: new Error("no route") });

Deno.test("formatText() writes time, level, message and fields on one line", () => {
  const fields = {
    sandbox: "s1",
    path: "/run/a b",
    n: 3,
    big: 4n,
    list: ["a", 1],
    error,
    bytes: new Uint8Array(3),
    none: undefined,
  };
  assert.equal(
    formatText(record(fields)),
    '2026-01-02T03:04:05.006Z info  Sandbox started sandbox=s1 path="/run/a b" n=3 big=4 list=["a",1] ' +
      'error="Cannot reach VM: no route" bytes="3 bytes"',
  );
});

Deno.test("formatText() lets no value break its line or forge a field", () => {
  assert.equal(
    formatText(record({ pod: "x\n2026-01-02 error Forged", name: "a level=error", esc: "\u001b[31m" }, "warning")),
    '2026-01-02T03:04:05.006Z warn  Sandbox started pod="x\\n2026-01-02 error Forged" name="a level=error" esc="\\u001b[31m"',
  );
});

Deno.test("formatColoured() colours the level only", () => {
  assert.equal(
    formatColoured(record({}, "error")),
    "2026-01-02T03:04:05.006Z \u001b[31merror\u001b[0m Sandbox started",
  );
});

Deno.test("formatJson() writes the same record as one JSON object", () => {
  assert.deepEqual(
    JSON.parse(formatJson(record({ sandbox: "s1", big: 4n, error, level: "mine", nested: { at: new Error("x") } }))),
    {
      time: "2026-01-02T03:04:05.006Z",
      level: "info",
      logger: "peerctl.caa",
      message: "Sandbox started",
      sandbox: "s1",
      big: "4",
      error: "Cannot reach VM: no route",
      _level: "mine",
      nested: { at: "x" },
    },
  );
});
