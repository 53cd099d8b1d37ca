// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { withKubeletProxy } from "../testing/kubelet_proxy.ts";
import { recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { type AuditEntry, openAuditLog } from "./audit.ts";

const ENTRY: AuditEntry = {
  time: new Date(0),
  requestId: "r-1",
  user: "api",
  groups: ["g"],
  remote: "192.0.2.1",
  method: "GET",
  action: "logs",
  path: "/containerLogs/ns/p/c",
  decision: "allow",
  rule: "route",
  upgrade: "none",
  status: 200,
  durationMs: 1.23456,
  bytesIn: 0,
  bytesOut: 7,
};

const linesOf = async (path: string) => (await Deno.readTextFile(path)).trimEnd().split("\n");

Deno.test("openAuditLog() writes one JSON line for each decision, to a file that others cannot read", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "audit.log");
    const audit = await openAuditLog({ path, maxBytes: 1 << 20, keep: 2, log: recordLog().log });
    for (let i = 0; i < 1000; i++) audit.write({ ...ENTRY, requestId: `r-${i}`, path: `/a"\n${i}` });
    await audit.close();
    const lines = (await linesOf(path)).map((line) => JSON.parse(line));
    assert.equal(lines.length, 1000);
    assert.deepEqual(lines[999], {
      ...{ time: "1970-01-01T00:00:00.000Z", request_id: "r-999", user: "api", groups: ["g"], remote: "192.0.2.1" },
      ...{ method: "GET", action: "logs", decision: "allow", rule: "route", upgrade: "none", status: 200 },
      ...{ path: '/a"\n999', duration_ms: 1.235, bytes_in: 0, bytes_out: 7 },
    });
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  });
});

Deno.test("openAuditLog() rotates by size and keeps what it is told, losing nothing in between", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "audit.log");
    const audit = await openAuditLog({ path, maxBytes: 100_000, keep: 2, log: recordLog().log });
    const total = 4000;
    for (let i = 0; i < total; i++) audit.write({ ...ENTRY, requestId: `r-${i}` });
    await audit.close();
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["audit.log", "audit.log.1", "audit.log.2"]);
    const kept = (await Promise.all(["audit.log.2", "audit.log.1", "audit.log"].map((name) =>
      linesOf(join(dir, name))
    )))
      .flat().map((line) => Number(JSON.parse(line).request_id.slice(2)));
    assert.deepEqual(kept, kept.map((_, i) => total - kept.length + i));
    for (const name of names) assert.ok((await Deno.stat(join(dir, name))).size <= 100_000, name);
    assert.equal(audit.lost, 0);
  });
});

Deno.test("openAuditLog() goes on with a file that was moved away", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "audit.log");
    const audit = await openAuditLog({ path, maxBytes: 1 << 20, keep: 0, log: recordLog().log });
    audit.write(ENTRY);
    await audit.flush();
    await Deno.rename(path, `${path}.moved`);
    audit.reopen();
    audit.write({ ...ENTRY, requestId: "r-2" });
    await audit.close();
    assert.equal((await linesOf(`${path}.moved`)).length, 1);
    assert.equal(JSON.parse((await linesOf(path))[0]!).request_id, "r-2");
  });
});

Deno.test("openAuditLog() counts and tells what it cannot write, and goes on", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "sub", "audit.log");
    await Deno.mkdir(join(dir, "sub"));
    const { log, records } = recordLog();
    const audit = await openAuditLog({ path, maxBytes: 1 << 20, keep: 0, log });
    await Deno.remove(join(dir, "sub"), { recursive: true });
    audit.reopen();
    audit.write(ENTRY);
    await audit.flush();
    assert.equal(audit.lost, 1);
    assert.equal(records[0]!.level, "error");
    await Deno.mkdir(join(dir, "sub"));
    audit.write(ENTRY);
    await audit.close();
    assert.equal((await linesOf(path)).length, 1);
    const tooMany = await openAuditLog({ path, maxBytes: 1 << 30, keep: 0, log: recordLog().log });
    for (let i = 0; i < 100_000; i++) tooMany.write(ENTRY);
    assert.ok(tooMany.lost > 0);
    await tooMany.close();
  });
});

Deno.test("openAuditLog() refuses a file that cannot be opened", async () => {
  await assert.rejects(
    openAuditLog({ path: "/proc/no/audit.log", maxBytes: 1, keep: 0, log: recordLog().log }),
    { kind: "config" },
  );
});

Deno.test("every decision is in the audit log, and nothing of queries, tokens, headers and bodies", async () => {
  await withTempDir(async (dir) => {
    const path = join(dir, "audit.log");
    const audit = await openAuditLog({ path, maxBytes: 1 << 20, keep: 0, log: recordLog().log });
    await withKubeletProxy({ audit }, async (bed) => {
      const headers = "Host: secret-host\r\nAuthorization: Bearer secret-token\r\nConnection: close\r\n";
      await bed.exchange(`GET /containerLogs/ns/p/c?secret-query=1 HTTP/1.1\r\n${headers}\r\n`);
      await bed.exchange(`POST /exec/ns/p/c?command=secret-command HTTP/1.1\r\n${headers}\r\n`);
      await bed.exchange(`POST /x HTTP/1.1\r\n${headers}Content-Length: 11\r\n\r\nsecret-body`);
      await bed.exchange(`GET //secret HTTP/1.1\r\n${headers}\r\n`.replace("//secret", "//x?secret-query"));
      await bed.exchange(`GET http://secret-user:secret@x/ HTTP/1.1\r\n${headers}\r\n`);
      await bed.exchange(`no request at all secret\r\n\r\n`);
      await bed.exchange(`GET /pods HTTP/1.1\r\n${headers}\r\n`, { name: "somebody" });
    });
    await audit.close();
    const text = await Deno.readTextFile(path);
    assert.ok(!text.includes("secret"), text);
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ user, action, path, decision, status, rule }) => [user, action, path, decision, status, rule]),
      [
        ["kube-apiserver-kubelet-client", "logs", "/containerLogs/ns/p/c", "allow", 200, "route"],
        ["kube-apiserver-kubelet-client", "exec", "/exec/ns/p/c", "deny", 403, "route exec"],
        ["kube-apiserver-kubelet-client", "other", "/x", "allow", 200, "route"],
        ["kube-apiserver-kubelet-client", "other", "//x", "refuse", 400, "the path has an empty segment"],
        [
          "kube-apiserver-kubelet-client",
          "other",
          "",
          "refuse",
          400,
          "the request target must begin with a slash",
        ],
        ["kube-apiserver-kubelet-client", "other", "", "refuse", 400, "HPE_INVALID_METHOD"],
        ["somebody", "other", "/pods", "refuse", 403, "this user may not speak to the kubelet"],
      ],
    );
    assert.equal(lines[2].bytes_in, 11);
    assert.equal(new Set(lines.map((line) => line.request_id)).size, lines.length);
  });
});
