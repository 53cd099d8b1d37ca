// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { reset } from "@logtape/logtape";
import { withTempDir } from "../testing/temp_dir.ts";
import { configureLogging } from "./logging.ts";

Deno.test("configureLogging() writes JSON lines of at least the level to the file", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/relay.log`;
    try {
      const log = await configureLogging({ command: "relay", level: "warn", format: "auto", file: { path } });
      log.info("Not important");
      log.warn("Draining", { sandboxes: 2 });
      log.getChild("splice").error("Lost");
    } finally {
      await reset();
    }
    const lines = (await Deno.readTextFile(path)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ time: _, ...rest }) => rest), [
      { level: "warn", logger: "peerctl.relay", message: "Draining", sandboxes: 2 },
      { level: "error", logger: "peerctl.relay.splice", message: "Lost" },
    ]);
  });
});

Deno.test("configureLogging() writes text when told so, and keeps the file small", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/relay.log`;
    try {
      const log = await configureLogging({
        command: "relay",
        level: "debug",
        format: "text",
        file: { path, maxBytes: 1000 },
      });
      for (let i = 0; i < 100; i++) log.debug("Opened", { i });
    } finally {
      await reset();
    }
    assert.ok((await Deno.stat(path)).size <= 1000);
    assert.match((await Deno.readTextFile(path)).trim().split("\n").at(-1)!, /^\S+Z debug Opened i=99$/);
  });
});
