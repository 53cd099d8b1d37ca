// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createMetrics } from "./metrics.ts";

const GAUGES = {
  connections: 3,
  requestsUnderWay: 2,
  streams: 1,
  auditLinesLost: 0,
  certificateEnds: { serving: 1_700_000_000_000 },
};

Deno.test("createMetrics() writes the text format of Prometheus", () => {
  const metrics = createMetrics();
  const entry = {
    ...{ time: new Date(), requestId: "1", user: "u", groups: [], remote: "", method: "GET", path: "/", rule: "r" },
    ...{ upgrade: "none", durationMs: 1, bytesIn: 5, bytesOut: 7 },
  };
  metrics.done({ ...entry, action: "logs", decision: "allow", status: 200 });
  metrics.done({ ...entry, action: "logs", decision: "allow", status: 200 });
  metrics.done({ ...entry, action: "exec", decision: "deny", status: 403 });
  metrics.decided(0.03);
  metrics.decided(70_000);
  metrics.upstreamFailed("timeout");
  metrics.policyLoaded(false);
  const text = metrics.text(GAUGES);
  for (
    const sample of [
      'requests_total{action="logs",decision="allow",code="200"} 2',
      'requests_total{action="exec",decision="deny",code="403"} 1',
      "request_bytes_total 15",
      "connections 3",
      'decision_seconds_bucket{le="0.00001"} 0',
      'decision_seconds_bucket{le="0.00005"} 1',
      'decision_seconds_bucket{le="1"} 1',
      'decision_seconds_bucket{le="+Inf"} 2',
      "decision_seconds_count 2",
      'upstream_failures_total{kind="timeout"} 1',
      'policy_loads_total{result="failed"} 1',
      'certificate_end_seconds{certificate="serving"} 1700000000',
    ]
  ) assert.ok(text.includes(`\npeerctl_kubelet_proxy_${sample}\n`), `${sample} is not in\n${text}`);
  for (const line of text.trimEnd().split("\n")) {
    assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$/);
  }
});
