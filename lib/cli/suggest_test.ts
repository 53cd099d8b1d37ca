// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { suggest } from "./suggest.ts";

const known = ["caa", "relay", "apf", "certgen", "completion"];

Deno.test("suggest() finds the word that was meant", () => {
  const cases: [string, string | undefined][] = [
    ["certgn", "certgen"],
    ["cergten", "certgen"],
    ["CAA", "caa"],
    ["afp", "apf"],
    ["comp", "completion"],
    ["banana", undefined],
    ["x", undefined],
    ["", undefined],
    ["c".repeat(100), undefined],
  ];
  for (const [word, meant] of cases) assert.equal(suggest(word, known), meant, word);
});
