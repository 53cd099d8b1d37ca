// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const POLICY = `package kubelet

import data.admins

default allow := false

allow if {
	input.user in admins
	input.verb == "get"
}

deny contains msg if {
	startswith(input.path, "/exec")
	msg := sprintf("%s may not exec", [input.user])
}
`;

const TESTS = `package kubelet_test

import data.kubelet

test_allow if kubelet.allow with input as {"user": "root", "verb": "get"}

test_deny if {
	messages := kubelet.deny with input as {"user": "bob", "path": "/exec/a"}
	print("denied", messages)
	count(messages) == 2
}

todo_test_later := 1
`;

const INPUT = '{"user": "root", "verb": "get", "path": "/exec/x"}';

async function withPolicy<T>(body: (dir: string) => Promise<T>): Promise<T> {
  return await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/kubelet.rego`, POLICY);
    await Deno.writeTextFile(`${dir}/data.yaml`, "admins: [root, 12345678901234567890]\n");
    await Deno.writeTextFile(`${dir}/input.json`, INPUT);
    return await body(dir);
  });
}

/** The files that withPolicy() wrote, as flags. */
const question = ["-d", "kubelet.rego", "-d", "data.yaml", "-i", "input.json"];

Deno.test("peerctl policy eval prints what opa eval prints, and {} when it is undefined", async () => {
  await withPolicy(async (cwd) => {
    const ask = async (query: string) => {
      const { code, stdout, stderr } = await runPeerctl(["policy", "eval", ...question, query, "--output", "json"], {
        cwd,
      });
      assert.deepEqual([code, stderr], [0, ""]);
      return JSON.parse(stdout);
    };
    assert.deepEqual(await ask("data.kubelet"), {
      result: [{
        expressions: [{
          value: { allow: true, deny: ["root may not exec"] },
          text: "data.kubelet",
          location: { row: 1, col: 1 },
        }],
      }],
    });
    assert.deepEqual(await ask("data.kubelet.nothing"), {});
    assert.deepEqual((await ask("x := data.admins[0]")).result[0].bindings, { x: "root" });
  });
});

Deno.test("peerctl policy eval rounds no number, and takes the input from stdin", async () => {
  await withPolicy(async (cwd) => {
    const args = ["policy", "eval", "-d", "data.yaml", "-i", "-", "[data.admins[1], input + 1]", "--output", "json"];
    const { stdout } = await runPeerctl(args, { cwd, stdin: "0.1234567890123456789" });
    assert.deepEqual([...stdout.matchAll(/[\d.]{15,}/g)].map(String), [
      "12345678901234567890",
      "1.1234567890123456789",
    ]);
  });
});

Deno.test("peerctl policy eval refuses http.send when the policy is loaded, before the input is read", async () => {
  await withTempDir(async (cwd) => {
    await Deno.writeTextFile(
      `${cwd}/bad.rego`,
      'package bad\n\nallow if {\n\tx := http.send({"url": "http://x"})\n\tx.ok\n}\n',
    );
    const args = ["policy", "eval", "-d", "bad.rego", "-i", "nowhere.json", "data.bad.allow"];
    const text = await runPeerctl(args, { cwd });
    assert.deepEqual([text.code, text.stdout], [1, ""]);
    assert.match(
      text.stderr,
      /^peerctl policy eval: error: bad\.rego:4:7: rego_unsupported_error: http\.send is refused/,
    );
    assert.ok(text.stderr.includes('    4 | \tx := http.send({"url": "http://x"})\n      | \t     ^\n'), text.stderr);
    const json = await runPeerctl([...args, "--output", "json"], { cwd });
    assert.equal(json.code, 1);
    const { errors } = JSON.parse(json.stdout);
    assert.equal(errors[0].code, "rego_unsupported_error");
    assert.deepEqual(errors[0].location, { file: "bad.rego", row: 4, col: 7 });
  });
});

Deno.test("peerctl policy eval ends within its steps whatever pattern or loop the policy has", async () => {
  await withTempDir(async (cwd) => {
    const policy = `package hostile

backtracking if regex.match("^(a+)+$", input)

pairs := [1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 10000); i == j + 200000]
`;
    await Deno.writeTextFile(`${cwd}/hostile.rego`, policy);
    await Deno.writeTextFile(`${cwd}/input.json`, JSON.stringify(`${"a".repeat(50_000)}b`));
    const run = (query: string, ...flags: string[]) =>
      runPeerctl(["policy", "eval", "-d", "hostile.rego", "-i", "input.json", query, "--output", "json", ...flags], {
        cwd,
      });
    // Backtracking would not end in any number of steps.
    const match = await run("data.hostile.backtracking", "--max-steps", "20000");
    assert.deepEqual([match.code, JSON.parse(match.stdout)], [0, {}]);
    const loop = await run("data.hostile.pairs", "--max-steps", "1000000", "--timeout", "1m");
    assert.equal(loop.code, 1);
    assert.equal(JSON.parse(loop.stdout).errors[0].code, "eval_limit_error");
  });
});

