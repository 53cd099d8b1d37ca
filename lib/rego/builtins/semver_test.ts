// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("semver.* follow semver.org", () => {
  checkCalls([
    ["semver.compare", ["1.2.3", "1.2.4"], "-1"],
    ["semver.compare", ["v1.0.0-alpha.2", "1.0.0-alpha.11"], "-1"],
    ["semver.compare", ["1.0.0-alpha", "1.0.0"], "-1"],
    ["semver.compare", ["1.0.0+a", "1.0.0+b"], "0"],
    [
      "semver.compare",
      ["1.0", "1.0.0"],
      'eval_builtin_error: semver.compare: operand 1: string "1.0" is not a valid SemVer',
    ],
    ["semver.is_valid", ["1.0.0-01"], "false"],
    ["semver.is_valid", ["v1.0.0-rc.1+b"], "true"],
    ["semver.is_valid", [1], "false"],
  ]);
});
