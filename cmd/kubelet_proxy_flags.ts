// SPDX-License-Identifier: Apache-2.0
/** The flags of `peerctl kubelet-proxy`, and what is made of those that need more than one look. */

import { boolFlag, durationFlag, intFlag, listFlag, stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import { logFlags } from "../lib/daemon/logging.ts";
import { PeerctlError } from "../lib/errors.ts";
import type { Fallback } from "../lib/kubelet/decision.ts";
import type { Timeouts } from "../lib/kubelet/timeouts.ts";

const DEFAULT_QUERY = "data.kubelet.policy.deny";

export const kubeletProxyFlags = {
  cert: stringFlag("cert", { required: true, placeholder: "FILE", help: "certificate to show to clients (PEM)" }),
  key: stringFlag("key", { required: true, placeholder: "FILE", help: "file with the key of -cert (PEM)" }),
  clientCert: stringFlag("client-cert", {
    required: true,
    placeholder: "FILE",
    help: "certificate to show to the kubelet (PEM)",
  }),
  clientKey: stringFlag("client-key", {
    required: true,
    placeholder: "FILE",
    help: "file with the key of -client-cert (PEM)",
  }),
  ca: stringFlag("ca", {
    required: true,
    placeholder: "FILE",
    help: "CA that signed the certificates of clients and kubelet (PEM)",
  }),
  listen: stringFlag("listen", {
    placeholder: "ADDRESS",
    default: "0.0.0.0:20250",
    help: "address and port on which clients connect",
  }),
  kubeletUrl: stringFlag("kubelet-url", {
    placeholder: "URL",
    default: "https://localhost:10250",
    help: "where the kubelet is",
  }),
  kubeletHost: stringFlag("kubelet-host", {
    placeholder: "NAME",
    help: "name or address that the kubelet's certificate must carry; the host of -kubelet-url if not given",
  }),
  insecure: boolFlag("insecure", {
    help: "do not verify the kubelet's certificate (unsafe); clients are still verified",
  }),
  allowUser: listFlag("allow-user", {
    placeholder: "NAME",
    default: ["kube-apiserver-kubelet-client"],
    help: "user (common name of the certificate) who may speak to the kubelet; given once, the default is gone",
  }),
  allowGroup: listFlag("allow-group", {
    placeholder: "NAME",
    help: "group (organisation of the certificate) whose members may speak to the kubelet",
  }),
  denylist: listFlag("denylist", {
    placeholder: "PATH",
    commaSeparated: true,
    help: "prefixes of paths to deny before anything else is asked, separated by commas",
  }),
  rego: boolFlag("rego", {
    help:
      "judge by the policy of -rego-path; without it exec, attach, run and port-forward are denied, all else passes",
  }),
  regoPath: stringFlag("rego-path", {
    placeholder: "FILE",
    default: "policy.rego",
    help: "the policy: a .rego file, or a folder of them with their data",
  }),
  query: stringFlag("query", {
    placeholder: "RULE",
    default: DEFAULT_QUERY,
    help: "rule of the policy that decides",
  }),
  default: stringFlag("default", {
    placeholder: "allow|deny",
    help: "what holds when the rule gives nothing; allow for a rule called deny, must be given for any other",
  }),
  policyTimeout: durationFlag("policy-timeout", {
    default: "1s",
    min: "1ms",
    help: "time after which a decision is given up and the request denied",
  }),
  auditLog: stringFlag("audit-log", {
    placeholder: "FILE",
    help: "write one JSON line for each decision to this file",
  }),
  auditMaxSize: intFlag("audit-max-size", {
    placeholder: "MIB",
    default: 100,
    min: 1,
    max: 1 << 20,
    help: "size at which the audit log is put aside and a new one begun, in MiB",
  }),
  auditKeep: intFlag("audit-keep", { default: 5, min: 0, max: 1000, help: "how many older audit logs are kept" }),
  metricsListen: stringFlag("metrics-listen", {
    placeholder: "ADDRESS",
    help: "address and port of /metrics, /healthz and /readyz, in clear text; none if not given",
  }),
  maxConnections: intFlag("max-connections", {
    default: 1000,
    min: 1,
    max: 1_000_000,
    help: "most connections of clients at a time",
  }),
  connectTimeout: durationFlag("connect-timeout", {
    default: "10s",
    min: "1ms",
    help: "for connecting to the kubelet",
  }),
  headerTimeout: durationFlag("header-timeout", {
    default: "10s",
    min: "1ms",
    help: "for a client to send the headers of a request",
  }),
  responseTimeout: durationFlag("response-timeout", {
    default: "1m",
    min: "1ms",
    help: "for the kubelet to begin its answer; logs that follow, run and checkpoint may take four hours",
  }),
  idleTimeout: durationFlag("idle-timeout", {
    default: "100s",
    min: "1s",
    help: "how long a client's connection may be without a request",
  }),
  streamIdleTimeout: durationFlag("stream-idle-timeout", {
    default: "4h",
    min: "1s",
    help: "how long an exec, attach or port-forward may be without a byte",
  }),
  drainTimeout: durationFlag("drain-timeout", {
    default: "20s",
    help: "how long requests and streams may go on after SIGTERM",
  }),
  ...logFlags,
};

export type KubeletProxyValues = ValuesOf<typeof kubeletProxyFlags>;

export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
}

/** @throws {PeerctlError} kind "usage" for anything but https://host:port. */
export function kubeletAddress({ kubeletUrl, kubeletHost }: KubeletProxyValues): KubeletAddress {
  const refuse = (why: string) =>
    new PeerctlError("usage", `Cannot use -kubelet-url "${kubeletUrl}": ${why}`, {
      hint: "write it as https://localhost:10250",
    });
  const url = URL.parse(kubeletUrl);
  if (url === null) throw refuse("it is not a URL");
  if (url.protocol !== "https:") throw refuse("it must begin with https://");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "" || url.pathname !== "/") {
    throw refuse("it must be a host and a port only");
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: Number(url.port || 443), serverName: kubeletHost === "" ? host : kubeletHost };
}

/**
 * Chooses what holds when the policy says nothing. A rule that denies leaves the rest allowed; to take that for granted
 * of any other rule could turn a policy around.
 *
 * @throws {PeerctlError} kind "usage".
 */
export function fallbackOf({ query, default: given }: KubeletProxyValues): Fallback {
  const isDeny = /(^|\.)deny$/.test(query);
  if (given === "") {
    if (isDeny) return "allow";
    throw new PeerctlError("usage", `Cannot use -query ${query} without -default: the rule is not called deny`, {
      hint: "-default deny: only true allows; -default allow: true, or a set or object with something in it, denies",
    });
  }
  if (given === "allow" || given === "deny") return given;
  throw new PeerctlError("usage", `Cannot use -default "${given}": must be allow or deny`);
}

export function timeoutsOf(values: KubeletProxyValues): Timeouts {
  return {
    connectMs: values.connectTimeout,
    headersMs: values.headerTimeout,
    responseMs: values.responseTimeout,
    idleMs: values.idleTimeout,
    streamIdleMs: values.streamIdleTimeout,
    drainMs: values.drainTimeout,
  };
}
