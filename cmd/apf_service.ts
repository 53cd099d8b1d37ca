// SPDX-License-Identifier: Apache-2.0
/** The service of `peerctl apf`: reads its configuration, serves worker nodes, and takes up new certificates. */

import { isAbsolute, resolve } from "node:path";
import type { Logger } from "@logtape/logtape";
import { type Forwarder, startForwarder } from "../lib/agent/forwarder.ts";
import { type ForwarderTlsSources, loadForwarderTls } from "../lib/agent/forwarder_tls.ts";
import { createGuestRewriters } from "../lib/agent/guest_rewrite.ts";
import { configureLogging } from "../lib/daemon/logging.ts";
import { runDaemon, type Service } from "../lib/daemon/run.ts";
import { PeerctlError } from "../lib/errors.ts";
import { type ApfConfig, MAX_APF_CONFIG_BYTES, parseApfConfig } from "../lib/guest/apf_config.ts";
import { parseHostPort } from "../lib/net/tcp.ts";
import { watchTlsFiles } from "../lib/net/tls_files.ts";
import { type ApfValues, NETWORK } from "./apf_flags.ts";

/** Permission bits that let others than the owner read a file. */
const OTHERS_CAN_READ = 0o044;

/** Serves until a signal comes; returns the exit code. */
export async function runApf(values: ApfValues, env: Readonly<Record<string, string>>): Promise<number> {
  const log = await configureLogging({
    command: "apf",
    level: values.logLevel,
    format: values.logFormat,
    ...(values.logFile !== "" && { file: { path: values.logFile } }),
  });
  return await runDaemon({ command: "apf", log, env, start: () => start(values, log) });
}

async function start(values: ApfValues, log: Logger): Promise<Service> {
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
