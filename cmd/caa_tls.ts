// SPDX-License-Identifier: Apache-2.0
/** Chooses how caa and the forwarders prove themselves to each other: automatic, manual, or not at all. */

import type { Logger } from "@logtape/logtape";
import { openAutomaticTls } from "../lib/crypto/automatic.ts";
import { PeerctlError } from "../lib/errors.ts";
import { parseTlsProfile, type TlsCredentials } from "../lib/net/tls.ts";
import { loadTlsFiles, watchTlsFiles } from "../lib/net/tls_files.ts";
import { systemClock } from "../lib/os/clock.ts";
import {
  type AgentTls,
  createAutomaticAgentTls,
  createDisabledTls,
  createManualAgentTls,
} from "../lib/sandbox/agent_tls.ts";
import { keepTlsKeys } from "../lib/sandbox/kept_tls_keys.ts";
import type { CaaValues } from "./caa.ts";

export interface OpenAgentTlsOptions {
  readonly values: CaaValues;
  /** Where the keys of automatic mode are kept. */
  readonly keysDir: string;
  readonly log: Logger;
  /** Ends the watching of files. */
  readonly signal: AbortSignal;
  /** Hears of new manual credentials. */
  onChange(credentials: TlsCredentials): Promise<void>;
}

export interface OpenedAgentTls {
  readonly tls: AgentTls;
  /** Passes the present manual credentials on: they may have changed while no caa ran. */
  announce(): Promise<void>;
  /** Reads manual files again; bad ones are logged and the old ones stay. */
  reload(): void;
}

/**
 * Opens the mode that the flags ask for.
 *
 * @throws {PeerctlError} kind "config" for files or a profile that cannot be used.
 */
export async function openAgentTls(options: OpenAgentTlsOptions): Promise<OpenedAgentTls> {
  const { values, log, signal, onChange } = options;
  const files = { caFile: values.caCertFile, certFile: values.certFile, keyFile: values.certKey };
  const isManual = Object.values(files).some((path) => path !== "");
  const profile = parseTlsProfile(values.tlsMinVersion, values.tlsCipherSuites);
  const nothing = { announce: () => Promise.resolve(), reload: () => {} };
  if (values.disableTls) {
    // Not used, but half a set of them is a mistake all the same.
    if (isManual) loadTlsFiles(files);
    log.warn("TLS is disabled: agent calls cross the network in clear text, and anyone may send them");
    return { tls: createDisabledTls(), ...nothing };
  }
  const policy = {
    profile,
    apfProfile: {
      ...(values.tlsMinVersion !== "" && { "tls-min-version": profile.minVersion }),
      ...(profile.cipherSuites.length > 0 && { "tls-cipher-suites": [...profile.cipherSuites] }),
    },
  };
  if (!isManual) {
    const skipVerify = values.tlsSkipVerify;
    if (skipVerify) log.warn("Certificates of forwarders are not verified: anyone may pose as a pod VM");
    const authority = await openAutomaticTls(await keepTlsKeys({ dir: options.keysDir, clock: systemClock, log }));
    return { tls: createAutomaticAgentTls({ ...policy, authority, skipVerify }), ...nothing };
  }

  let current = loadTlsFiles(files);
  if (values.tlsSkipVerify) {
    throw new PeerctlError(
      "config",
      "Cannot use -tls-skip-verify together with -ca-cert-file: they contradict each other",
    );
  }
  function replace(credentials: TlsCredentials): void {
    current = credentials;
    log.info("Certificates replaced", { ca: files.caFile, cert: files.certFile });
    onChange(credentials).catch((error) => log.warn("New certificates did not reach every relay", { error }));
  }
  watchTlsFiles(files, { onChange: replace, log, signal });
  return {
    tls: createManualAgentTls({ ...policy, credentials: () => current }),
    announce: () => onChange(current),
    reload() {
      try {
        replace(loadTlsFiles(files));
      } catch (error) {
        log.warn("Certificates could not be read again, the old ones stay", { error });
      }
    },
  };
}
