// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("uri.* find the parts that Go finds", () => {
  checkCalls([
    [
      "uri.parse",
      ["HTTP://u:p@Host:80/a%20b?q=1#f"],
      '{"fragment":"f","hostname":"Host","path":"/a b","port":"80","raw_path":"/a b","raw_query":"q=1","scheme":"http"}',
    ],
    ["uri.parse", ["mailto:x@y"], '{"scheme":"mailto"}'],
    ["uri.parse", ["http://[::1]:8080/"], '{"hostname":"::1","path":"/","port":"8080","raw_path":"/","scheme":"http"}'],
    [
      "uri.parse",
      ["http://a b/"],
      'eval_builtin_error: uri.parse: parse "http://a b/": invalid character " " in host name',
    ],
    ["uri.parse", ["a:b"], '{"scheme":"a"}'],
    ["uri.is_valid", ["./a:b"], "true"],
    ["uri.is_valid", [":x"], "false"],
    ["uri.is_valid", [""], "false"],
    ["uri.is_valid", [1], "false"],
  ]);
});
