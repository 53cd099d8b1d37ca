// SPDX-License-Identifier: Apache-2.0
/** Decides with which certificates a forwarder serves, and whether its clients need one: from files and from apf.json. */

import { PeerctlError } from "../errors.ts";
import type { ApfConfig } from "../guest/apf_config.ts";
import { checkCredentials, type TlsCredentials } from "../net/tls_credentials.ts";
import { readSmallFile, type TlsFiles } from "../net/tls_files.ts";
import { parseTlsProfile } from "../net/tls_profile.ts";
import type { ForwarderTls } from "./forwarder.ts";

export interface ForwarderTlsSources {
  /** Their contents win over what `config` gives. */
  readonly files: TlsFiles;
  readonly config: ApfConfig;
  /** Where `config` was read, for errors. */
  readonly configPath: string;
  /** Serve clients without a certificate. */
  readonly skipVerify: boolean;
}

/** A text and what it is called in errors. */
interface Source {
  readonly text: string | undefined;
  readonly name: string;
}

/**
 * Reads and checks what the forwarder will serve with; also to read changed files again.
 *
 * Upstream serves without client authentication whenever no CA is given. Here that has to be asked for, and asking for
 * it while a CA is given is a contradiction.
 *
 * @throws {PeerctlError} kind "config": something missing, contradictory, unreadable, expired or not fitting together.
 */
export function loadForwarderTls(sources: ForwarderTlsSources): ForwarderTls {
  const { config, configPath, skipVerify } = sources;
  const { caFile, certFile, keyFile } = sources.files;
  const fromConfig = (key: keyof ApfConfig & `tls-server-${string}` | "tls-client-ca"): Source => {
    return { text: config[key], name: `"${key}" in "${configPath}"` };
  };
  if ((certFile === "") !== (keyFile === "")) {
    throw new PeerctlError(
      "config",
      "Cannot serve TLS: a certificate file and its key file go together, one is missing",
    );
  }
  const ca = caFile === "" ? fromConfig("tls-client-ca") : fromFile(caFile, "CA");
  const cert = certFile === "" ? fromConfig("tls-server-cert") : fromFile(certFile, "certificate");
  const key = keyFile === "" ? fromConfig("tls-server-key") : fromFile(keyFile, "private key");
  requireServerCertificate(cert, key, configPath);
  requireClientPolicy(ca, skipVerify, configPath);

  const credentials: TlsCredentials = { ca: ca.text, cert: cert.text, key: key.text };
  checkCredentials(credentials, { ca: ca.name, cert: cert.name, key: key.name });
  const profile = parseTlsProfile(config["tls-min-version"] ?? "", config["tls-cipher-suites"] ?? []);
  return { credentials, profile, requireClientCert: ca.text !== undefined };
}

function requireServerCertificate(cert: Source, key: Source, configPath: string): void {
  const missing = [cert, key].filter((source) => source.text === undefined).map((source) => source.name);
  if (missing.length === 0) return;
  throw new PeerctlError("config", `Cannot serve TLS: no server certificate, missing ${missing.join(" and ")}`, {
    hint: `give -cert-file and -cert-key, or complete "${configPath}"; -disable-tls serves in clear text`,
  });
}

function requireClientPolicy(ca: Source, skipVerify: boolean, configPath: string): void {
  if (ca.text !== undefined && skipVerify) {
    throw new PeerctlError("config", `Cannot skip the verification of clients: a CA for them is given, ${ca.name}`, {
      hint: "leave out -tls-skip-verify, or the CA",
    });
  }
  if (ca.text === undefined && !skipVerify) {
    throw new PeerctlError(
      "config",
      "Cannot serve TLS: no CA for clients, so that anyone could give orders to the agent",
      {
        hint: `give -ca-cert-file, or "tls-client-ca" in "${configPath}"; -tls-skip-verify lets anyone in`,
      },
    );
  }
}

function fromFile(path: string, what: string): Source {
  return { text: readSmallFile(path, what), name: `${what} file "${path}"` };
}
