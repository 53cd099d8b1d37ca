// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectH2 } from "node:http2";
import * as https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { acceptUpgrade, type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import type { Judge } from "./decision.ts";

const allow: Judge = () => ({ allowed: true, rule: "test" });
const UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";
const MIB = 1 << 20;
const BLOCK = new Uint8Array(64 << 10).fill(65);

/** Reads from a socket until `pattern` has come. */
async function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const onData = (chunk: Uint8Array) => {
    text += new TextDecoder("latin1").decode(chunk);
    if (pattern.test(text)) resolve();
  };
  socket.on("data", onData);
  await promise;
  socket.off("data", onData);
  return text;
}

/** Writes `total` bytes as fast as they are taken, then calls `end`. */
function pump(to: Socket | ServerResponse, total: number, count: { sent: number }, end = () => void to.end()): void {
  while (count.sent < total) {
    count.sent += BLOCK.byteLength;
    if (!to.write(BLOCK)) return void to.once("drain", () => pump(to, total, count, end));
  }
  end();
}

/** Waits until a number has stopped growing for so many turns of the event loop that nothing can be on its way. */
async function whenStill(read: () => number): Promise<number> {
  let last = read();
  for (let still = 0; still < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = read();
    still = now === last && now > 0 ? still + 1 : 0;
    last = now;
  }
  return last;
}

Deno.test("lines of a log arrive as they are written, over http/1.1 and h2", async () => {
  const answers: ServerResponse[] = [];
  const handlers = {
    request(_: IncomingMessage, response: ServerResponse) {
      response.writeHead(200, { "content-type": "text/plain" });
      response.flushHeaders();
      answers.push(response);
    },
  };
  await withKubeletProxy({ handlers }, async (bed) => {
    const path = "/containerLogs/ns/p/c?follow=true";
    const h1 = https.request({ ...await bed.clientOptions() as https.RequestOptions, path, agent: false });
    h1.end();
    // The headers come before the first line is there.
    const [response] = await once(h1, "response") as [IncomingMessage];
    const session = connectH2(
      `https://127.0.0.1:${bed.proxy.address.port}`,
      await bed.clientOptions({ alpn: "h2" }) as object,
    );
    const h2 = session.request({ ":path": path });
    await once(h2, "response");
    for (const [i, stream] of [response, h2].entries()) {
      for (const line of ["first\n", "second\n"]) {
        const arrived = once(stream, "data");
        answers[i]!.write(line);
        assert.equal(String((await arrived)[0]), line);
      }
      const ended = once(stream, "end");
      answers[i]!.end();
      await ended;
    }
    const closed = once(session, "close");
    session.close();
    await closed;
  });
});

Deno.test("each direction of a stream can end without the other", async () => {
  const handlers = {
    upgrade(request: IncomingMessage, socket: Socket) {
      socket.allowHalfOpen = true;
      acceptUpgrade(request, socket);
      let text = "";
      socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
      socket.once("end", () => socket.end(`got ${text}`));
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const socket = await bed.connect();
    socket.allowHalfOpen = true;
    socket.write(`POST /exec/ns/p/c?command=cat HTTP/1.1\r\n${UPGRADE}`);
    await readUntil(socket, /\r\n\r\n$/);
    assert.equal(bed.proxy.counts().streams, 1);
    const rest = readUntil(socket, /got all of it$/);
    socket.end("all of it");
    await rest;
    if (!socket.closed) await once(socket, "close");
    await idle(bed);
  });
});

Deno.test("a stream that one side breaks is broken on the other", async () => {
  const sockets: Socket[] = [];
  const handlers = {
    upgrade(request: IncomingMessage, socket: Socket) {
      socket.on("error", () => {});
      acceptUpgrade(request, socket);
      sockets.push(socket.resume());
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    for (const side of ["client", "kubelet"]) {
      const client = await bed.connect();
      client.write(`POST /attach/ns/p/c HTTP/1.1\r\n${UPGRADE}`);
      await readUntil(client, /\r\n\r\n$/);
      const kubelet = sockets.at(-1)!;
      const [broken, other] = side === "client" ? [client, kubelet] : [kubelet, client];
      const closed = once(other.resume(), "close");
      broken.destroy();
      await closed;
    }
    await idle(bed);
  });
});

Deno.test("a stream without a byte is closed in time", async () => {
  const handlers = {
    upgrade(request: IncomingMessage, socket: Socket) {
      acceptUpgrade(request, socket);
      socket.on("error", () => {}).resume();
    },
  };
  await withKubeletProxy({ judge: allow, handlers, timeouts: { streamIdleMs: 100 } }, async (bed) => {
    assert.match(await bed.exchange(`POST /attach/ns/p/c HTTP/1.1\r\n${UPGRADE}`), /^HTTP\/1\.1 101 /);
    await idle(bed);
  });
});

