// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFraming } from "./framing.ts";

const h1 = (...rawHeaders: string[]) => ({ httpVersion: "1.1", isHttp2: false, method: "POST", rawHeaders });

Deno.test("readFraming() says where a body ends", () => {
  assert.deepEqual(readFraming(h1()), { kind: "none" });
  assert.deepEqual(readFraming(h1("Content-Length", "0")), { kind: "none" });
  assert.deepEqual(readFraming(h1("content-length", "12")), { kind: "sized", length: "12" });
  assert.deepEqual(readFraming(h1("Transfer-Encoding", "Chunked")), { kind: "chunked" });
  const h2 = { httpVersion: "2.0", isHttp2: true, rawHeaders: [] };
  assert.deepEqual(readFraming({ ...h2, method: "POST" }), { kind: "chunked" });
  assert.deepEqual(readFraming({ ...h2, method: "GET" }), { kind: "none" });
});

Deno.test("readFraming() refuses what could be read in two ways", () => {
  const doubtful = [
    h1("Content-Length", "3", "Content-Length", "3"),
    h1("Content-Length", "3, 3"),
    h1("Content-Length", "+3"),
    h1("Content-Length", "0x3"),
    h1("Content-Length", "9".repeat(20)),
    h1("Content-Length", "3", "Transfer-Encoding", "chunked"),
    h1("Transfer-Encoding", "identity"),
    h1("Transfer-Encoding", "gzip, chunked"),
    h1("Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"),
    h1("Host", "a", "host", "a"),
    { ...h1("Transfer-Encoding", "chunked"), httpVersion: "1.0" },
    { ...h1("transfer-encoding", "chunked"), httpVersion: "2.0", isHttp2: true },
    { ...h1(), httpVersion: "2.0" },
    { ...h1(), httpVersion: "0.9" },
  ];
  for (const request of doubtful) {
    assert.throws(() => readFraming(request), { name: "Refusal", status: 400 }, request.rawHeaders.join());
  }
});

Deno.test("readFraming() counts headers", () => {
  assert.throws(() => readFraming(h1(...Array.from({ length: 101 }, () => ["A", "b"]).flat())), { status: 431 });
});
