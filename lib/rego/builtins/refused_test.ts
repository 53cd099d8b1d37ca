// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { deprecatedBuiltins, refusalOf } from "./refused.ts";
import { builtins } from "./table.ts";

Deno.test("refusalOf() gives the reason for a name and for every name of a family", () => {
  for (
    const name of [
      "http.send",
      "opa.runtime",
      "graphql.parse",
      "crypto.x509.parse_certificates",
      "providers.aws.sign_req",
    ]
  ) {
    assert.match(refusalOf(name) ?? "", /./, name);
  }
  assert.equal(refusalOf("json.unmarshal"), undefined);
  assert.equal(refusalOf("graphqlx"), undefined);
});

Deno.test("no builtin is both offered and refused", () => {
  for (const name of builtins.keys()) {
    assert.equal(refusalOf(name), undefined, name);
    assert.equal(deprecatedBuiltins.has(name), false, name);
  }
});
