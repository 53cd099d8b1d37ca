// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { toJson } from "../rego/json.ts";
import { type FactsSource, inputDocument, readFacts } from "./request_facts.ts";

const facts = (target: string, o: Partial<FactsSource> = {}) =>
  readFacts({
    method: "POST",
    target,
    contentType: undefined,
    upgrade: "none",
    caller: { name: "api", groups: ["g1", "g2"] },
    remote: "192.0.2.1",
    ...o,
  });

Deno.test("inputDocument() has everything that policies are promised", () => {
  const target = "/%65xec/ns/pod/uid/app?command=sh&command=-c&command=a+b&stdin=1";
  assert.deepEqual(toJson(inputDocument(facts(target, { upgrade: "spdy" }))), {
    method: "POST",
    path: "/exec/ns/pod/uid/app",
    raw_path: "/%65xec/ns/pod/uid/app",
    query: { command: ["sh", "-c", "a b"], stdin: ["1"] },
    user: { name: "api", groups: ["g1", "g2"] },
    verb: "create",
    subresource: "proxy",
    action: "exec",
    namespace: "ns",
    pod: "pod",
    uid: "uid",
    container: "app",
    command: ["sh", "-c", "a b"],
    port: null,
    upgrade: "spdy",
    remote: "192.0.2.1",
  });
});

Deno.test("readFacts() splits the command of run at blanks, as kubelets do", () => {
  assert.deepEqual(facts("/run/ns/p/c?cmd=ls%20-l++x").command, ["ls", "-l", "", "x"]);
  assert.deepEqual(facts("/run/ns/p/c").command, []);
  assert.deepEqual(facts("/containerLogs/ns/p/c?command=x&cmd=y", { method: "GET" }).command, []);
});

Deno.test("readFacts() refuses a run whose command could be another than the one seen", () => {
  const form = { contentType: "application/x-www-form-urlencoded; charset=utf-8" };
  assert.throws(() => facts("/run/ns/p/c?cmd=ls", form), { status: 400 });
  assert.throws(() => facts("/run/ns/p/c?cmd=ls", { contentType: "Multipart/Form-Data; boundary=x" }), { status: 400 });
  assert.throws(() => facts("/run/ns/p/c?cmd=ls&cmd=rm"), { status: 400 });
  assert.deepEqual(facts("/run/ns/p/c?cmd=ls", { contentType: "text/plain" }).command, ["ls"]);
});

Deno.test("readFacts() tells the one port of a port-forward over websocket", () => {
  const websocket = { method: "GET", upgrade: "websocket" } as const;
  assert.equal(facts("/portForward/ns/p?port=8080", websocket).port, 8080);
  assert.equal(facts("/portForward/ns/p?port=8080", { upgrade: "spdy" }).port, null);
  assert.equal(facts("/portForward/ns/p", websocket).port, null);
  for (const query of ["port=80&port=22", "port=80,22", "port=", "port=0", "port=65536", "port=+80", "port=0x16"]) {
    assert.throws(() => facts(`/portForward/ns/p?${query}`, websocket), { status: 400 }, query);
  }
});

Deno.test("readFacts() refuses methods that no kubelet has", () => {
  for (const method of ["CONNECT", "TRACE", "get", "FOO", ""]) {
    assert.throws(() => facts("/pods", { method }), { status: 405 }, method);
  }
});
