// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import { rawH2Data, rawH2Opening, rawH2Request, rawH2Reset } from "../testing/kubelet_raw_h2.ts";
import type { Judge } from "./decision.ts";
import { judgeByRoute } from "./route_policy.ts";

/** What an attempt must come to; "passes" says which requests reach the kubelet. */
type Expected = {
  readonly answer: RegExp;
  readonly passes?: readonly string[];
  /** Its own head may have reached the kubelet before its body turned out to be wrong. */
  readonly mayPass?: boolean;
};

const REFUSED: Expected = { answer: /^HTTP\/1\.1 400 / };
const DENIED: Expected = { answer: /^HTTP\/1\.1 403 .*Denied by policy: exec/s };
const H2_REFUSED: Expected = { answer: /^(connection closed|stream reset|answered: Not forwarded: )/ };
const H2_DENIED: Expected = { answer: /^answered: Denied by policy: exec/ };

const HOST = "Host: node\r\n";
const CLOSE = `${HOST}Connection: close\r\n\r\n`;
const line = (target: string, method = "GET") => `${method} ${target} HTTP/1.1\r\n${CLOSE}`;
const post = (headers: string, body: string) =>
  `POST /pods HTTP/1.1\r\n${HOST}Connection: close\r\n${headers}\r\n\r\n${body}`;
