// SPDX-License-Identifier: Apache-2.0
/** Prepared policy decisions of lib/rego, beside OPA and regorus. */

import { compareSpeed, rate } from "../rego/bench_compare.ts";
import { benchPolicies } from "../rego/bench_policies.ts";
import { requirePeer } from "../peers.ts";
import type { Bench } from "./bench.ts";

/** How long each subject decides for in each round, in seconds: enough for a compiler to have done its work. */
const SECONDS = 1;
const QUICK_SECONDS = 0.1;

export default {
  summary: "prepared decisions of Rego policies, beside OPA and, where cargo is, regorus",
  needs: ["go"],
  async run(o) {
    const seconds = o.seconds ?? (o.quick ? QUICK_SECONDS : SECONDS);
    for (let round = 0; round < o.rounds; round++) {
      for (const policy of benchPolicies) {
        o.note(`round ${round + 1} of ${o.rounds}: ${policy.name}`);
        for (const [subject, measured] of await compareSpeed(policy, { seconds, rounds: 1 })) {
          o.add({ line: policy.name, unit: "decisions/s", better: "more" }, subject, rate(measured));
          o.add({ line: policy.name, unit: "load ms", better: "less" }, subject, measured.loadSeconds * 1000);
        }
      }
    }
    if (requirePeer("cargo").ignore) o.remark("Without regorus: cargo is not on PATH.");
    o.remark("Every subject decided alike on every input.");
  },
} satisfies Bench;
