// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import * as https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import * as net from "node:net";
import { connect as connectH2 } from "node:http2";
import { type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import type { Judge } from "./decision.ts";

const allow: Judge = () => ({ allowed: true, rule: "test" });
const UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n";

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as net.AddressInfo;
  const closed = once(server, "close");
  server.close();
  await closed;
  return port;
}

Deno.test("a kubelet that is away gives 502, for requests and for streams", async () => {
  await withKubeletProxy({ judge: allow, kubeletPort: await freePort() }, async (bed) => {
    const { status, body } = await bed.get("/pods");
    assert.deepEqual([status, body], [502, "The kubelet cannot be reached\n"]);
    assert.match(await bed.exchange(`POST /exec/ns/p/c HTTP/1.1\r\n${UPGRADE}`), /^HTTP\/1\.1 502 /);
    assert.equal(bed.log.filter(({ level }) => level === "warn").length, 2);
  });
});

Deno.test("a kubelet that does not answer gives 504 in time, for requests and for streams", async () => {
  const silent = { request: () => {}, upgrade: (_: IncomingMessage, socket: net.Socket) => void socket.resume() };
  await withKubeletProxy({ judge: allow, handlers: silent, timeouts: { responseMs: 100 } }, async (bed) => {
    const { status, body } = await bed.get("/pods");
    assert.deepEqual([status, body], [504, "The kubelet did not answer in time\n"]);
    assert.match(await bed.exchange(`POST /exec/ns/p/c HTTP/1.1\r\n${UPGRADE}`), /^HTTP\/1\.1 504 /);
  });
});

Deno.test("a kubelet that is silent on a kept connection is not asked twice", async () => {
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      if (request.url === "/pods") response.end();
    },
  };
  await withKubeletProxy({ judge: allow, handlers, timeouts: { responseMs: 200 } }, async (bed) => {
    assert.equal((await bed.get("/pods")).status, 200);
    assert.equal((await bed.get("/healthz")).status, 504);
    assert.deepEqual(bed.kubelet.seen, ["GET /pods", "GET /healthz"]);
  });
});

Deno.test("a kubelet that does not finish its handshake gives 504 in time", async () => {
  const mute = net.createServer((socket) => void socket.on("error", () => {}).resume());
  await once(mute.listen(0, "127.0.0.1"), "listening");
  const { port } = mute.address() as net.AddressInfo;
  await withKubeletProxy({ judge: allow, kubeletPort: port, timeouts: { connectMs: 100 } }, async (bed) => {
    assert.equal((await bed.get("/pods")).status, 504);
  });
  const closed = once(mute, "close");
  mute.close();
  await closed;
});

Deno.test("a kubelet with another name, or another CA's certificate, is not spoken to", async () => {
  const kubelet = (port: number) => ({ host: "127.0.0.1", port, serverName: "node-1", skipVerify: false });
  await withKubeletProxy({ judge: allow }, async (other) => {
    await withKubeletProxy({ judge: allow, kubelet: kubelet(other.kubelet.port) }, async (bed) => {
      assert.equal((await bed.get("/pods")).status, 502);
    });
    await withKubeletProxy({ judge: allow, kubeletPort: other.kubelet.port }, async (bed) => {
      assert.equal((await bed.get("/pods")).status, 502);
    });
    assert.deepEqual(other.kubelet.seen, []);
  });
});

Deno.test("half an answer does not look like a whole one, over http/1.1 and h2", async () => {
  const handlers = {
    request(_: IncomingMessage, response: ServerResponse) {
      response.writeHead(200);
      response.write("half", () => response.socket!.destroy());
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const text = await bed.exchange("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(!text.endsWith("0\r\n\r\n"), text);
    const options = await bed.clientOptions({ alpn: "h2" });
    const session = connectH2(`https://127.0.0.1:${bed.proxy.address.port}`, options as object);
    const request = session.request({ ":path": "/pods" });
    const failed = once(request, "error");
    request.resume();
    await failed;
    const closed = once(session, "close");
    session.destroy();
    await closed;
  });
});

Deno.test("a client that goes away takes its request to the kubelet with it", async () => {
  const reached = Promise.withResolvers<void>();
  const dropped = Promise.withResolvers<void>();
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      response.writeHead(200);
      response.write("line\n");
      request.once("close", () => {});
      response.once("close", () => dropped.resolve());
      reached.resolve();
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const socket = await bed.connect();
    socket.write("GET /containerLogs/ns/p/c?follow=true HTTP/1.1\r\nHost: x\r\n\r\n");
    await reached.promise;
    socket.destroy();
    await dropped.promise;
  });
});

