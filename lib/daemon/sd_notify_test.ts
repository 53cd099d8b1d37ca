// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { bindNotifySocket } from "../testing/notify_socket.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { createServiceNotifier, sendNotice } from "./sd_notify.ts";

const log = getLogger(["peerctl", "test"]);

Deno.test("sendNotice() reaches a socket with a path", async () => {
  await withTempDir(async (dir) => {
    using manager = bindNotifySocket(`${dir}/notify`);
    sendNotice(`${dir}/notify`, "READY=1");
    assert.equal(await manager.receive(), "READY=1");
  });
});

Deno.test("sendNotice() reaches a socket in the abstract namespace", async () => {
  const name = `peerctl-test-${crypto.randomUUID()}`;
  using manager = bindNotifySocket(`@${name}`);
  // The kernel shows zero bytes of a name as "@": the name it has is the name that was meant, without any at its end.
  assert.match(await Deno.readTextFile("/proc/net/unix"), new RegExp(`@${name}$`, "m"));
  sendNotice(`@${name}`, "STATUS=héllo");
  assert.equal(await manager.receive(), "STATUS=héllo");
});

Deno.test("sendNotice() reports why a notice cannot be sent", () => {
  assert.throws(() => sendNotice("/nonexistent/notify", "READY=1"), { message: "sendto() failed with errno 2" });
  assert.throws(() => sendNotice("vsock:2:1234", "READY=1"), { message: /not the address of a unix socket/ });
  assert.throws(() => sendNotice(`/${"x".repeat(108)}`, "READY=1"), { message: /longer than 107 bytes/ });
});

Deno.test("sendNotice() does not wait for a service manager that reads nothing", async () => {
  await withTempDir((dir) => {
    using _manager = bindNotifySocket(`${dir}/notify`);
    // EAGAIN, 11: the socket's queue (net.unix.max_dgram_qlen, 10 or 512) is full.
    const fill = () => {
      for (let i = 0; i < 1000; i++) sendNotice(`${dir}/notify`, "STATUS=x");
    };
    assert.throws(fill, { message: "sendto() failed with errno 11" });
  });
});

Deno.test("ServiceNotifier says READY once, and never after STOPPING", async () => {
  await withTempDir(async (dir) => {
    using manager = bindNotifySocket(`${dir}/notify`);
    const notifier = createServiceNotifier(`${dir}/notify`, log);
    notifier.ready("serving\nMAINPID=1");
    notifier.ready();
    notifier.stopping();
    notifier.stopping();
    notifier.ready();
    sendNotice(`${dir}/notify`, "end");
    // The status is one line: what a pod is called cannot speak for the process.
    assert.equal(await manager.receive(), "READY=1\nSTATUS=serving MAINPID=1");
    assert.equal(await manager.receive(), "STOPPING=1");
    assert.equal(await manager.receive(), "end");
  });
});
