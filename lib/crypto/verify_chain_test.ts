// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { makeVerifyCases } from "../testing/verify_cases.ts";
import { askOurs } from "../testing/verify_peers.ts";

for (const one of makeVerifyCases()) {
  const verdict = one.reasons.length === 0 ? "takes" : "refuses";
  Deno.test(`verifyCertificate() ${verdict} ${one.name}`, () => {
    const { valid, why, codes } = askOurs(one);
    assert.deepEqual(codes.toSorted(), one.reasons.toSorted(), why);
    assert.equal(valid, one.reasons.length === 0, why);
  });
}
