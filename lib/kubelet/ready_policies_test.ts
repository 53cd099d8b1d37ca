// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { loadPolicyFiles } from "../rego/policy_files.ts";
import { runPolicyTests } from "../rego/policy_tests.ts";
import { recordLog } from "../testing/recorded_log.ts";
import { openPolicySource } from "./policy_source.ts";
import { READY_POLICIES } from "./ready_policies.ts";
import { readFacts } from "./request_facts.ts";
import type { UpgradeKind } from "./upgrade_headers.ts";

const DIR = new URL("./policies/", import.meta.url).pathname;

Deno.test("READY_POLICIES has every policy of the folder, as it is there", async () => {
  const files = [...Deno.readDirSync(DIR)].map(({ name }) => name).filter((name) => !name.endsWith("_test.rego"));
  assert.deepEqual(READY_POLICIES.map(({ name }) => `${name}.rego`), files.sort());
  for (const { name, text } of READY_POLICIES) assert.equal(text, await Deno.readTextFile(`${DIR}${name}.rego`));
});

for (const { name } of READY_POLICIES) {
  Deno.test(`the ready policy ${name} passes its own tests, and they reach all of it`, () => {
    const report = runPolicyTests(loadPolicyFiles([`${DIR}${name}.rego`, `${DIR}${name}_test.rego`]));
    assert.ok(report.results.length >= 3);
    assert.deepEqual(report.results.filter(({ state }) => state !== "pass").map(({ name }) => name), []);
    const coverage = report.coverage.report(report.covered);
    assert.deepEqual(coverage.get(`${DIR}${name}.rego`)?.notCovered, []);
  });
}

/** Method, target, upgrade, and which of the four policies let it through. */
const REQUESTS: readonly (readonly [string, string, UpgradeKind, readonly string[]])[] = [
  ["GET", "/containerLogs/default/p/c", "none", ["deny-exec", "exec-commands", "namespaces", "read-only"]],
  ["GET", "/containerLogs/kube-system/p/c", "none", ["deny-exec", "exec-commands", "read-only"]],
  ["POST", "/exec/default/p/c?command=ls&command=-l", "spdy", ["exec-commands", "namespaces"]],
  ["GET", "/exec/default/p/c?command=ls&command=-l", "websocket", ["exec-commands", "namespaces"]],
  ["GET", "/exec/default/p/c?command=sh", "none", ["namespaces"]],
  ["POST", "/exec/kube-system/p/c?command=sh", "spdy", []],
  ["POST", "/EXEC/default/p/c?command=sh", "spdy", ["namespaces"]],
  ["GET", "/portForward/default/p", "websocket", ["namespaces"]],
  ["POST", "/run/default/p/uid/c?cmd=ls%20-l", "none", ["namespaces"]],
  ["POST", "/attach/default/p/c", "spdy", ["namespaces"]],
  ["GET", "/pods", "none", ["deny-exec", "exec-commands", "read-only"]],
  ["GET", "/logs/pods/secret", "none", ["deny-exec", "exec-commands", "read-only"]],
  ["GET", "/metrics/cadvisor", "none", ["deny-exec", "exec-commands", "namespaces", "read-only"]],
  ["POST", "/checkpoint/default/p/c", "none", ["deny-exec", "exec-commands", "namespaces"]],
  ["DELETE", "/pods", "none", ["deny-exec", "exec-commands"]],
];

Deno.test("the ready policies judge what the proxy tells them", () => {
  const judges = READY_POLICIES.map(({ name }) => {
    const path = `${DIR}${name}.rego`;
    const o = { path, query: "data.kubelet.policy.deny", fallback: "allow", log: recordLog().log } as const;
    return { name, judge: openPolicySource(o).judge };
  });
  for (const [method, target, upgrade, expected] of REQUESTS) {
    const caller = { name: "api", groups: [] };
    const facts = readFacts({ method, target, contentType: undefined, upgrade, caller, remote: "192.0.2.1" });
    const verdicts = judges.map(({ name, judge }) => ({ name, verdict: judge(facts) }));
    const passes = verdicts.filter(({ verdict }) => verdict.allowed).map(({ name }) => name);
    assert.deepEqual(passes, expected, `${method} ${target}`);
    for (const { verdict } of verdicts) assert.ok(verdict.allowed || verdict.status === 403);
  }
});
