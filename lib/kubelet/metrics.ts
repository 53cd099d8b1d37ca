// SPDX-License-Identifier: Apache-2.0
/** Counts what the proxy does and writes it in the text format that Prometheus reads. */

import type { AuditEntry } from "./audit.ts";

/** Upper bounds of the buckets for the time of a decision, in seconds: a policy takes microseconds, a bad one more. */
const DECISION_BUCKETS = [0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.1, 1];

export interface Gauges {
  readonly connections: number;
  readonly requestsUnderWay: number;
  readonly streams: number;
  readonly auditLinesLost: number;
  /** End of the serving certificate and of the one towards the kubelet, in milliseconds since 1970. */
  readonly certificateEnds: Readonly<Record<string, number>>;
}

export interface Metrics {
  /** One request is done. */
  done(entry: AuditEntry): void;
  /** One decision of the policy, in milliseconds. */
  decided(durationMs: number): void;
  upstreamFailed(kind: string): void;
  connectionRefused(reason: "limit" | "certificate"): void;
  policyLoaded(ok: boolean): void;
  certificatesLoaded(ok: boolean): void;
  text(gauges: Gauges): string;
}

const PREFIX = "peerctl_kubelet_proxy_";

export function createMetrics(): Metrics {
  const requests = createCounter("action", "decision", "code");
  const upstreamFailures = createCounter("kind");
  const refusedConnections = createCounter("reason");
  const policyLoads = createCounter("result");
  const certificateLoads = createCounter("result");
  const buckets = DECISION_BUCKETS.map(() => 0);
  let decisions = 0, decisionSeconds = 0, bytesIn = 0, bytesOut = 0;
  const result = (ok: boolean) => ok ? "ok" : "failed";

  return {
    done(entry) {
      requests.add(entry.action, entry.decision, String(entry.status));
      bytesIn += entry.bytesIn;
      bytesOut += entry.bytesOut;
    },
    decided(durationMs) {
      const seconds = durationMs / 1000;
      decisions++;
      decisionSeconds += seconds;
      const at = DECISION_BUCKETS.findIndex((bound) => seconds <= bound);
      if (at >= 0) buckets[at]!++;
    },
    upstreamFailed: (kind) => upstreamFailures.add(kind),
    connectionRefused: (reason) => refusedConnections.add(reason),
    policyLoaded: (ok) => policyLoads.add(result(ok)),
    certificatesLoaded: (ok) => certificateLoads.add(result(ok)),
    text(gauges) {
      let below = 0;
      const histogram = DECISION_BUCKETS.map((bound, i) => `_bucket{le="${bound}"} ${below += buckets[i]!}`);
      const ends = Object.entries(gauges.certificateEnds);
      const families: [name: string, type: string, help: string, samples: readonly string[]][] = [
        ["requests_total", "counter", "Requests by what they ask for and what became of them.", requests.samples()],
        ["request_bytes_total", "counter", "Bytes of bodies and streams from clients.", [` ${bytesIn}`]],
        ["response_bytes_total", "counter", "Bytes of bodies and streams to clients.", [` ${bytesOut}`]],
        ["requests_under_way", "gauge", "Requests that are not done.", [` ${gauges.requestsUnderWay}`]],
        ["streams", "gauge", "Open exec, attach and port-forward streams.", [` ${gauges.streams}`]],
        ["connections", "gauge", "Open connections of clients.", [` ${gauges.connections}`]],
        ["connections_refused_total", "counter", "Connections turned away.", refusedConnections.samples()],
        ["decision_seconds", "histogram", "Time a decision takes.", [
          ...histogram,
          `_bucket{le="+Inf"} ${decisions}`,
          `_sum ${decisionSeconds}`,
          `_count ${decisions}`,
        ]],
        ["upstream_failures_total", "counter", "Requests that the kubelet did not answer.", upstreamFailures.samples()],
        ["policy_loads_total", "counter", "Policies read after the first.", policyLoads.samples()],
        ["certificate_loads_total", "counter", "Certificates read after the first.", certificateLoads.samples()],
        ["audit_lines_lost_total", "counter", "Decisions missing in the audit log.", [` ${gauges.auditLinesLost}`]],
        [
          "certificate_end_seconds",
          "gauge",
          "When a certificate expires, in seconds since 1970.",
          ends.map(
            ([which, end]) => `{certificate="${which}"} ${end / 1000}`,
          ),
        ],
      ];
      return families.map(([name, type, help, samples]) =>
        [
          `# HELP ${PREFIX}${name} ${help}`,
          `# TYPE ${PREFIX}${name} ${type}`,
          ...samples.map((sample) => `${PREFIX}${name}${sample}`),
        ].join("\n")
      ).join("\n") + "\n";
    },
  };
}

/** Counts by label values, which are all words of ours: their number is bounded. */
function createCounter(...labels: string[]) {
  const counts = new Map<string, number>();
  return {
    add(...values: string[]) {
      const key = labels.map((label, i) => `${label}="${values[i]}"`).join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    samples: () => [...counts].map(([key, count]) => `{${key}} ${count}`),
  };
}
