// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createDenylist, judgeByRoute, judgeWithDenylist } from "./route_policy.ts";
import { readFacts } from "./request_facts.ts";

const facts = (method: string, target: string) =>
  readFacts({ method, target, contentType: undefined, upgrade: "none", caller: { name: "a", groups: [] }, remote: "" });

Deno.test("judgeByRoute() denies exec, attach, run and portForward whatever the method", () => {
  for (const method of ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"]) {
    for (const path of ["/exec/ns/p/c", "/attach/ns/p/c", "/run/ns/p/c", "/portForward/ns/p", "/EXEC/ns/p/c"]) {
      assert.equal(judgeByRoute(facts(method, path)).allowed, false, `${method} ${path}`);
    }
    for (const path of ["/containerLogs/ns/p/c", "/pods", "/metrics/cadvisor", "/healthz", "/checkpoint/a/b/c"]) {
      assert.equal(judgeByRoute(facts(method, path)).allowed, true, `${method} ${path}`);
    }
  }
});

Deno.test("judgeWithDenylist() denies by prefix of the decoded path, in any case, before anything else", () => {
  const judge = judgeWithDenylist(createDenylist(["/containerLogs/kube-system", "/debug"]), judgeByRoute);
  for (const path of ["/containerLogs/kube-system/p/c", "/container%4cogs/kube-system/p/c", "/DEBUG/pprof", "/debug"]) {
    const verdict = judge(facts("GET", path));
    assert.ok(!verdict.allowed && verdict.status === 403 && verdict.rule.startsWith("denylist "), path);
  }
  assert.equal(judge(facts("GET", "/containerLogs/default/p/c")).allowed, true);
  assert.equal(judge(facts("GET", "/exec/default/p/c")).allowed, false);
});

Deno.test("createDenylist() knows prefixes that match no route, as the original's default", () => {
  assert.deepEqual(createDenylist(["/pods/exec", "/pods/portforward", "/exec"]).idle, [
    "/pods/exec",
    "/pods/portforward",
  ]);
});

Deno.test("createDenylist() refuses what is no path", () => {
  for (const prefix of ["exec", "/", "/a?b", "/a b", "/%65xec", "https://x/exec"]) {
    assert.throws(() => createDenylist([prefix]), { kind: "config" }, prefix);
  }
});
