// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("yaml.* go both ways as in go-yaml 3", () => {
  checkCalls([
    [
      "yaml.unmarshal",
      ["a: 0777\nb: yes\nc: ~\nd: 1_000\ne: 2001-12-14"],
      '{"a":511,"b":"yes","c":null,"d":1000,"e":"2001-12-14"}',
    ],
    ["yaml.unmarshal", ["a: &x {b: 1}\nc: {<<: *x, d: 2}"], '{"a":{"b":1},"c":{"b":1,"d":2}}'],
    ["yaml.unmarshal", ["a: 1\na: 2"], '{"a":2}'],
    [
      "yaml.unmarshal",
      ["a: [1,"],
      "eval_builtin_error: yaml.unmarshal: yaml: Flow sequence in block collection must be sufficiently indented and end with a ] at line 1, column 7",
    ],
    ["yaml.unmarshal", ["&a [*a]"], "eval_builtin_error: yaml.unmarshal: yaml: anchor 'a' value contains itself"],
    ["yaml.unmarshal", ["a: .inf"], "eval_builtin_error: yaml.unmarshal: json: unsupported value: .inf"],
    ["yaml.unmarshal", [""], "null"],
    ["yaml.is_valid", ["a: b: c"], "false"],
    ["yaml.is_valid", [1], "false"],
    [
      "yaml.marshal",
      [{ a: [1, { b: null }], c: "yes", d: "x: y", e: "m\nl\n", a10: 1, a9: 2 }],
      '"a:\\n  - 1\\n  - b: null\\na9: 2\\na10: 1\\nc: \\"yes\\"\\nd: \'x: y\'\\ne: |\\n  m\\n  l\\n"',
    ],
    ["yaml.marshal", [[[], {}, ""]], '"- []\\n- {}\\n- \\"\\"\\n"'],
  ]);
});
