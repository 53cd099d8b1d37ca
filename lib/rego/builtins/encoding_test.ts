// SPDX-License-Identifier: Apache-2.0
import { checkCalls } from "../../testing/rego/builtin_calls.ts";

Deno.test("base64, base64url and hex go both ways", () => {
  checkCalls([
    ["base64.encode", ["hé"], '"aMOp"'],
    ["base64.decode", ["aMOp"], '"hé"'],
    ["base64.decode", ["YQ"], "eval_builtin_error: base64.decode: illegal base64 data at input byte 2"],
    ["base64.decode", ["Y!=="], "eval_builtin_error: base64.decode: illegal base64 data at input byte 1"],
    ["base64.is_valid", ["YQ=="], "true"],
    ["base64.is_valid", ["YQ"], "false"],
    ["base64.is_valid", [1], "false"],
    ["base64url.encode", ["??>"], '"Pz8-"'],
    ["base64url.encode_no_pad", ["a"], '"YQ"'],
    ["base64url.decode", ["YQ"], '"a"'],
    ["base64url.decode", ["YQ=="], '"a"'],
    ["base64url.decode", ["A"], "eval_builtin_error: base64url.decode: illegal base64url string: A"],
    ["hex.encode", ["é"], '"c3a9"'],
    ["hex.decode", ["c3a9"], '"é"'],
    ["hex.decode", ["c"], "eval_builtin_error: hex.decode: encoding/hex: odd length hex string"],
    ["hex.decode", ["zz"], "eval_builtin_error: hex.decode: encoding/hex: invalid byte: U+007A 'z'"],
  ]);
});
