// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { openPolicySource, type PolicySourceOptions } from "./policy_source.ts";
import { readFacts } from "./request_facts.ts";

const POLICY = `package kubelet.policy
import rego.v1
deny contains "no exec" if input.action == "exec"
allow if input.action == "logs"
number := 1
slow if count(numbers.range(1, 900000)) > 0
broken if to_number(input.path) == 1
f(x) := x
fields.deny := true
`;

const facts = (target: string) =>
  readFacts({
    method: "GET",
    target,
    contentType: undefined,
    upgrade: "none",
    caller: { name: "a", groups: [] },
    remote: "",
  });

function withPolicy<T>(
  body: (
    open: (o?: Partial<PolicySourceOptions>) => ReturnType<typeof openPolicySource>,
    path: string,
  ) => Promise<T> | T,
  text = POLICY,
): Promise<T> {
  return withTempDir(async (dir) => {
    const path = join(dir, "policy.rego");
    await Deno.writeTextFile(path, text);
    const open = (o: Partial<PolicySourceOptions> = {}) =>
      openPolicySource({ path, query: "data.kubelet.policy.deny", fallback: "allow", log: recordLog().log, ...o });
    return await body(open, path);
  });
}

Deno.test("openPolicySource() judges by the rule", async () => {
  await withPolicy((open) => {
    const { judge } = open();
    assert.deepEqual(judge(facts("/exec/ns/p/c")), {
      allowed: false,
      status: 403,
      reason: "no exec",
      rule: "data.kubelet.policy.deny",
    });
    assert.equal(judge(facts("/pods")).allowed, true);
    const only = open({ query: "data.kubelet.policy.allow", fallback: "deny" }).judge;
    assert.equal(only(facts("/containerLogs/ns/p/c")).allowed, true);
    assert.equal(only(facts("/pods")).allowed, false);
  });
});

Deno.test("openPolicySource() refuses a query that names no rule: a typo must not allow everything", async () => {
  await withPolicy((open) => {
    const misses = ["data.kubelet.policy.denied", "data.kubelet.policy", "data.kubelet.policy.deny.x", "data"];
    for (const query of [...misses, "data.kubelet.policy.f", "data.kubelet.policy.fields", "data.kubelt.policy.deny"]) {
      assert.throws(() => open({ query }), { kind: "config", message: /names no rule/ }, query);
    }
  });
});

Deno.test("openPolicySource() denies with 500 what cannot be judged: a limit, a builtin's error, another type", async () => {
  await withPolicy((open) => {
    for (const [rule, limits] of [["number", {}], ["slow", { maxSteps: 1000 }], ["broken", {}]] as const) {
      for (const fallback of ["allow", "deny"] as const) {
        const verdict = open({ query: `data.kubelet.policy.${rule}`, fallback, limits }).judge(facts("/pods"));
        assert.ok(!verdict.allowed && verdict.status === 500, `${rule} ${fallback}`);
      }
    }
  });
});

Deno.test("reload() exchanges the policy, and keeps the old one when the new one is bad", async () => {
  const { log, records } = recordLog();
  const loads: boolean[] = [];
  await withPolicy(async (open, path) => {
    const source = open({ log, onLoad: (ok) => loads.push(ok) });
    const isAllowed = () => source.judge(facts("/exec/ns/p/c")).allowed;
    const bad = ["package kubelet.policy\ndeny contains", "package other\nimport rego.v1\ndeny := false\n", ""];
    for (const text of bad) {
      await Deno.writeTextFile(path, text);
      source.reload();
      assert.equal(isAllowed(), false, text);
    }
    await Deno.remove(path);
    source.reload();
    assert.equal(isAllowed(), false, "no file");
    await Deno.writeTextFile(path, "package kubelet.policy\nimport rego.v1\ndeny := false\n");
    source.reload();
    assert.equal(isAllowed(), true);
    source.reload();
  });
  assert.deepEqual(loads, [false, false, false, false, true]);
  assert.equal(records.filter(({ level }) => level === "error").length, 4);
});

Deno.test("follow() sees a file that is replaced, until its signal", async () => {
  const loaded = Promise.withResolvers<boolean>();
  await withPolicy(async (open, path) => {
    const source = open({ onLoad: loaded.resolve });
    const stop = new AbortController();
    source.follow(stop.signal);
    await Deno.writeTextFile(`${path}.new`, "package kubelet.policy\nimport rego.v1\ndeny := false\n");
    await Deno.rename(`${path}.new`, path);
    assert.equal(await loaded.promise, true);
    assert.equal(source.judge(facts("/exec/ns/p/c")).allowed, true);
    stop.abort();
  });
});
