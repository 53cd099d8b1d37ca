// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { countHeader, headerValue, requestHeaders, responseHeaders } from "./forwarded_headers.ts";

Deno.test("requestHeaders() lets no identity of the client's and no hop-by-hop header through", () => {
  const raw = [
    ...["Host", "x", "Authorization", "Bearer secret", "Impersonate-User", "root", "impersonate-Extra-a", "b"],
    ...[
      "X-Remote-User",
      "root",
      "x-remote-group",
      "system:masters",
      "X-Forwarded-For",
      "1.2.3.4",
      "Forwarded",
      "for=x",
    ],
    ...["Connection", "keep-alive, X-Hop", "X-Hop", "1", "Keep-Alive", "timeout=5", "TE", "trailers", "Upgrade", "h2c"],
    ...[
      "Proxy-Authorization",
      "Basic x",
      "Transfer-Encoding",
      "chunked",
      "Content-Length",
      "3",
      "Expect",
      "100-continue",
    ],
    ...[
      "Cookie",
      "a=b",
      ":path",
      "/x",
      "Accept",
      "*/*",
      "X-Stream-Protocol-Version",
      "v4",
      "x-stream-protocol-version",
    ],
    ...["v3", "User-Agent", "kube-apiserver"],
  ];
  assert.deepEqual(requestHeaders(raw), [
    ...["Accept", "*/*", "X-Stream-Protocol-Version", "v4", "x-stream-protocol-version", "v3"],
    ...["User-Agent", "kube-apiserver"],
  ]);
});

Deno.test("requestHeaders() takes a token out of the protocols of a websocket", () => {
  const token = "base64url.bearer.authorization.k8s.io.c2VjcmV0";
  for (
    const protocols of [`${token}, v5.channel.k8s.io`, `v5.channel.k8s.io,${token}`, `v5.channel.k8s.io, ${token} `]
  ) {
    assert.deepEqual(requestHeaders(["Sec-Websocket-Protocol", protocols]), [
      "Sec-Websocket-Protocol",
      "v5.channel.k8s.io",
    ]);
  }
});

Deno.test("responseHeaders() keeps the length, also when Connection lists it", () => {
  const raw = ["Connection", "close, content-length, x-a", "Content-Length", "3", "X-A", "1", "Transfer-Encoding", "x"];
  assert.deepEqual(responseHeaders(raw), ["Content-Length", "3"]);
});

Deno.test("headerValue() joins what came several times", () => {
  const raw = ["A", "1", "b", "2", "a", "3"];
  assert.equal(headerValue(raw, "a"), "1, 3");
  assert.equal(headerValue(raw, "c"), undefined);
  assert.equal(countHeader(raw, "a"), 2);
});