const UPGRADE = `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
const HIDDEN = `GET /exec/ns/p/c HTTP/1.1\r\n${CLOSE}`;

const H1: readonly (readonly [string, string, Expected])[] = [
  ["encoded letter", line("/%65xec/ns/p/c"), DENIED],
  ["encoded twice", line("/%2565xec/ns/p/c"), { answer: /^HTTP\/1\.1 200 /, passes: ["GET /%2565xec/ns/p/c"] }],
  ["double slash", line("//exec/ns/p/c"), REFUSED],
  ["double slash inside", line("/exec//ns/p/c"), REFUSED],
  ["slash at the end", line("/exec/ns/p/c/"), REFUSED],
  ["dot segment", line("/./exec/ns/p/c"), REFUSED],
  ["dot-dot segment", line("/pods/../exec/ns/p/c"), REFUSED],
  ["encoded dot-dot", line("/pods/%2e%2E/exec/ns/p/c"), REFUSED],
  ["encoded slash", line("/exec%2fns/p/c"), REFUSED],
  ["backslash", line("/pods\\..\\exec/ns/p/c"), REFUSED],
  ["encoded backslash", line("/exec%5cns/p/c"), REFUSED],
  ["encoded NUL", line("/exec%00/ns/p/c"), REFUSED],
  ["not UTF-8", line("/exec%ff/ns/p/c"), REFUSED],
  ["percent that escapes nothing", line("/exec%/ns/p/c"), REFUSED],
  ["upper case", line("/EXEC/ns/p/c"), DENIED],
  ["with uid", line("/exec/ns/p/uid/c?command=id", "POST"), DENIED],
  ["too short", line("/exec"), DENIED],
  ["absolute form", line("https://node/exec/ns/p/c"), REFUSED],
  ["absolute form, allowed path", line("http://node/pods"), REFUSED],
  ["asterisk", line("*", "OPTIONS"), REFUSED],
  ["no slash", line("exec/ns/p/c"), REFUSED],
  ["fragment", line("/pods#/../exec"), REFUSED],
  ["CONNECT", `CONNECT node:10250 HTTP/1.1\r\n${CLOSE}`, REFUSED],
  ["CONNECT with a path", `CONNECT /exec/ns/p/c HTTP/1.1\r\n${CLOSE}`, REFUSED],
  ["semicolon in the query", line("/run/ns/p/c?x=1;cmd=id", "POST"), REFUSED],
  ["two Content-Lengths", post("Content-Length: 3\r\nContent-Length: 60", `abc${HIDDEN}`), REFUSED],
  ["two equal Content-Lengths", post("Content-Length: 3\r\nContent-Length: 3", "abc"), REFUSED],
  ["list of lengths", post("Content-Length: 3, 3", "abc"), REFUSED],
  [
    "chunked with Content-Length",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked", `0\r\n\r\n${HIDDEN}`),
    REFUSED,
  ],
  [
    "Content-Length behind chunked",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5", `0\r\n\r\n${HIDDEN}`),
    REFUSED,
  ],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked", `0\r\n\r\n${HIDDEN}`), REFUSED],
  ["chunked among others", post("Transfer-Encoding: gzip, chunked", `0\r\n\r\n${HIDDEN}`), REFUSED],
  ["identity", post("Transfer-Encoding: identity", HIDDEN), REFUSED],
  ["chunked, with a blank before the colon", post("Transfer-Encoding : chunked", `0\r\n\r\n${HIDDEN}`), REFUSED],
  ["chunk size that overflows", post("Transfer-Encoding: chunked", "fffffffffffffffff3\r\nabc"), {
    answer: /^(HTTP\/1\.1 400 |$)/,
    mayPass: true,
  }],
  ["folded header", `GET /pods HTTP/1.1\r\nHost: node\r\n X: y\r\n${CLOSE}`, REFUSED],
  ["bare line feeds", `GET /pods HTTP/1.1\nHost: node\n\n${HIDDEN}`, REFUSED],
  ["two Hosts", `GET /pods HTTP/1.1\r\n${HOST}Host: other\r\nConnection: close\r\n\r\n`, REFUSED],
  ["http/2.0 on http/1", `GET /pods HTTP/2.0\r\n${CLOSE}`, REFUSED],
  ["chunked in http/1.0", `POST /pods HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, REFUSED],
  ["unknown method", line("/exec/ns/p/c", "EXEC"), REFUSED],
  ["pipelined second request", `GET /pods HTTP/1.1\r\n${HOST}\r\n${HIDDEN}`, {
    answer: /^HTTP\/1\.1 200 .*GET \/podsHTTP\/1\.1 403 .*Denied by policy: exec/s,
    passes: ["GET /pods"],
  }],
  ["second request in a body", post(`Content-Length: ${HIDDEN.length}`, HIDDEN), {
    answer: /^HTTP\/1\.1 200 (?!.*HTTP\/1\.1).*POST \/pods$/s,
    passes: ["POST /pods"],
  }],
  ["GET exec with an upgrade", `GET /exec/ns/p/c HTTP/1.1\r\n${UPGRADE}`, DENIED],
  ["upgrade where there is none, then a request", `GET /pods HTTP/1.1\r\n${UPGRADE}${HIDDEN}`, REFUSED],
  ["upgrade to h2c", `GET /portForward/ns/p HTTP/1.1\r\n${UPGRADE.replace("websocket", "h2c")}`, REFUSED],
  ["Upgrade without Connection", `GET /portForward/ns/p HTTP/1.1\r\n${HOST}Upgrade: websocket\r\n\r\n`, REFUSED],
  ["upgrade with a body", `POST /portForward/ns/p HTTP/1.1\r\nContent-Length: 3\r\n${UPGRADE}abc`, REFUSED],
  ["allowed upgrade, then a request", `GET /portForward/ns/p HTTP/1.1\r\n${UPGRADE}${HIDDEN}`, {
    // The stand-in echoes the stream: what came behind was bytes to it, no request.
    answer: /^HTTP\/1\.1 101 .*GET \/exec\/ns\/p\/c/s,
    passes: ["GET /portForward/ns/p"],
  }],
  [
    "allowed upgrade that the kubelet refuses, then a request",
    `GET /portForward/no/p HTTP/1.1\r\n${UPGRADE}${HIDDEN}`,
    {
      answer: /^HTTP\/1\.1 404 (?!.*exec)/s,
      passes: ["GET /portForward/no/p"],
    },
  ],
];

const PSEUDO: Readonly<Record<string, string>> = {
  ":method": "GET",
  ":scheme": "https",
  ":authority": "node",
  ":path": "/exec/ns/p/c",
};
const h2 = (changes: Record<string, string | undefined> = {}, ...more: [string, string][]): [string, string][] => [
  ...Object.entries({ ...PSEUDO, ...changes }).filter((each): each is [string, string] => each[1] !== undefined),
  ...more,
];

