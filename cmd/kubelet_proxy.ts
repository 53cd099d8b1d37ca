// SPDX-License-Identifier: Apache-2.0
/** `peerctl kubelet-proxy`: stands in front of a kubelet and judges every request by a policy. */

import { X509Certificate } from "node:crypto";
import type { Logger } from "@logtape/logtape";
import { defineCommand } from "../lib/cli/command.ts";
import { type Health, startHealth } from "../lib/daemon/health.ts";
import { configureLogging } from "../lib/daemon/logging.ts";
import { runDaemon, type Service } from "../lib/daemon/run.ts";
import { type AuditLog, openAuditLog } from "../lib/kubelet/audit.ts";
import type { Judge } from "../lib/kubelet/decision.ts";
import { createMetrics, type Metrics } from "../lib/kubelet/metrics.ts";
import { openPolicySource, type PolicySource } from "../lib/kubelet/policy_source.ts";
import { type KubeletProxy, startKubeletProxy } from "../lib/kubelet/proxy.ts";
import { createDenylist, judgeByRoute, judgeWithDenylist } from "../lib/kubelet/route_policy.ts";
import { parseHostPort } from "../lib/net/tcp.ts";
import { parseTlsProfile, type TlsCredentials } from "../lib/net/tls.ts";
import { loadTlsFiles, type TlsFiles, watchTlsFiles } from "../lib/net/tls_files.ts";
import {
  fallbackOf,
  kubeletAddress,
  kubeletProxyFlags,
  type KubeletProxyValues,
  timeoutsOf,
} from "./kubelet_proxy_flags.ts";
import { kubeletProxyPoliciesCommand } from "./kubelet_proxy_policies.ts";

/** How much longer stopping may take than draining, in milliseconds: the audit log is written out. */
const STOP_MARGIN_MS = 10_000;

export default defineCommand({
  name: "kubelet-proxy",
  summary: "stand in front of a kubelet and judge every request by a policy",
  description: `Takes requests from kube-apiserver over mutual TLS, judges each, and forwards what is allowed to the
kubelet with a certificate of its own. Whoever gets through speaks with the rights of that certificate, so clients must
be signed by -ca and be on an allow list. Without -rego exec, attach, run and port-forward are denied. Certificates and
policy are read again when they change, or on SIGHUP; bad ones are logged and the old ones stay.`,
  flags: kubeletProxyFlags,
  subcommands: [kubeletProxyPoliciesCommand],
  goStyle: true,
  examples: [
    {
      text: "Deny exec, attach, run and port-forward",
      command: "kubelet-proxy -cert tls.crt -key tls.key -client-cert client.crt -client-key client.key -ca ca.crt",
    },
    {
      text: "Judge by a policy, and write decisions down",
      command: "kubelet-proxy -cert tls.crt -key tls.key -client-cert client.crt -client-key client.key -ca ca.crt " +
        "-rego -rego-path policy.rego -audit-log audit.log -metrics-listen 127.0.0.1:9250",
    },
  ],
  async run({ values, env }) {
    // Mistakes of the command line are told before there is a log.
    const settings = { kubelet: kubeletAddress(values), fallback: values.rego ? fallbackOf(values) : undefined };
    const log = await configureLogging({
      command: "kubelet-proxy",
      level: values.logLevel,
      format: values.logFormat,
      ...(values.logFile !== "" && { file: { path: values.logFile } }),
    });
    return await runDaemon({
      command: "kubelet-proxy",
      log,
      env,
      stopTimeoutMs: values.drainTimeout + STOP_MARGIN_MS,
      start: () => start(values, settings, log),
    });
  },
});

interface Settings {
  readonly kubelet: ReturnType<typeof kubeletAddress>;
  readonly fallback: ReturnType<typeof fallbackOf> | undefined;
}

