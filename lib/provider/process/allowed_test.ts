// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { checkProcessProviderAllowed } from "./allowed.ts";

Deno.test("checkProcessProviderAllowed() refuses a node of a cluster unless that is asked for", () => {
  checkProcessProviderAllowed({ nodeName: undefined, allowInCluster: false });
  checkProcessProviderAllowed({ nodeName: "", allowInCluster: false });
  checkProcessProviderAllowed({ nodeName: "worker-1", allowInCluster: true });
  assert.throws(() => checkProcessProviderAllowed({ nodeName: "worker-1", allowInCluster: false }), {
    kind: "config",
    message: /NODE_NAME is set/,
    hint: /-allow-process-in-cluster/,
  });
});