const H2: readonly (readonly [string, [string, string][], Expected])[] = [
  ["plain", h2(), H2_DENIED],
  ["encoded letter", h2({ ":path": "/%65xec/ns/p/c" }), H2_DENIED],
  ["upper case", h2({ ":path": "/EXEC/ns/p/c" }), H2_DENIED],
  ["dot-dot segment", h2({ ":path": "/pods/../exec/ns/p/c" }), H2_REFUSED],
  ["encoded slash", h2({ ":path": "/exec%2fns/p/c" }), H2_REFUSED],
  ["absolute form in :path", h2({ ":path": "https://node/pods" }), H2_REFUSED],
  ["empty :path", h2({ ":path": "" }), H2_REFUSED],
  ["asterisk", h2({ ":path": "*", ":method": "OPTIONS" }), H2_REFUSED],
  ["no :path", h2({ ":path": undefined }), H2_REFUSED],
  ["two :path", [...h2({ ":path": "/pods" }), [":path", "/exec/ns/p/c"]], H2_REFUSED],
  ["two :method", [...h2({ ":path": "/pods" }), [":method", "POST"]], H2_REFUSED],
  [":path behind a header", [...h2({ ":path": undefined }), ["a", "b"], [":path", "/exec/ns/p/c"]], H2_REFUSED],
  ["unknown pseudo-header", [...h2({ ":path": "/pods" }), [":x", "y"]], H2_REFUSED],
  ["blank in :path", h2({ ":path": "/pods /exec" }), H2_REFUSED],
  ["line break in :path", h2({ ":path": "/pods HTTP/1.1\r\nX: y\r\n\r\nGET /exec" }), H2_REFUSED],
  ["line break in :method", h2({ ":path": "/pods", ":method": "GET /exec HTTP/1.1\r\nX: y" }), H2_REFUSED],
  ["eight-bit :path", h2({ ":path": "/pods\xff" }), H2_REFUSED],
  ["lower-case :method", h2({ ":path": "/pods", ":method": "get" }), H2_REFUSED],
  ["CONNECT", [[":method", "CONNECT"], [":authority", "node:10250"]], { answer: /^answered: $/ }],
  ["extended CONNECT", h2({ ":method": "CONNECT" }, [":protocol", "websocket"]), H2_REFUSED],
  [
    "Connection and Upgrade",
    h2({ ":path": "/portForward/ns/p" }, ["connection", "upgrade"], ["upgrade", "websocket"]),
    H2_REFUSED,
  ],
  ["Upgrade alone", h2({ ":path": "/portForward/ns/p" }, ["upgrade", "websocket"]), H2_REFUSED],
  ["Transfer-Encoding", h2({ ":path": "/pods", ":method": "POST" }, ["transfer-encoding", "chunked"]), H2_REFUSED],
  [
    "two lengths",
    h2({ ":path": "/pods", ":method": "POST" }, ["content-length", "3"], ["content-length", "4"]),
    H2_REFUSED,
  ],
  ["other Host", h2({ ":path": "/pods" }, ["host", "other"]), {
    answer: /^answered: GET \/pods$/,
    passes: ["GET /pods"],
  }],
];

/** Allows what judgeByRoute does, and port-forward. */
const judge: Judge = (facts) => facts.action === "port_forward" ? { allowed: true, rule: "test" } : judgeByRoute(facts);

