// SPDX-License-Identifier: Apache-2.0
/** The flags of `peerctl apf`. */

import { boolFlag, refusedFlag, stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import { logFlags } from "../lib/daemon/logging.ts";

/** Why a pod network is refused. */
export const NETWORK = "this version sets up no pod network";
const SECURE_COMMS = "this version has no Secure Comms";

export const apfFlags = {
  config: stringFlag("config", {
    placeholder: "FILE",
    default: "/run/peerpod/apf.json",
    help: "what the worker node wrote for this pod VM",
  }),
  listen: stringFlag("listen", {
    placeholder: "ADDRESS",
    default: "0.0.0.0:15150",
    help: "address and port on which worker nodes connect",
  }),
  agentSocket: stringFlag("kata-agent-socket", {
    placeholder: "SOCKET",
    default: "/run/kata-containers/agent.sock",
    help: "unix socket of the kata-agent; it may appear later",
  }),
  podNamespace: stringFlag("pod-namespace", {
    placeholder: "FILE",
    default: "/run/netns/podns",
    help: "network namespace that containers join",
  }),
  caCertFile: stringFlag("ca-cert-file", {
    placeholder: "FILE",
    help: "CA that signed the worker nodes' certificates (PEM); wins over the configuration",
  }),
  certFile: stringFlag("cert-file", {
    placeholder: "FILE",
    help: "certificate to show to worker nodes (PEM); wins over the configuration",
  }),
  certKey: stringFlag("cert-key", { placeholder: "FILE", help: "file with the key of -cert-file (PEM)" }),
  tlsSkipVerify: boolFlag("tls-skip-verify", { help: "let clients in without a certificate (unsafe)" }),
  disableTls: boolFlag("disable-tls", { help: "serve in clear text (unsafe, for debugging)" }),
  version: boolFlag("version", { help: "show the version and do nothing else" }),
  ...logFlags,
  hostInterface: refusedFlag("host-interface", { reason: NETWORK, allow: [""] }),
  secureComms: refusedFlag("secure-comms", { reason: SECURE_COMMS, allow: ["0", "f", "false"] }),
  secureCommsInbounds: refusedFlag("secure-comms-inbounds", { reason: SECURE_COMMS, allow: [""] }),
  secureCommsOutbounds: refusedFlag("secure-comms-outbounds", { reason: SECURE_COMMS, allow: [""] }),
};

export type ApfValues = ValuesOf<typeof apfFlags>;
