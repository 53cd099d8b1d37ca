// SPDX-License-Identifier: Apache-2.0
/** What a TLS connection must at least be: its version and, for TLS 1.2, its cipher suite. */

import type { TLSSocket } from "node:tls";
import { PeerctlError } from "../errors.ts";

export type TlsMinVersion = "VersionTLS12" | "VersionTLS13";

export interface TlsProfile {
  readonly minVersion: TlsMinVersion;
  /** IANA names; they bind TLS 1.2 only, as in Go's crypto/tls. Empty allows every suite that the runtime has. */
  readonly cipherSuites: readonly string[];
}

/** The names that flags and apf.json use (k8s.io/component-base), and what node:tls calls them. */
const VERSIONS = { VersionTLS12: "TLSv1.2", VersionTLS13: "TLSv1.3" } as const;

/** The TLS 1.2 suites that Deno 2.9.6 has (rustls); measured with getCipher() against openssl. */
const TLS12_SUITES = [
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/**
 * Suites of TLS 1.3. Lists written for other programs name them beside the others; there is nothing to choose, for
 * all three are always on, as in Go's crypto/tls.
 */
const TLS13_SUITES = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/** Older names of two suites that Go still takes. */
const ALIASES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
};

/** Our floor, whatever is asked for. */
export const DEFAULT_PROFILE: TlsProfile = { minVersion: "VersionTLS12", cipherSuites: [] };

/**
 * Reads `-tls-min-version` ("" is TLS 1.2) and `-tls-cipher-suites` (trimmed, blanks dropped).
 *
 * @throws {PeerctlError} kind "config" for TLS 1.0 and 1.1, for a list with TLS 1.3, and for suites that could never be
 * used, naming those that can.
 */
export function parseTlsProfile(minVersion: string, cipherSuites: readonly string[]): TlsProfile {
  const version = minVersion.trim() === "" ? DEFAULT_PROFILE.minVersion : minVersion.trim();
  if (!isMinVersion(version)) {
    throw new PeerctlError(
      "config",
      `Cannot use TLS minimum version "${version}": must be VersionTLS12 or VersionTLS13`,
    );
  }
  const names = cipherSuites.map((name) => name.trim()).filter((name) => name !== "").map((name) =>
    ALIASES[name] ?? name
  );
  if (names.length > 0 && version === "VersionTLS13") {
    throw new PeerctlError("config", "Cannot use TLS cipher suites with VersionTLS13: its suites cannot be chosen", {
      hint: "leave the cipher suites out, or allow VersionTLS12",
    });
  }
  const unusable = names.filter((name) => !TLS12_SUITES.includes(name) && !TLS13_SUITES.includes(name));
  if (unusable.length > 0) {
    throw new PeerctlError(
      "config",
      `Cannot use TLS cipher suites ${unusable.join(", ")}: unknown or not offered here`,
      {
        hint: `usable for TLS 1.2 are ${TLS12_SUITES.join(", ")}`,
      },
    );
  }
  return { minVersion: version, cipherSuites: [...new Set(names)] };
}

/** The profile's floor as node:tls writes it. Measured: the runtime honours `minVersion` on both sides. */
export function nodeMinVersion(profile: TlsProfile): "TLSv1.2" | "TLSv1.3" {
  return VERSIONS[profile.minVersion];
}

/**
 * Says what is wrong with a connection whose handshake is done, or undefined when it keeps to the profile.
 *
 * Needed because the runtime ignores `ciphers` (measured on 2.9.6: it checks the names, then uses every suite it has).
 * The version is checked too: it costs nothing, and an option that is ignored one day must not go unnoticed.
 */
export function profileViolation(socket: TLSSocket, profile: TlsProfile): string | undefined {
  const version = socket.getProtocol();
  const allowed = profile.minVersion === "VersionTLS13" ? ["TLSv1.3"] : ["TLSv1.2", "TLSv1.3"];
  if (version === null || !allowed.includes(version)) {
    return `the connection uses ${version ?? "no known TLS version"}, this side allows ${allowed.join(" and ")}`;
  }
  if (version === "TLSv1.3" || profile.cipherSuites.length === 0) return undefined;
  const suite = socket.getCipher().standardName;
  if (profile.cipherSuites.includes(suite)) return undefined;
  return `the peer and this side agreed on ${suite}, this side allows for TLS 1.2 only ${
    profile.cipherSuites.join(", ")
  }`;
}

function isMinVersion(text: string): text is TlsMinVersion {
  return Object.hasOwn(VERSIONS, text);
}