Deno.test("the proxy refuses evasions, or judges them rightly", async () => {
  const rows: [string, string, string, string][] = [];
  const failures: string[] = [];
  const handlers = {
    upgrade(request: IncomingMessage, socket: Socket) {
      socket.on("error", () => {});
      if (request.url?.includes("/no/")) {
        return void socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
      }
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
      socket.once("data", (bytes: Uint8Array) => socket.end(bytes));
    },
  };
  await withKubeletProxy({ judge, handlers }, async (bed) => {
    const attempt = async (over: string, name: string, expected: Expected, run: () => Promise<string>) => {
      bed.kubelet.seen.length = 0;
      const answer = await run();
      const shown = answer.split("\r\n\r\n").filter((_, i) => i < 2).map((part) => part.split("\r\n")[0]).join(" ");
      rows.push([name, over, shown.replace(/^HTTP\/1\.1 /, "").trim().slice(0, 70), bed.kubelet.seen.join(", ")]);
      if (!expected.answer.test(answer)) failures.push(`${over} ${name}: answered ${JSON.stringify(answer)}`);
      const passed = JSON.stringify(bed.kubelet.seen);
      if (expected.mayPass && passed === '["POST /pods"]') return;
      if (passed !== JSON.stringify(expected.passes ?? [])) {
        failures.push(`${over} ${name}: reached the kubelet: ${passed}`);
      }
    };
    for (const [name, bytes, expected] of H1) {
      await attempt("http/1.1", name, expected, () => bed.exchange(bytes));
    }
    for (const [name, headers, expected] of H2) {
      await attempt("h2", name, expected, () => sendH2(bed, headers));
    }
  });
  console.log(table([["ATTEMPT", "OVER", "ANSWER", "REACHED THE KUBELET"], ...rows]));
  assert.deepEqual(failures, []);
});

Deno.test("the proxy closes the connection behind a doubtful request: nothing after it is looked at", async () => {
  await withKubeletProxy({}, async (bed) => {
    const doubtful = `GET //pods HTTP/1.1\r\n${HOST}\r\nGET /pods HTTP/1.1\r\n${CLOSE}`;
    assert.match(await bed.exchange(doubtful), /^HTTP\/1\.1 400 (?!.*HTTP\/1\.1)/s);
    assert.deepEqual(bed.kubelet.seen, []);
  });
});

Deno.test("the proxy gives a client no place to put its own name or token", async () => {
  await withKubeletProxy({}, async (bed) => {
    const socket = await bed.connect();
    socket.resume();
    socket.write(
      `GET /pods HTTP/1.1\r\n${HOST}Authorization: Bearer x\r\nImpersonate-User: root\r\nX-Remote-User: root\r\n` +
        "Connection: close, Accept\r\nAccept: text/plain\r\nUser-Agent: test\r\n\r\n",
    );
    await once(socket, "close");
    const [headers] = bed.kubelet.headers;
    assert.deepEqual(headers!.slice(2), ["User-Agent", "test"]);
    assert.match(headers!.slice(0, 2).join(" "), /^Host 127\.0\.0\.1:\d+$/);
  });
});

Deno.test("a request whose h2 connection breaks in the same breath harms nobody else", async () => {
  await withKubeletProxy({}, async (bed) => {
    const socket = await bed.connect({ alpn: "h2" });
    const noFrame = Uint8Array.from({ length: 40 }, () => 0xff);
    socket.write(Uint8Array.from([...rawH2Opening(h2({ ":path": "/pods" }), true), ...noFrame]));
    await once(socket.resume(), "close");
    assert.equal((await bed.get("/pods")).status, 200);
  });
});

Deno.test("a body whose h2 stream is reset without an error does not look whole to the kubelet", async () => {
  const begun = Promise.withResolvers<void>();
  const over = Promise.withResolvers<string>();
  const handlers = {
    request(request: IncomingMessage, response: ServerResponse) {
      request.once("data", () => begun.resolve());
      request.once("end", () => over.resolve("whole"));
      request.on("error", () => over.resolve("broken off"));
      response.on("error", () => {});
    },
  };
  await withKubeletProxy({ handlers }, async (bed) => {
    const socket = await bed.connect({ alpn: "h2" });
    socket.resume();
    socket.write(rawH2Opening(h2({ ":path": "/pods", ":method": "POST" }), false));
    socket.write(rawH2Data("half"));
    await begun.promise;
    socket.write(rawH2Reset());
    assert.equal(await over.promise, "broken off");
    const closed = once(socket, "close");
    socket.destroy();
    await closed;
  });
});

async function sendH2(bed: ProxyBed, headers: [string, string][]): Promise<string> {
  const { end, body } = await rawH2Request(await bed.connect({ alpn: "h2" }), headers);
  return end === "answered" ? `${end}: ${body.trimEnd()}` : end;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()).join("\n");
}
