// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { runPolicyTests } from "./policy_tests.ts";
import { RegoObject } from "./values.ts";

function run(text: string, select?: (ref: string) => boolean) {
  const files = { modules: [{ path: "a_test.rego", text: `package a\n${text}` }], data: RegoObject.empty };
  const { results } = runPolicyTests(files, {
    limits: { maxSteps: 10_000 },
    ...(select === undefined ? {} : { select }),
  });
  return results.map(({ name, state, failed }) => [name, state, failed.map(({ line }) => line).join()]);
}

Deno.test("runPolicyTests() passes what has a value, fails what is undefined or false, and says where", () => {
  const found = run(`test_true := true
test_value := {"a": 1}
test_false := false
test_undefined if {
	x := 1
	x == 2
}
todo_test_later if input.x
not_a_test := false
`);
  assert.deepEqual(found, [
    ["test_true", "pass", ""],
    ["test_value", "pass", ""],
    ["test_false", "fail", ""],
    ["test_undefined", "fail", "7"],
    ["todo_test_later", "skip", ""],
  ]);
});

Deno.test("runPolicyTests() goes on behind a test that stops, and keeps what each printed", () => {
  const files = {
    modules: [{
      path: "a_test.rego",
      text: `package a
test_conflict := {"a": 1, "b": 2}[_]
test_loop if {
	some i in numbers.range(1, 1000000)
	i < 0
}
test_print if print("one", {2})
test_last := 1
`,
    }],
    data: RegoObject.empty,
  };
  const { results } = runPolicyTests(files, { limits: { maxSteps: 10_000 } });
  assert.deepEqual(results.map(({ name, state, error, printed }) => [name, state, error?.code, printed]), [
    ["test_conflict", "error", "eval_conflict_error", []],
    ["test_loop", "error", "eval_limit_error", []],
    ["test_print", "pass", undefined, ["one {2}"]],
    ["test_last", "pass", undefined, []],
  ]);
});

Deno.test("runPolicyTests() runs only the tests selected", () => {
  assert.deepEqual(run("test_a := 1\ntest_b := 1\n", (ref) => ref.endsWith("_b")), [["test_b", "pass", ""]]);
});
