// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import type { AuditEntry, AuditLog } from "./audit.ts";
import type { Judge } from "./decision.ts";
import { createMetrics } from "./metrics.ts";

const allow: Judge = () => ({ allowed: true, rule: "test" });
const deny: Judge = () => ({ allowed: false, status: 403, reason: "no", rule: "test" });
const CLOSE = "Host: x\r\nConnection: close\r\n\r\n";

/** Answers with the body it got. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let body = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => body += chunk);
  request.once("end", () => response.end(`${request.method} ${body}`));
}

Deno.test("serveH1() frames answers as their method, status and version want it", async () => {
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      if (request.url === "/none") return void response.writeHead(204).end();
      if (request.url === "/sized") return void response.writeHead(200, { "content-length": 5 }).end("12345");
      response.write("123");
      response.end("45");
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const answers: [string, RegExp][] = [
      [`GET /sized HTTP/1.1\r\n${CLOSE}`, /content-length: 5\r\n.*\r\n\r\n12345$/si],
      [
        `GET /chunks HTTP/1.1\r\n${CLOSE}`,
        /transfer-encoding: chunked\r\n.*\r\n\r\n(3\r\n123\r\n2\r\n45|5\r\n12345)\r\n0\r\n\r\n$/si,
      ],
      [`GET /chunks HTTP/1.0\r\n${CLOSE}`, /^(?!.*transfer-encoding).*\r\nConnection: close\r\n\r\n12345$/s],
      [`HEAD /sized HTTP/1.1\r\n${CLOSE}`, /content-length: 5\r\n.*\r\n\r\n$/si],
      [`HEAD /chunks HTTP/1.1\r\n${CLOSE}`, /^HTTP\/1\.1 200 .*\r\n\r\n$/s],
      [`GET /none HTTP/1.1\r\n${CLOSE}`, /^HTTP\/1\.1 204 (?!.*transfer-encoding).*\r\n\r\n$/s],
    ];
    for (const [request, expected] of answers) assert.match(await bed.exchange(request), expected);
  });
});

Deno.test("serveH1() carries bodies with a length and in chunks, in however many pieces they come", async () => {
  await withKubeletProxy({ judge: allow, handlers: { request: echo } }, async (bed) => {
    const sized = `POST /a HTTP/1.1\r\nContent-Length: 10\r\n${CLOSE}0123456789`;
    const chunked =
      `POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${CLOSE}4\r\n0123\r\n6;x=y\r\n456789\r\n0\r\nA: b\r\n\r\n`;
    for (const whole of [sized, chunked]) {
      for (const size of [1, 7, whole.length]) {
        assert.match(await inPieces(bed, whole, size), /POST 0123456789(\r\n0\r\n\r\n)?$/);
      }
    }
  });
});

Deno.test("serveH1() answers requests in their order, however many come at once", async () => {
  await withKubeletProxy({ judge: allow }, async (bed) => {
    const paths = Array.from({ length: 300 }, (_, i) => `/pods?${i}`);
    const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join("");
    const text = await bed.exchange(`${requests}GET /last HTTP/1.1\r\n${CLOSE}`);
    assert.deepEqual([...text.matchAll(/GET (\S+?)(?=HTTP|$)/g)].map(([, path]) => path), [...paths, "/last"]);
  });
  // None of these reaches the kubelet, and all are answered in one turn.
  await withKubeletProxy({ judge: deny }, async (bed) => {
    const text = await bed.exchange("GET /a HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3000) + `GET /a HTTP/1.1\r\n${CLOSE}`);
    assert.equal(text.match(/HTTP\/1\.1 403 /g)?.length, 3001);
  });
});

Deno.test("serveH1() sends 100 to who waits for it, and lets nobody send a body that is denied", async () => {
  const head = `POST /run/a/b/c HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\nHost: x\r\n\r\n`;
  await withKubeletProxy({ judge: allow, handlers: { request: echo } }, async (bed) => {
    const socket = await bed.connect();
    const [first] = await (socket.write(head), once(socket, "data")) as [Uint8Array];
    assert.equal(new TextDecoder().decode(first), "HTTP/1.1 100 Continue\r\n\r\n");
    const [answer] = await (socket.write("body"), once(socket, "data")) as [Uint8Array];
    assert.match(new TextDecoder().decode(answer), /^HTTP\/1\.1 200 .*POST body/s);
    await gone(socket);
  });
  await withKubeletProxy({ judge: deny }, async (bed) => {
    assert.match(await bed.exchange(head), /^HTTP\/1\.1 403 .*Connection: close/s);
  });
});

Deno.test("serveH1() goes on after an answer that came before the body's end, and takes the rest for nothing else", async () => {
  const handlers = {
    request(_: IncomingMessage, response: ServerResponse) {
      response.end("early");
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const socket = await bed.connect();
    const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    socket.write(`POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${hidden.length}\r\n\r\n`);
    let text = "";
    socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
    while (!text.includes("early")) await once(socket, "data");
    socket.write(`${hidden}GET /b HTTP/1.1\r\n${CLOSE}`);
    await once(socket, "close");
    assert.deepEqual(bed.kubelet.seen, ["POST /a", "GET /b"]);
    // A rest that is none ends the connection.
    const other = await bed.connect();
    other.write("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    let answer = "";
    other.on("data", (chunk: Uint8Array) => answer += new TextDecoder().decode(chunk));
    while (!answer.includes("early")) await once(other, "data");
    const closed = once(other, "close");
    other.write("no chunk\r\n");
    await closed;
  });
});

Deno.test("serveH1() refuses heads that are too long or too late, and closes connections that are not used", async () => {
  await withKubeletProxy({ timeouts: { headersMs: 100, idleMs: 200 } }, async (bed) => {
    const long = `GET /pods HTTP/1.1\r\nX: ${"y".repeat(300 << 10)}\r\n${CLOSE}`;
    // The client may still be writing when the connection is closed.
    assert.match(await bed.exchange(long).catch(() => ""), /^(HTTP\/1\.1 431 |$)/);
    assert.match(await bed.exchange(`GET /pods HTTP/1.1\r\n${"X: y\r\n".repeat(101)}${CLOSE}`), /^HTTP\/1\.1 431 /);
    assert.match(await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n"), /^HTTP\/1\.1 408 /);
    const silent = await bed.connect();
    await once(silent.resume(), "close");
    assert.equal(silent.bytesRead, 0);
    assert.match(await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1\.1 200 .*GET \/pods/s);
    assert.deepEqual(bed.kubelet.seen, ["GET /pods"]);
  });
});

Deno.test("serveH1() closes a connection that is not used, also when its requests were answered at once", async () => {
  await withKubeletProxy({ judge: deny, timeouts: { headersMs: 600_000, idleMs: 100 } }, async (bed) => {
    const text = await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 403 (?!.*Connection: close)/s);
  });
});

Deno.test("serveH1() has what the client was told written down", async () => {
  const { audit, entries } = collectAudit();
  await withKubeletProxy({ judge: allow, audit, timeouts: { headersMs: 100 } }, async (bed) => {
    await bed.exchange("NONE /pods HTTP/1.1\r\n\r\n");
    await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n");
    await bed.exchange(`GET /pods HTTP/1.1\r\nX: ${"y".repeat(256 << 10)}`).catch(() => "");
  });
  assert.deepEqual(entries.map(({ decision, status }) => [decision, status]), [
    ["refuse", 400],
    ["refuse", 408],
    ["refuse", 431],
  ]);
});

Deno.test("serveH1() takes a request back whose body goes wrong before its answer", async () => {
  const { audit, entries } = collectAudit();
  const begun = Promise.withResolvers<void>();
  const dropped = Promise.withResolvers<void>();
  const handlers = {
    request(request: IncomingMessage) {
      request.once("data", () => begun.resolve()).once("close", () => dropped.resolve()).on("error", () => {});
    },
  };
  await withKubeletProxy({ judge: allow, audit, handlers }, async (bed) => {
    const socket = await bed.connect();
    let text = "";
    socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
    const closed = once(socket, "close");
    socket.write("POST /pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    await begun.promise;
    socket.write("no chunk\r\n");
    await Promise.all([closed, dropped.promise]);
    assert.match(text, /^HTTP\/1\.1 400 (?!.*HTTP)/s);
  });
  const seen = entries.map(({ decision, status, bytesIn }) => [decision, status, bytesIn]);
  assert.deepEqual(seen.toSorted(), [["allow", 0, 1], ["refuse", 400, 0]]);
});

Deno.test("serveH1() ends one connection, and nothing else, when the proxy itself fails", async () => {
  const metrics = createMetrics();
  let isBroken = true;
  const done: typeof metrics.done = (entry) => {
    if (!isBroken) return metrics.done(entry);
    isBroken = false;
    throw new Error("broken on purpose");
  };
  await withKubeletProxy({ judge: deny, metrics: { ...metrics, done } }, async (bed) => {
    await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal((await bed.get("/pods")).status, 403);
    assert.match(String(bed.log.find(({ level }) => level === "error")?.fields["error"]), /broken on purpose/);
  });
});

function collectAudit(): { audit: AuditLog; entries: AuditEntry[] } {
  const entries: AuditEntry[] = [];
  const nothing = () => Promise.resolve();
  return {
    audit: { write: (e) => void entries.push(e), lost: 0, reopen() {}, flush: nothing, close: nothing },
    entries,
  };
}

async function inPieces(bed: ProxyBed, text: string, size: number): Promise<string> {
  const socket = await bed.connect();
  let answer = "";
  socket.on("data", (chunk: Uint8Array) => answer += new TextDecoder("latin1").decode(chunk));
  const closed = once(socket, "close");
  for (let at = 0; at < text.length; at += size) {
    await new Promise((resolve) => socket.write(text.slice(at, at + size), resolve));
  }
  await closed;
  return answer;
}

async function gone(socket: Awaited<ReturnType<ProxyBed["connect"]>>): Promise<void> {
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
}
