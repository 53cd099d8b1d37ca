// SPDX-License-Identifier: Apache-2.0
import { checkCalls, num, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("sprintf() formats as Go does", () => {
  checkCalls([
    ["sprintf", ["%d %v %s", [1, num("1.0"), "x"]], '"1 1 x"'],
    ["sprintf", ["%s", [1]], '"%!s(int64=1)"'],
    ["sprintf", ["%d", ["x"]], '"%!d(string=x)"'],
    ["sprintf", ["%v %v", [{ a: set(1, "b") }, null]], '"{\\"a\\": {1, \\"b\\"}} null"'],
    ["sprintf", ["%08.3f|%-5d|%+d", [3.14159, 42, 7]], '"0003.142|42   |+7"'],
    ["sprintf", ["%x %X %q %U", [255, "é", 'a"b', 128512]], '"ff C3A9 \\"a\\\\\\"b\\" U+1F600"'],
    ["sprintf", ["%[2]d %[1]d", [1, 2]], '"2 1"'],
    ["sprintf", ["%*d|%.*f", [4, 7, 2, 1.005]], '"   7|1.00"'],
    ["sprintf", ["%d", []], '"%!d(MISSING)"'],
    ["sprintf", ["%", [1]], '"%!(NOVERB)%!(EXTRA int64=1)"'],
    ["sprintf", ["x", [1, "y"]], '"x%!(EXTRA int64=1, string=y)"'],
    ["sprintf", ["%d", [num("18446744073709551617")]], '"18446744073709551617"'],
    ["sprintf", ["%e %g %G", [123456.789, 1e+21, 1e-7]], '"1.234568e+05 1e+21 1E-07"'],
    ["sprintf", ["%t %c", [true, 65]], '"%!t(string=true) A"'],
    ["sprintf", ["x", "y"], "eval_type_error: sprintf: operand 2 must be array but got string"],
  ]);
});
