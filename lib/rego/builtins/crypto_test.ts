// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("crypto.* hash the bytes of a string", () => {
  checkCalls([
    ["crypto.md5", ["é"], '"66ddcd97cfdeabb2f6fb8a999b4bc76f"'],
    ["crypto.sha1", ["a"], '"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"'],
    ["crypto.sha256", ["a"], '"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"'],
    ["crypto.hmac.md5", ["a", "k"], '"ddcf3d210049e7135f61affae73731cd"'],
    ["crypto.hmac.sha1", ["a", "k"], '"40e7d441cadb17b07f050341aa23a6820ed81c8b"'],
    ["crypto.hmac.sha256", ["a", "k"], '"78da91511e675587f5b9df78bedebaf5560da2abb88162ee875dcdf744951d9e"'],
    [
      "crypto.hmac.sha512",
      ["a", "k"],
      '"82e0c15e0d62ab17984bea225bf7d28ad54f343dd6520c283c3a2cd43852a2f79c349cc9b7583317399ee38d722489b45a942667e55bc38c42a5bb203c0900c7"',
    ],
    ["crypto.hmac.equal", ["a", "a"], "true"],
    ["crypto.hmac.equal", ["a", "b"], "false"],
    ["crypto.hmac.equal", ["a", "ab"], "false"],
    ["crypto.sha256", [1], "eval_type_error: crypto.sha256: operand 1 must be string but got number"],
  ]);
});
