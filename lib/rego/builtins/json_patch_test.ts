// SPDX-License-Identifier: Apache-2.0
import { checkCalls, set } from "../../testing/rego/builtin_calls.ts";

Deno.test("json.patch() follows RFC 6902", () => {
  checkCalls([
    ["json.patch", [{ a: { b: [1] } }, [{ op: "add", path: "/a/b/-", value: 2 }]], '{"a":{"b":[1,2]}}'],
    ["json.patch", [{ a: 1 }, [{ op: "remove", path: "/a" }]], "{}"],
    ["json.patch", [{ a: 1 }, [{ op: "replace", path: "/a", value: 2 }]], '{"a":2}'],
    ["json.patch", [{ a: 1 }, [{ op: "move", from: "/a", path: "/b" }]], '{"b":1}'],
    ["json.patch", [{ a: 1 }, [{ op: "copy", from: "/a", path: "/b" }]], '{"a":1,"b":1}'],
    ["json.patch", [{ a: 1 }, [{ op: "test", path: "/a", value: 1 }]], '{"a":1}'],
    [
      "json.patch",
      [{ a: 1 }, [{ op: "test", path: "/a", value: 2 }]],
      "eval_builtin_error: json.patch: value from EditTree != patch value.\n\nExpected: 2\n\nFound: 1",
    ],
    ["json.patch", [set(1), [{ op: "add", path: [2], value: 2 }]], "[1,2]"],
    [
      "json.patch",
      [[1], [{ op: "add", path: "/5", value: 2 }]],
      "eval_builtin_error: json.patch: index for array insertion out of bounds",
    ],
    ["json.patch", [{}, [{ op: "x", path: "/a" }]], "eval_builtin_error: json.patch: unrecognized op: 'x'"],
    [
      "json.patch",
      [{}, [1]],
      "eval_builtin_error: json.patch: must be an array of JSON-Patch objects, but at least one element is not an object",
    ],
  ]);
});
