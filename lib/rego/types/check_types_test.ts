// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { LINES_BEFORE, loadTypeCases, type TypeCase } from "../../testing/rego/type_cases.ts";
import { RegoError } from "../limits.ts";
import { compile } from "../policy.ts";

Deno.test("checkTypes() says where and why types do not go together, and accepts what may hold", async () => {
  const cases = await loadTypeCases();
  assert.ok(cases.filter(({ refusal }) => refusal !== undefined).length > 150);
  assert.ok(cases.filter(({ refusal }) => refusal === undefined).length > 100);
  for (const each of cases) assert.equal(refusalOf(each), each.refusal, each.policy);
});

/** As the file of the cases writes it. */
function refusalOf({ policy }: TypeCase): string | undefined {
  try {
    compile([{ path: "a.rego", text: policy }]);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RegoError, String(error));
    const [{ code, message, location } = { code: "", message: "", location: undefined }] = error.diagnostics;
    assert.equal(code, "rego_type_error", message);
    assert.ok(location);
    return `${location.line - LINES_BEFORE}:${location.column} ${message}`;
  }
}

Deno.test("checkTypes() knows the rules of other files, and blames a rule only once", () => {
  const files = [
    { path: "users.rego", text: 'package users\n\nadmins := {"root"}\n\nlevel(x) := x + 1\n' },
    { path: "allow.rego", text: "package allow\n\nimport data.users\n\nok if 7 in users.admins\n\nalso if ok == 1\n" },
    { path: "more.rego", text: 'package more\n\nimport data.users.level\n\np := level("a")\n\nq := p + 1\n' },
  ];
  assert.throws(() => compile(files), (error: RegoError) => {
    assert.deepEqual(error.diagnostics.map(({ location, message }) => [location?.file, location?.line, message]), [
      ["allow.rego", 5, "never found: the value is a number, but the collection's values are strings"],
      ["more.rego", 5, "data.users.level: argument 1 is a string, but has to be a number"],
    ]);
    return true;
  });
});

Deno.test("checkTypes() checks queries, too", () => {
  const policy = compile([{ path: "a.rego", text: 'package a\n\np := "x"\n\nf(x) := x + 1\n' }]);
  assert.deepEqual(policy.evaluate("data.a.p == input", "x").length, 1);
  const refused = { code: "rego_type_error" };
  assert.throws(() => policy.evaluate("data.a.p = 1"), { ...refused, message: /^.*query:1:1: .*never equal/ });
  assert.throws(() => policy.evaluate("data.a.p.q"), { ...refused, message: /data\.a\.p is a string/ });
  assert.throws(() => policy.evaluate('x := data.a.f("y")'), { ...refused, message: /argument 1 is a string/ });
});

Deno.test("checkTypes() takes documents for anything, even beside rules", () => {
  const policy = compile([{
    path: "a.rego",
    text: "package a\n\np if data.a.q == 1\n\nr if data.a.q.s[0] == input.t\n",
  }]);
  assert.deepEqual(policy.evaluate("data.a.p").length, 0);
});

Deno.test("checkTypes() ends soon where types nest and multiply from rule to rule", () => {
  const rules = Array.from({ length: 1_000 }, (_, i) => `p${i + 1} := [p${i}, {"k": p${i}}]`);
  const wide = Array.from({ length: 1_000 }, (_, i) => `w[${i}] := {"k${i}": ${i}}`);
  const text = `package a\n\np0 := 1\n${rules.join("\n")}\n${wide.join("\n")}\n`;
  compile([{ path: "a.rego", text: `${text}q if p1000 == p999\n\nr if { some x, y; w[x] == w[y] }\n` }]);
});