async function start(values: KubeletProxyValues, { kubelet, fallback }: Settings, log: Logger): Promise<Service> {
  const certificates = openCertificates(values);
  const metrics = createMetrics();
  const policy = fallback === undefined ? undefined : openPolicySource({
    path: values.regoPath,
    query: values.query,
    fallback,
    limits: { maxMillis: values.policyTimeout },
    log,
    onLoad: (ok) => metrics.policyLoaded(ok),
  });
  const judge = judgeOf(values, policy, log);
  if (values.insecure) {
    log.warn("The kubelet is not verified: whoever answers at its address is given all requests", { ...kubelet });
  }
  const audit = values.auditLog === "" ? undefined : await openAuditLog({
    path: values.auditLog,
    maxBytes: values.auditMaxSize * (1 << 20),
    keep: values.auditKeep,
    log,
  });
  const proxy = await startKubeletProxy({
    listen: parseHostPort(values.listen, "-listen"),
    kubelet: { ...kubelet, skipVerify: values.insecure },
    ...certificates.present(),
    profile: parseTlsProfile("", []),
    allowed: { users: values.allowUser, groups: values.allowGroup },
    judge,
    maxConnections: values.maxConnections,
    timeouts: timeoutsOf(values),
    audit,
    metrics,
    log,
  });
  const health = await startMetrics(values, { proxy, metrics, audit, certificates, log });
  const stopping = new AbortController();
  const closed = Promise.withResolvers<void>();
  const replaceCertificates = () => {
    try {
      certificates.reload();
      const { serving, client } = certificates.present();
      proxy.update(serving, client);
      metrics.certificatesLoaded(true);
      log.info("Certificates replaced");
    } catch (error) {
      metrics.certificatesLoaded(false);
      log.error("Changed certificates cannot be used, the old ones stay", { error });
    }
  };
  certificates.follow(replaceCertificates, log, stopping.signal);
  policy?.follow(stopping.signal);
  log.info("Serving", {
    ...proxy.address,
    kubelet: values.kubeletUrl,
    policy: values.rego ? values.regoPath : "routes",
  });
  return {
    closed: closed.promise,
    async stop() {
      stopping.abort();
      await proxy.stop();
      await health?.stop();
      await audit?.close();
      closed.resolve();
    },
    reload() {
      replaceCertificates();
      policy?.reload();
      audit?.reopen();
    },
  };
}

function judgeOf(values: KubeletProxyValues, policy: PolicySource | undefined, log: Logger): Judge {
  const judge = policy?.judge ?? judgeByRoute;
  const denylist = createDenylist(values.denylist);
  for (const path of denylist.idle) {
    log.warn("A path of -denylist matches no route of a kubelet, it denies nothing", { path });
  }
  return values.denylist.length === 0 ? judge : judgeWithDenylist(denylist, judge);
}

interface Certificates {
  present(): { readonly serving: TlsCredentials; readonly client: TlsCredentials };
  /** @throws {PeerctlError} and keeps the present ones. */
  reload(): void;
  follow(onChange: () => void, log: Logger, signal: AbortSignal): void;
}

/** Both pairs are read together: the CA belongs to each. */
function openCertificates({ ca, cert, key, clientCert, clientKey }: KubeletProxyValues): Certificates {
  const servingFiles: TlsFiles = { caFile: ca, certFile: cert, keyFile: key };
  const clientFiles: TlsFiles = { caFile: ca, certFile: clientCert, keyFile: clientKey };
  const load = () => ({ serving: loadTlsFiles(servingFiles), client: loadTlsFiles(clientFiles) });
  let present = load();
  return {
    present: () => present,
    reload() {
      present = load();
    },
    follow(onChange, log, signal) {
      for (const files of [servingFiles, clientFiles]) {
        // What is read here is thrown away: a change of one pair is a change of both.
        watchTlsFiles(files, { load: () => ({}), onChange, log, signal });
      }
    },
  };
}

interface MetricsParts {
  readonly proxy: KubeletProxy;
  readonly metrics: Metrics;
  readonly audit: AuditLog | undefined;
  readonly certificates: Certificates;
  readonly log: Logger;
}

async function startMetrics(values: KubeletProxyValues, parts: MetricsParts): Promise<Health | undefined> {
  if (values.metricsListen === "") return undefined;
  const { proxy, metrics, audit, certificates, log } = parts;
  const isUp = () => Promise.resolve({ ok: true });
  const health = await startHealth({
    ...parseHostPort(values.metricsListen, "-metrics-listen"),
    startup: isUp,
    ready: isUp,
    metrics() {
      const { serving, client } = certificates.present();
      return metrics.text({
        ...proxy.counts(),
        auditLinesLost: audit?.lost ?? 0,
        certificateEnds: { serving: endOf(serving), kubelet: endOf(client) },
      });
    },
    log,
  });
  log.info("Metrics served", { ...health.address });
  return health;
}

function endOf({ cert }: TlsCredentials): number {
  return cert === undefined ? 0 : new X509Certificate(cert).validToDate.getTime();
}
