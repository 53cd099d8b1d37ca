// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { bindNotifySocket } from "../testing/notify_socket.ts";
import { type PeerctlProcess, startScript } from "../testing/peerctl.ts";
import { withTempDir } from "../testing/temp_dir.ts";

const FIXTURE = new URL("../testing/fixture_daemon.ts", import.meta.url).pathname;

/** Starts the fixture with one behaviour, under a service manager of our own. */
async function withDaemon(
  behaviour: string[],
  body: (daemon: PeerctlProcess, notice: () => Promise<string>) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    using manager = bindNotifySocket(`${dir}/notify`);
    await using daemon = startScript(FIXTURE, behaviour, { env: { NOTIFY_SOCKET: `${dir}/notify` } });
    await body(daemon, () => manager.receive());
  });
}

/** The code that runDaemon resolved with, as the fixture logs it. */
async function exitCode(daemon: PeerctlProcess): Promise<number> {
  return Number(/code=(\d+)/.exec(await daemon.waitForLine(/ Exit code=/))![1]);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`runDaemon() reports READY, and on ${signal} STOPPING, and ends with 0`, async () => {
    await withDaemon(["serves"], async (daemon, notice) => {
      assert.equal(await notice(), "READY=1\nSTATUS=serving nothing");
      assert.equal(await daemon.stop(signal), 0);
      assert.equal(await notice(), "STOPPING=1");
      assert.ok(daemon.lines.some((line) => line.includes(`Stopping command=fixture signal=${signal}`)));
    });
  });
}

Deno.test("runDaemon() hides NOTIFY_SOCKET from the service and its children", async () => {
  await withDaemon(["serves"], async (daemon, notice) => {
    await notice();
    assert.match(await daemon.waitForLine(/ Starting /), /notify_socket=gone/);
  });
});

Deno.test("runDaemon() ends with 0 when the service ends by itself, and says STOPPING", async () => {
  await withDaemon(["ends"], async (daemon, notice) => {
    assert.match(await notice(), /^READY=1/);
    assert.equal(await notice(), "STOPPING=1");
    assert.equal(await daemon.closed, 0);
  });
});

Deno.test("runDaemon() ends with 1 and the cause in the log when the service breaks", async () => {
  await withDaemon(["breaks"], async (daemon) => {
    assert.equal(await daemon.closed, 1);
    assert.ok(
      daemon.lines.some((line) => /error Service failed .*error="Cannot go on"/.test(line)),
      daemon.lines.join("\n"),
    );
  });
});

Deno.test("runDaemon() throws what start throws, and is never ready", async () => {
  await withDaemon(["start-fails"], async (daemon) => {
    assert.match(await daemon.waitForLine(/ Thrown /), /error="Cannot read the file"/);
    assert.equal(await daemon.closed, 1);
    assert.ok(!daemon.lines.some((line) => line.includes("Ready")));
  });
});

Deno.test("runDaemon() never says READY after STOPPING when it is stopped while starting", async () => {
  await withDaemon(["start-waits"], async (daemon, notice) => {
    await daemon.waitForLine(/ Starting /);
    assert.equal(await daemon.stop(), 0);
    assert.equal(await notice(), "STOPPING=1");
    assert.ok(daemon.lines.some((line) => line.includes("Stopped while starting")));
  });
});

Deno.test("runDaemon() ends with 3 at a second signal while stopping hangs", async () => {
  await withDaemon(["stop-never"], async (daemon, notice) => {
    assert.match(await notice(), /^READY=1/);
    void daemon.stop("SIGTERM");
    assert.equal(await notice(), "STOPPING=1");
    void daemon.stop("SIGINT");
    assert.equal(await exitCode(daemon), 3);
  });
});

Deno.test("runDaemon() ends with 3 when stopping takes too long", async () => {
  await withDaemon(["stop-never", "50"], async (daemon, notice) => {
    await notice();
    void daemon.stop();
    assert.equal(await exitCode(daemon), 3);
    assert.ok(daemon.lines.some((line) => line.includes("Not stopped in time")));
  });
});

Deno.test("runDaemon() ends with 3 when stopping fails", async () => {
  await withDaemon(["stop-fails"], async (daemon, notice) => {
    await notice();
    void daemon.stop();
    assert.equal(await exitCode(daemon), 3);
    assert.ok(daemon.lines.some((line) => /Not stopped in order .*error="Cannot remove the socket"/.test(line)));
  });
});

Deno.test("runDaemon() reloads on SIGHUP and serves on", async () => {
  await withDaemon(["reload"], async (daemon, notice) => {
    await notice();
    Deno.kill(daemon.pid, "SIGHUP");
    await daemon.waitForLine(/Reloaded now/);
    assert.equal(await daemon.stop(), 0);
  });
});

Deno.test("runDaemon() serves on when the service manager cannot be reached", async () => {
  await using daemon = startScript(FIXTURE, ["serves"], { env: { NOTIFY_SOCKET: "/nonexistent/notify" } });
  await daemon.waitForLine(/ warn .*Service manager not notified .*errno 2/);
  await daemon.waitForLine(/ Ready /);
  assert.equal(await daemon.stop(), 0);
});
