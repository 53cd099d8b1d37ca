// SPDX-License-Identifier: Apache-2.0
/** Checks what a caller asks `Open` for, and reads its TLS part. */

import { isAbsolute } from "node:path";
import { PeerctlError } from "../errors.ts";
import { parseTlsProfile, type TlsClientOptions, type TlsCredentials } from "../net/tls.ts";
import { checkSocketPath } from "../net/unix_socket.ts";
import type { OpenRequest } from "../proto/gen/relay_pb.ts";
import { MAX_LABEL_BYTES } from "./relay_protocol.ts";
import { checkSandboxId } from "./sandbox_id.ts";

/** How long an unreachable pod VM is tried when the caller does not say, in milliseconds: caa's `-proxy-timeout`. */
const DEFAULT_OPEN_TIMEOUT_MS = 5 * 60_000;

/** Longest such time that is taken from a caller, in milliseconds. */
const MAX_OPEN_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Refuses an id, path, address or label that cannot be used.
 *
 * @throws {PeerctlError} kind "config" or "limit".
 */
export function checkOpenRequest({ sandboxId, agentSocket, host, port, labels }: OpenRequest): void {
  checkSandboxId(sandboxId);
  const refuse = (why: string) => new PeerctlError("config", `Cannot open sandbox "${sandboxId}": ${why}`);
  if (!isAbsolute(agentSocket)) throw refuse("the agent socket path is not absolute");
  checkSocketPath(agentSocket, "agent socket");
  if (host === "" || host.length > 255) throw refuse("the host is empty or longer than 255 characters");
  if (port < 1 || port > 65535) throw refuse(`port ${port} is not from 1 to 65535`);
  const labelBytes = Object.entries(labels).reduce((sum, [name, value]) => sum + utf8Bytes(name) + utf8Bytes(value), 0);
  if (labelBytes > MAX_LABEL_BYTES) {
    throw new PeerctlError(
      "limit",
      `Cannot open sandbox "${sandboxId}": ${labelBytes} bytes of labels, limit ${MAX_LABEL_BYTES}`,
    );
  }
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}

/**
 * What to dial with; undefined for plain TCP.
 *
 * @throws {PeerctlError} kind "config" when the pod VM could not be verified: there is no falling back to public CAs.
 */
export function tlsOptionsOf(request: OpenRequest): TlsClientOptions | undefined {
  const { tls, sandboxId } = request;
  if (!tls) return undefined;
  if (tls.serverName === "" && !tls.skipVerify) {
    throw new PeerctlError("config", `Cannot open sandbox "${sandboxId}": no server name to verify`);
  }
  if (tls.caPem === "" && !tls.skipVerify) {
    throw new PeerctlError("config", `Cannot open sandbox "${sandboxId}": no CA certificate to verify the pod VM with`);
  }
  return {
    credentials: credentialsOf(tls),
    profile: parseTlsProfile(tls.minVersion, tls.cipherSuites),
    serverName: tls.serverName,
    skipVerify: tls.skipVerify,
  };
}

/** Credentials as on the wire, where "" stands for absent. */
export function credentialsOf(pem: { caPem: string; certPem: string; keyPem: string }): TlsCredentials {
  return {
    ...(pem.caPem !== "" && { ca: pem.caPem }),
    ...(pem.certPem !== "" && { cert: pem.certPem }),
    ...(pem.keyPem !== "" && { key: pem.keyPem }),
  };
}

/** How long to try, in milliseconds, where 0 on the wire stands for the default. */
export function openTimeoutMs(wanted = 0n): number {
  if (wanted === 0n) return DEFAULT_OPEN_TIMEOUT_MS;
  return wanted > BigInt(MAX_OPEN_TIMEOUT_MS) ? MAX_OPEN_TIMEOUT_MS : Number(wanted);
}
