// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import * as tls from "node:tls";
import { makeTestAuthority } from "../testing/certificates.ts";
import { API_SERVER, type ClientOptions, type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";

/** The head of a request whose body never comes: whoever waits for it hangs, and whoever reads it would count it. */
const HEAD = "POST /run/ns/p/c?cmd=ls HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";

/** What a client gets that sends a head and a part of a body; "" when it is not even answered. */
async function answerTo(bed: ProxyBed, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect(options);
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
  // With TLS 1.3 a client may write before the server has judged its certificate.
  socket.once("secureConnect", () => socket.write(`${HEAD}begin of the body`));
  await new Promise((resolve) => socket.once("close", resolve));
  assert.deepEqual(bed.kubelet.seen, []);
  return text;
}

Deno.test("only a certificate of -ca with a listed user gets further than its headers", async () => {
  let judged = 0;
  const judge = () => {
    judged++;
    return { allowed: true, rule: "test" } as const;
  };
  await withKubeletProxy({ judge, allowed: { users: [API_SERVER], groups: ["monitoring"] } }, async (bed) => {
    const foreign = await makeTestAuthority({ name: "Test CA" });
    const { cert: _cert, key: _key, ...anonymous } = await bed.clientOptions();
    const refused: [string, tls.ConnectionOptions][] = [["no certificate", anonymous]];
    const cases: [string, ClientOptions][] = [
      ["a foreign CA of the same name", { authority: foreign }],
      ["an expired certificate", { startsIn: -10 }],
      ["a certificate that is not valid yet", { startsIn: 10 }],
      ["a server's certificate", { usage: "server" }],
    ];
    for (const [name, o] of cases) refused.push([name, await bed.clientOptions(o)]);
    for (const [name, options] of refused) {
      for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
        assert.equal(await answerTo(bed, { ...options, maxVersion }), "", `${name}, ${maxVersion}`);
      }
    }
    for (const name of ["somebody", "kube-apiserver", "monitoring"]) {
      const text = await answerTo(bed, await bed.clientOptions({ name }));
      assert.match(text, /^HTTP\/1\.1 403 .*Forbidden: this user may not speak to the kubelet\n$/s, name);
    }
    assert.equal(judged, 0);
    assert.equal((await bed.get("/pods")).status, 200);
    assert.equal(judged, 1);
  });
});

Deno.test("a user who is not listed gets 403 over h2 too", async () => {
  await withKubeletProxy({}, async (bed) => {
    const { connect } = await import("node:http2");
    const options = await bed.clientOptions({ name: "somebody", alpn: "h2" });
    const session = connect(`https://127.0.0.1:${bed.proxy.address.port}`, options as Parameters<typeof connect>[1]);
    const request = session.request({ ":path": "/pods" });
    const [headers] = await once(request, "response") as [Record<string, unknown>];
    assert.equal(headers[":status"], 403);
    request.resume();
    await once(request, "close");
    const closed = once(session, "close");
    session.close();
    await closed;
    assert.deepEqual(bed.kubelet.seen, []);
  });
});

Deno.test("a certificate that stands itself in -ca does not outlive its end", async () => {
  const authority = await makeTestAuthority();
  const old = await authority.leaf({ usage: "client", name: API_SERVER, startsIn: -10 });
  const server = await authority.leaf({ name: "localhost" });
  await withKubeletProxy({ serving: { ca: `${authority.caPem}\n${old.cert}`, ...server } }, async (bed) => {
    const options = { ...await bed.clientOptions({ authority }), ca: authority.caPem };
    assert.equal(await answerTo(bed, { ...options, cert: old.cert, key: old.key }), "");
  });
});

Deno.test("more connections than allowed are closed", async () => {
  await withKubeletProxy({ maxConnections: 2 }, async (bed) => {
    const sockets = [await bed.connect(), await bed.connect()];
    while (bed.proxy.counts().connections < 2) await new Promise((resolve) => setImmediate(resolve));
    const third = await bed.connect();
    if (!third.closed) await once(third.resume(), "close");
    assert.equal(third.bytesRead, 0);
    const closed = once(sockets[0]!, "close");
    sockets[0]!.destroy();
    await closed;
    while (bed.proxy.counts().connections > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await bed.get("/pods")).status, 200);
  });
});
