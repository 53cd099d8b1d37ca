// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectH2 } from "node:http2";
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { makeTestAuthority } from "../testing/certificates.ts";
import { type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import type { Judge } from "./decision.ts";

const allow: Judge = () => ({ allowed: true, rule: "test" });
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A kubelet that answers with these bytes to the n-th request it gets on a connection; `end` closes it behind them. */
async function withRawKubelet(
  answer: (path: string) => { readonly bytes: string; readonly end?: boolean },
  body: (bed: ProxyBed, seen: { connections: number }) => Promise<void>,
): Promise<void> {
  const authority = await makeTestAuthority();
  const { cert, key } = await authority.leaf({ name: "localhost" });
  const client = await authority.leaf({ usage: "client", name: "kubelet-proxy" });
  const seen = { connections: 0 };
  const sockets = new Set<tls.TLSSocket>();
  const server = tls.createServer({ cert, key, ca: authority.caPem, requestCert: true }, (socket) => {
    seen.connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      const [, path] = /^\S+ (\S+) /.exec(new TextDecoder().decode(chunk))!;
      const { bytes, end } = answer(path!);
      socket.write(bytes, "latin1");
      if (end) socket.end();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const kubeletPort = (server.address() as AddressInfo).port;
    const credentials = { ca: authority.caPem, ...client };
    await withKubeletProxy({ judge: allow, kubeletPort, client: credentials }, (bed) => body(bed, seen));
  } finally {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }
}

Deno.test("an answer that nobody asked for goes to nobody", async () => {
  // Whoever comes next on the kept connection would be given the second one.
  const doubled = (path: string) => ({ bytes: path === "/twice" ? OK + OK.replace("ok", "no") : OK });
  await withRawKubelet(doubled, async (bed, seen) => {
    assert.equal((await bed.get("/one")).body, "ok");
    assert.equal((await bed.get("/two")).body, "ok");
    assert.equal(seen.connections, 1);
    const text = await bed.exchange("GET /twice HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.ok(!text.includes("no"), text);
    assert.equal((await bed.get("/three")).body, "ok");
    assert.equal(seen.connections, 2);
  });
});

Deno.test("answers that two readers could take apart differently are not passed on", async () => {
  const answers: Record<string, string> = {
    "/lengths": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "/both": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/folded": "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "/lines": "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "/long": `HTTP/1.1 200 OK\r\nX: ${"y".repeat(300 << 10)}\r\n\r\n`,
    "/other": "SSH-2.0-OpenSSH_9.2\r\n",
    "/encoded": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "/status": `HTTP/1.1 099 None\r\nContent-Length: 2\r\n\r\nno${OK}`,
    "/switched": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n",
    "/bare-switched": `HTTP/1.1 101 Switching Protocols\r\n\r\n${OK}`,
  };
  await withRawKubelet((path) => ({ bytes: answers[path]! }), async (bed) => {
    for (const path of Object.keys(answers)) assert.equal((await bed.get(path)).status, 502, path);
  });
});

Deno.test("an answer ends with its connection when it has no length, and is broken off when it has one", async () => {
  const answer = (path: string) => ({
    bytes: path === "/whole" ? "HTTP/1.1 200 OK\r\n\r\nto the end" : "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    end: true,
  });
  await withRawKubelet(answer, async (bed) => {
    assert.equal((await bed.get("/whole")).body, "to the end");
    await assert.rejects(bed.get("/half"));
  });
});

Deno.test("an answer that h2 has no words for breaks one stream, and nothing else", async () => {
  const answers: Record<string, string> = {
    "/twice": OK.replace("\r\n", "\r\nETag: a\r\nETag: b\r\n"),
  };
  await withRawKubelet((path) => ({ bytes: answers[path] ?? OK }), async (bed) => {
    const session = connectH2(
      `https://127.0.0.1:${bed.proxy.address.port}`,
      await bed.clientOptions({ alpn: "h2" }) as object,
    );
    const ask = async (path: string) => {
      const request = session.request({ ":path": path });
      let text = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => text += chunk);
      await once(request, "close").catch(() => text = "broken");
      return text;
    };
    assert.equal(await ask("/twice"), "broken");
    assert.equal(await ask("/pods"), "ok");
    const closed = once(session, "close");
    session.close();
    await closed;
  });
});

Deno.test("interim answers of a kubelet are its own", async () => {
  await withRawKubelet(() => ({ bytes: `HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n${OK}` }), async (bed, seen) => {
    for (let i = 0; i < 2; i++) assert.equal((await bed.get("/pods")).body, "ok");
    assert.equal(seen.connections, 1);
  });
});