Deno.test("nobody who reads slowly fills the proxy's memory: downloads, uploads and streams wait", async () => {
  const total = 64 * MIB;
  const count = { sent: 0 };
  const uploads: IncomingMessage[] = [];
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      if (request.method === "GET") return pump(response, total, count);
      let got = 0;
      request.on("data", (chunk: Uint8Array) => got += chunk.byteLength);
      request.once("end", () => response.end(String(got)));
      request.pause();
      pauseReading(request.socket);
      uploads.push(request);
    },
    upgrade(request: IncomingMessage, socket: Socket) {
      acceptUpgrade(request, socket);
      pump(socket.on("error", () => {}), total, count);
    },
  };
  // What the sockets' buffers on the way hold, by far less than what is sent.
  const limit = 32 * MIB;
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    for (const head of [`GET /checkpoint/x HTTP/1.1\r\nHost: x\r\n\r\n`, `POST /exec/a/b/c HTTP/1.1\r\n${UPGRADE}`]) {
      count.sent = 0;
      const socket = await bed.connect();
      pauseReading(socket);
      socket.write(head);
      const sent = await whenStill(() => count.sent);
      assert.ok(sent < limit, `${head.slice(0, 4)}: ${sent} bytes were taken`);
      let got = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.on("data", (chunk: Uint8Array) => {
        got += chunk.byteLength;
        if (got >= total) resolve();
      });
      resumeReading(socket);
      await promise;
      socket.destroy();
    }
    count.sent = 0;
    const socket = await bed.connect();
    socket.write(`POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${total}\r\n\r\n`);
    pump(socket, total, count, () => {});
    const sent = await whenStill(() => count.sent);
    assert.ok(sent < limit, `upload: ${sent} bytes were taken`);
    const answer = readUntil(socket, /\r\n\r\n.+/s);
    resumeReading(uploads[0]!.socket);
    uploads[0]!.resume();
    assert.match(await answer, new RegExp(`${total}`));
    await idle(bed);
  });
});

Deno.test("nobody who sends a stream before the kubelet has agreed to it fills the proxy's memory", async () => {
  const count = { sent: 0 };
  const handlers = { upgrade: (_: IncomingMessage, socket: Socket) => void socket.on("error", () => {}) };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const socket = await bed.connect();
    socket.write(`POST /exec/a/b/c HTTP/1.1\r\n${UPGRADE}`);
    pump(socket, 64 * MIB, count, () => {});
    const sent = await whenStill(() => count.sent);
    assert.ok(sent < 32 * MIB, `${sent} bytes were taken`);
    const closed = once(socket, "close");
    socket.destroy();
    await closed;
  });
});

Deno.test("stop() lets what is under way end, takes nothing new, and breaks off what takes too long", async () => {
  const answers: ServerResponse[] = [];
  const arrived = Promise.withResolvers<void>();
  const handlers = {
    request(_: IncomingMessage, response: ServerResponse) {
      response.write("begin ");
      answers.push(response);
      arrived.resolve();
    },
  };
  await withKubeletProxy({ judge: allow, handlers, timeouts: { drainMs: 60_000 } }, async (bed) => {
    const idleConnection = await bed.connect();
    const socket = await bed.connect();
    const text = readUntil(socket, /0\r\n\r\n$/);
    socket.write("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
    await arrived.promise;
    const closed = Promise.all([once(socket, "close"), once(idleConnection.resume(), "close")]);
    const stopped = bed.proxy.stop();
    await assert.rejects(bed.connect(), { code: "ECONNREFUSED" });
    answers[0]!.end("end");
    assert.match(await text, /begin .*end\r\n0\r\n\r\n$/s);
    socket.end();
    await Promise.all([stopped, closed]);
  });
  await withKubeletProxy({ judge: allow, timeouts: { drainMs: 50 } }, async (bed) => {
    const socket = await bed.connect();
    socket.write(`POST /attach/ns/p/c HTTP/1.1\r\n${UPGRADE}`);
    await readUntil(socket, /\r\n\r\n$/);
    const closed = once(socket.resume(), "close");
    await bed.proxy.stop();
    await closed;
    assert.ok(bed.log.some(({ message }) => message.startsWith("Requests were still under way")));
  });
});

Deno.test("update() takes new certificates; streams go on, and connections of before end", async () => {
  await withKubeletProxy({ judge: allow }, async (bed) => {
    const stream = await bed.connect();
    stream.write(`POST /exec/ns/p/c HTTP/1.1\r\n${UPGRADE}`);
    await readUntil(stream, /\r\n\r\n$/);
    const kept = await bed.connect();
    const answered = readUntil(kept, /GET \/pods$/);
    kept.write("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
    await answered;
    const before = (await bed.connect()).getPeerX509Certificate()!.serialNumber;

    const server = await bed.authority.leaf({ name: "localhost" });
    const client = await bed.authority.leaf({ usage: "client", name: "kubelet-proxy-2" });
    const ended = once(kept.resume(), "close");
    bed.proxy.update({ ca: bed.authority.caPem, ...server }, { ca: bed.authority.caPem, ...client });
    await ended;
    assert.notEqual((await bed.connect()).getPeerX509Certificate()!.serialNumber, before);
    assert.equal((await bed.get("/pods")).status, 200);
    const echoed = readUntil(stream, /still here/);
    stream.write("still here");
    await echoed;
    assert.throws(() => bed.proxy.update({}, {}), { kind: "config" });
    assert.equal((await bed.get("/pods")).status, 200);
  });
});

async function idle(bed: ProxyBed): Promise<void> {
  while (bed.proxy.counts().requestsUnderWay > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bed.proxy.counts().streams, 0);
}