Deno.test("peerctl policy eval --explain shows which rules were tried and where they failed", async () => {
  await withPolicy(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/input.json`, '{"user": "bob", "verb": "get"}');
    const { code, stdout } = await runPeerctl(["policy", "eval", ...question, "data.kubelet.allow", "--explain"], {
      cwd,
    });
    assert.equal(code, 0);
    assert.match(stdout, /^false\n/);
    assert.match(
      stdout,
      /data\.kubelet\.allow {2}kubelet\.rego:7:1 {2}undefined\n│ +failed at kubelet\.rego:8:2: input\.user in admins\n/,
    );
  });
});

Deno.test("peerctl policy check shows every error with its line and a caret, and warnings", async () => {
  await withPolicy(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/unsafe.rego`, "package unsafe\n\np := x\n\nq if y > 1\n");
    const good = await runPeerctl(["policy", "check", "kubelet.rego", "data.yaml"], { cwd });
    assert.deepEqual(good, { code: 0, stdout: "1 policy checked, 0 warnings\n", stderr: "" });
    const bad = await runPeerctl(["policy", "check", "."], { cwd });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /unsafe\.rego:5:6: rego_unsafe_var_error: .*\n {4}5 \| q if y > 1\n {6}\| {6}\^\n/);
    assert.match(bad.stderr, /unsafe\.rego:3:\d: rego_unsafe_var_error: var x is unsafe\n/);
  });
});

Deno.test("peerctl policy check refuses types that do not go together, with what was found and what is expected", async () => {
  await withPolicy(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/types.rego`, 'package types\n\nlimit := "3"\n\ndeny if abs(limit) > 1\n');
    const { code, stdout, stderr } = await runPeerctl(["policy", "check", "types.rego"], { cwd });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /types\.rego:5:13: rego_type_error: abs: argument 1 is a string, but has to be a number\n +5 \| deny if abs\(limit\) > 1\n +\| {13}\^\n/,
    );
  });
});

Deno.test("peerctl policy test exits 1 on a failing test and shows its line", async () => {
  await withPolicy(async (cwd) => {
    await Deno.remove(`${cwd}/input.json`);
    await Deno.writeTextFile(`${cwd}/kubelet_test.rego`, TESTS);
    const { code, stdout } = await runPeerctl(["policy", "test", "."], { cwd });
    assert.equal(code, 1);
    assert.match(stdout, /^data\.kubelet_test\.test_allow: passed /m);
    assert.match(stdout, /^data\.kubelet_test\.test_deny: FAILED .*\n {4}print: denied \{"bob may not exec"\}\n/m);
    assert.ok(
      stdout.includes(
        "kubelet_test.rego:10:2: this is undefined or false\n   10 | \tcount(messages) == 2\n      | \t^\n",
      ),
    );
    assert.match(stdout, /^1 passed, 1 failed, 1 skipped$/m);
    assert.match(stdout, /^kubelet\.rego +85\.71 % +5$/m);
    const one = await runPeerctl(["policy", "test", ".", "--run", "test_allow", "--output", "json"], { cwd });
    assert.equal(one.code, 0);
    const { results, coverage } = JSON.parse(one.stdout);
    assert.deepEqual(results.map((each: { name: string; fail?: boolean }) => [each.name, each.fail]), [[
      "test_allow",
      undefined,
    ]]);
    assert.deepEqual(coverage.files["kubelet.rego"].not_covered, [{ start: { row: 5 }, end: { row: 5 } }, {
      start: { row: 12 },
      end: { row: 14 },
    }]);
  });
});

Deno.test("peerctl policy test does not pass when there is no test", async () => {
  await withPolicy(async (cwd) => {
    const { code, stderr } = await runPeerctl(["policy", "test", "kubelet.rego"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /Cannot test kubelet\.rego: there is no test in it/);
  });
});

Deno.test("peerctl policy bench says how fast a decision is", async () => {
  await withPolicy(async (cwd) => {
    const args = ["policy", "bench", ...question, "data.kubelet.deny", "--duration", "50ms", "--output", "json"];
    const { code, stdout } = await runPeerctl(args, { cwd });
    assert.equal(code, 0);
    const report = JSON.parse(stdout);
    assert.ok(report.decisions > 0 && report.perSecond > 0 && report.microseconds.p50 > 0, stdout);
  });
});

Deno.test("peerctl policy refuses what is no command of it, and a query too many", async () => {
  const unknown = await runPeerctl(["policy", "chek", "x.rego"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /Cannot run policy "chek": there is no such command\n.*did you mean check\?/);
  assert.equal((await runPeerctl(["policy"])).code, 2);
  assert.equal((await runPeerctl(["policy", "eval", "data.a", "data.b"])).code, 2);
});