Deno.test("a client that leaves before the kubelet has agreed to an upgrade takes it along", async () => {
  const reached = Promise.withResolvers<void>();
  const dropped = Promise.withResolvers<void>();
  const handlers = {
    upgrade(_: IncomingMessage, socket: net.Socket) {
      socket.once("close", () => dropped.resolve()).on("error", () => {}).resume();
      reached.resolve();
    },
  };
  await withKubeletProxy({ judge: allow, handlers }, async (bed) => {
    const socket = await bed.connect();
    socket.write(`POST /exec/ns/p/c HTTP/1.1\r\n${UPGRADE}`);
    await reached.promise;
    socket.destroy();
    await dropped.promise;
  });
});

Deno.test("a kept connection that the kubelet has closed costs no request", async () => {
  await withKubeletProxy({ judge: allow }, async (bed) => {
    for (let i = 0; i < 20; i++) {
      assert.equal((await bed.get("/pods")).status, 200);
      bed.kubelet.server.closeIdleConnections();
    }
  });
});

/** A share of 10,000, of which the rest is the same again; PEERCTL_LEAK_REQUESTS=10000 makes all of them. */
const REQUESTS = Number(Deno.env.get("PEERCTL_LEAK_REQUESTS") ?? "1000");

Deno.test(`${REQUESTS} requests to a kubelet that is slow, resets or breaks off leave nothing behind`, async () => {
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      const way = request.url!.slice(-1);
      // Slow: no answer at all.
      if (way === "0") return;
      if (way === "1") return void request.socket.destroy();
      response.writeHead(200, { "content-length": "1000" });
      response.write("part", () => response.socket?.destroy());
    },
  };
  await withKubeletProxy({ judge: allow, handlers, timeouts: { responseMs: 50 } }, async (bed) => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 32 });
    const options = await bed.clientOptions() as https.RequestOptions;
    const seen = new Map<string, number>();
    const one = async (i: number) => {
      const outcome = await outcomeOf(https.request({ ...options, path: `/pods?way=${i % 3}`, agent }));
      seen.set(`${i % 3}: ${outcome}`, (seen.get(`${i % 3}: ${outcome}`) ?? 0) + 1);
    };
    let next = 0;
    const client = async () => {
      while (next < REQUESTS) await one(next++);
    };
    await Promise.all(Array.from({ length: 32 }, client));
    agent.destroy();
    const outcomes = new Set(seen.keys());
    for (const outcome of ["0: 504", "1: 502", "2: broken off"]) assert.ok(outcomes.delete(outcome), outcome);
    // On a busy machine the others can be late, too.
    for (const outcome of outcomes) assert.match(outcome, /^[12]: 504$/);
    await settled(bed);
  });
});

/** The status, or "broken off" when the answer does not come to its end. */
async function outcomeOf(request: ReturnType<typeof https.request>): Promise<string> {
  try {
    request.end();
    const [response] = await once(request, "response") as [IncomingMessage];
    for await (const _ of response);
    return String(response.statusCode);
  } catch {
    return "broken off";
  }
}

/** Everything that belongs to a request is gone, on both sides; the sanitizers of the test see timers and sockets. */
async function settled(bed: ProxyBed): Promise<void> {
  while (bed.proxy.counts().requestsUnderWay > 0 || bed.proxy.counts().connections > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(bed.proxy.counts(), { connections: 0, requestsUnderWay: 0, streams: 0 });
}
