// SPDX-License-Identifier: Apache-2.0
/** `peerctl apf`: in a pod VM, takes agent calls from worker nodes and passes them to the kata-agent. */

import { isAbsolute, resolve } from "node:path";
import type { Logger } from "@logtape/logtape";
import { type Forwarder, startForwarder } from "../lib/agent/forwarder.ts";
import { type ForwarderTlsSources, loadForwarderTls } from "../lib/agent/forwarder_tls.ts";
import { createGuestRewriters } from "../lib/agent/guest_rewrite.ts";
import { readBuildInfo } from "../lib/cli/build_info.ts";
import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { boolFlag, refusedFlag, stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import { configureLogging, logFlags } from "../lib/daemon/logging.ts";
import { runDaemon, type Service } from "../lib/daemon/run.ts";
import { PeerctlError } from "../lib/errors.ts";
import { type ApfConfig, MAX_APF_CONFIG_BYTES, parseApfConfig } from "../lib/guest/apf_config.ts";
import { parseHostPort } from "../lib/net/tcp.ts";
import { watchTlsFiles } from "../lib/net/tls_files.ts";

/** Permission bits that let others than the owner read a file. */
const OTHERS_CAN_READ = 0o044;

const NETWORK = "this version sets up no pod network";
const SECURE_COMMS = "this version has no Secure Comms";

const flags = {
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

type Values = ValuesOf<typeof flags>;

export default defineCommand({
  name: "apf",
  aliases: ["agent-protocol-forwarder"],
  summary: "in a pod VM, take agent calls from worker nodes and pass them to the kata-agent",
  description: `Runs in a pod VM, beside a kata-agent. It takes connections from worker nodes over mutual TLS and joins
each to one of its own to the agent. A container is put into the pod's network namespace on the way; everything else
passes unchanged. Certificates come from the configuration that the worker node wrote, or from files, which are read
again when they change.`,
  flags,
  goStyle: true,
  examples: [
    { text: "As in a pod VM: everything is in /run/peerpod/apf.json", command: "apf" },
    {
      text: "Use certificates that are part of the image",
      command: "apf -ca-cert-file client-ca.crt -cert-file tls.crt -cert-key tls.key",
    },
  ],
  async run({ values, env, output }) {
    if (values.version) {
      const { version, commit } = readBuildInfo();
      output.result(`peerctl ${version} (${commit})`);
      return ExitCode.done;
    }
    const log = await configureLogging({
      command: "apf",
      level: values.logLevel,
      format: values.logFormat,
      ...(values.logFile !== "" && { file: { path: values.logFile } }),
    });
    return await runDaemon({ command: "apf", log, env, start: () => start(values, log) });
  },
});

async function start(values: Values, log: Logger): Promise<Service> {
  const config = readConfig(values.config, log);
  if (config["pod-network"] !== null) {
    throw new PeerctlError("config", `Cannot set up the pod network that "${values.config}" asks for: ${NETWORK}`, {
      hint: '"pod-network" must be null',
    });
  }
  const sources: ForwarderTlsSources = {
    files: { caFile: values.caCertFile, certFile: values.certFile, keyFile: values.certKey },
    config,
    configPath: values.config,
    skipVerify: values.tlsSkipVerify,
  };
  if (!isAbsolute(values.podNamespace)) {
    throw new PeerctlError("config", `Cannot use -pod-namespace "${values.podNamespace}": it is not an absolute path`);
  }
  const tls = values.disableTls ? undefined : loadForwarderTls(sources);
  if (tls === undefined) {
    log.warn("TLS is disabled: anyone who reaches this port gives orders to the agent, in clear text");
  } else if (!tls.requireClientCert) {
    log.warn("Clients are not verified: anyone who reaches this port gives orders to the agent");
  }
  const forwarder = await startForwarder({
    listen: parseHostPort(values.listen, "-listen"),
    agentSocket: resolve(values.agentSocket),
    tls,
    rewriters: createGuestRewriters({ networkNamespacePath: values.podNamespace, log }),
    log,
  });
  const stopping = new AbortController();
  if (tls !== undefined) followFiles(forwarder, sources, log, stopping.signal);
  log.info("Serving", { ...forwarder.address, agentSocket: values.agentSocket, pod: config["pod-name"] });
  return {
    closed: forwarder.closed,
    stop() {
      stopping.abort();
      return forwarder.stop();
    },
    reload() {
      if (tls !== undefined) reload(forwarder, sources, log);
    },
  };
}

/** Follows changes of the files; what comes from apf.json is fixed for the life of the VM. */
function followFiles(forwarder: Forwarder, sources: ForwarderTlsSources, log: Logger, signal: AbortSignal): void {
  watchTlsFiles(sources.files, {
    load: () => loadForwarderTls(sources).credentials,
    onChange(credentials) {
      forwarder.update(credentials);
      log.info("Certificates replaced", { ...sources.files });
    },
    log,
    signal,
  });
}

function reload(forwarder: Forwarder, sources: ForwarderTlsSources, log: Logger): void {
  try {
    forwarder.update(loadForwarderTls(sources).credentials);
    log.info("Certificates replaced", { ...sources.files });
  } catch (error) {
    log.warn("Certificates could not be read again, the old ones stay", { error });
  }
}

/** Reads apf.json; it holds a key, so that others should not be able to. */
function readConfig(path: string, log: Logger): ApfConfig {
  let text: string;
  try {
    const { size, mode } = Deno.statSync(path);
    if (size > MAX_APF_CONFIG_BYTES) {
      throw new PeerctlError("limit", `it has ${size} bytes, limit ${MAX_APF_CONFIG_BYTES}`);
    }
    text = Deno.readTextFileSync(path);
    if (((mode ?? 0) & OTHERS_CAN_READ) !== 0 && text.includes("PRIVATE KEY")) {
      log.warn("Configuration holds a private key and others can read it", { path });
    }
  } catch (cause) {
    throw new PeerctlError("config", `Cannot read "${path}"`, {
      hint: "it is written from the VM's user data; -config names another file",
      cause,
    });
  }
  return parseApfConfig(text, path);
}
