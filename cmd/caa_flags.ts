// SPDX-License-Identifier: Apache-2.0
/** The flags of `peerctl caa` that every provider shares: names, variables and defaults of the Go adaptor. */

import {
  boolFlag,
  choiceFlag,
  durationFlag,
  intFlag,
  listFlag,
  portFlag,
  refusedFlag,
  stringFlag,
} from "../lib/cli/flags.ts";
import { logFlags } from "../lib/daemon/logging.ts";

const NETWORK = "this version sets up no pod network";
const SECURE_COMMS = "this version has no Secure Comms";
const KUBERNETES = "this version does not talk to Kubernetes";

export const caaFlags = {
  socket: stringFlag("socket", {
    placeholder: "SOCKET",
    env: "REMOTE_HYPERVISOR_ENDPOINT",
    default: "/run/peerpod/hypervisor.sock",
    help: "unix socket on which the kata shim finds its remote hypervisor",
  }),
  podsDir: stringFlag("pods-dir", {
    placeholder: "DIR",
    env: "PODS_DIR",
    default: "/run/peerpod/pods",
    help: "folder for the agents' sockets and what else this caa owns",
  }),
  pauseImage: stringFlag("pause-image", {
    env: "PAUSE_IMAGE",
    help: "accepted for compatibility; has no effect, as in the Go program",
  }),
  forwarderPort: portFlag("forwarder-port", {
    env: "FORWARDER_PORT",
    default: 15150,
    help: "port on which the forwarder in the pod VM listens",
  }),
  caCertFile: stringFlag("ca-cert-file", {
    placeholder: "FILE",
    env: "CACERT_FILE",
    help: "CA that signed the forwarders' certificates (PEM)",
  }),
  certFile: stringFlag("cert-file", {
    placeholder: "FILE",
    env: "CERT_FILE",
    help: "certificate to show to forwarders (PEM)",
  }),
  certKey: stringFlag("cert-key", {
    placeholder: "FILE",
    env: "CERT_KEY",
    help: "file with the key of -cert-file (PEM)",
  }),
  tlsSkipVerify: boolFlag("tls-skip-verify", {
    env: "TLS_SKIP_VERIFY",
    help: "do not verify the forwarders' certificates (unsafe)",
  }),
  tlsMinVersion: stringFlag("tls-min-version", {
    env: "TLS_MIN_VERSION",
    help: "lowest TLS version: VersionTLS12 (the default) or VersionTLS13",
  }),
  tlsCipherSuites: listFlag("tls-cipher-suites", {
    env: "TLS_CIPHER_SUITES",
    commaSeparated: true,
    help: "cipher suites for TLS 1.2, by IANA name, separated by commas",
  }),
  disableTls: boolFlag("disable-tls", { help: "talk to forwarders in clear text (unsafe, for debugging)" }),
  proxyTimeoutMs: durationFlag("proxy-timeout", {
    env: "PROXY_TIMEOUT",
    default: "5m",
    help: "how long to try to reach the agent of a new pod VM",
  }),
  initdata: stringFlag("initdata", {
    env: "INITDATA",
    help: "initdata for pods that bring none: base64 of gzipped TOML",
  }),
  cloudConfigVerify: boolFlag("cloud-config-verify", {
    env: "CLOUD_CONFIG_VERIFY",
    help: "do not start when the provider's settings do not check out",
  }),
  scratchSpace: boolFlag("enable-scratch-space", {
    env: "ENABLE_SCRATCH_SPACE",
    help: "have pod VMs make themselves an encrypted scratch disk",
  }),
  probePort: portFlag("probe-port", {
    env: "PROBE_PORT",
    default: 8000,
    min: 0,
    help: "port of /startup, /healthz and /readyz on 127.0.0.1; 0 picks a free one",
  }),
  nodeName: stringFlag("node-name", { env: "NODE_NAME", help: "name of this worker node; set inside Kubernetes" }),
  relay: choiceFlag("relay", {
    choices: ["auto", "spawn", "wait"],
    default: "auto",
    help: "start a relay when none runs (auto, spawn), or wait for a relay unit",
  }),
  relays: intFlag("relays", {
    default: 1,
    min: 1,
    max: 64,
    help: "over how many relay processes sandboxes are spread",
  }),
  orphanGraceMs: durationFlag("orphan-grace", {
    default: "10m",
    help: "how long an instance that is ours but belongs to no sandbox is left alone before it is deleted",
  }),
  ...logFlags,
  tunnelType: refusedFlag("tunnel-type", { env: "TUNNEL_TYPE", reason: NETWORK }),
  vxlanPort: refusedFlag("vxlan-port", { env: "VXLAN_PORT", reason: NETWORK }),
  vxlanMinId: refusedFlag("vxlan-min-id", { reason: NETWORK }),
  hostInterface: refusedFlag("host-interface", { reason: NETWORK }),
  externalNetwork: refusedFlag("ext-network-via-podvm", {
    allow: ["0", "f", "false"],
    env: "EXTERNAL_NETWORK_VIA_PODVM",
    reason: NETWORK,
  }),
  podSubnetCidrs: refusedFlag("pod-subnet-cidrs", { env: "POD_SUBNET_CIDRS", reason: NETWORK }),
  peerpodsLimit: refusedFlag("peerpods-limit-per-node", { env: "PEERPODS_LIMIT_PER_NODE", reason: KUBERNETES }),
  secureComms: refusedFlag("secure-comms", { allow: ["0", "f", "false"], env: "SECURE_COMMS", reason: SECURE_COMMS }),
  secureCommsNoTrustee: refusedFlag("secure-comms-no-trustee", {
    allow: ["0", "f", "false"],
    env: "SECURE_COMMS_NO_TRUSTEE",
    reason: SECURE_COMMS,
  }),
  secureCommsInbounds: refusedFlag("secure-comms-inbounds", { env: "SECURE_COMMS_INBOUNDS", reason: SECURE_COMMS }),
  secureCommsOutbounds: refusedFlag("secure-comms-outbounds", { env: "SECURE_COMMS_OUTBOUNDS", reason: SECURE_COMMS }),
  secureCommsPpInbounds: refusedFlag("secure-comms-pp-inbounds", {
    env: "SECURE_COMMS_PP_INBOUNDS",
    reason: SECURE_COMMS,
  }),
  secureCommsPpOutbounds: refusedFlag("secure-comms-pp-outbounds", {
    env: "SECURE_COMMS_PP_OUTBOUNDS",
    reason: SECURE_COMMS,
  }),
  secureCommsKbs: refusedFlag("secure-comms-kbs", { env: "SECURE_COMMS_KBS_ADDR", reason: SECURE_COMMS }),
};
