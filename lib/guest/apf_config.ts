// SPDX-License-Identifier: Apache-2.0
/** Reads and writes apf.json, the configuration that a pod VM's forwarder is given in its user data. */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { PeerctlError } from "../errors.ts";
import { jsonErrorPosition } from "./json_position.ts";

/** Longest apf.json read, in bytes: two PEM certificates and a key are some 5 KiB; a cloud's user data ends at 64 KiB. */
export const MAX_APF_CONFIG_BYTES = 256 * 1024;

/**
 * The keys are those on the wire. PEM texts, TLS names as in Go ("VersionTLS12", IANA cipher suite names).
 * The keys that upstream's Secure Comms left behind (`sc-pp-prv`, `sc-wn-pub`) are ignored like any unknown key.
 */
export interface ApfConfig {
  /** What the VM's end of the pod network is set up from; null: none is. Its contents belong to the pod network. */
  readonly "pod-network": Readonly<Record<string, unknown>> | null;
  /** The Kubernetes namespace. */
  readonly "pod-namespace": string;
  readonly "pod-name": string;
  readonly "tls-server-key"?: string;
  readonly "tls-server-cert"?: string;
  readonly "tls-client-ca"?: string;
  readonly "tls-min-version"?: string;
  readonly "tls-cipher-suites"?: readonly string[];
}

const text = v.string("should be a string");
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A null is as good as absent everywhere, as it is to the Go programs that write and read this file. */
const schema = v.pipe(
  v.unknown(),
  v.check(isObject, "should be an object"),
  v.object({
    "pod-network": v.nullish(
      v.custom<Readonly<Record<string, unknown>>>(isObject, "should be an object or null"),
      null,
    ),
    "pod-namespace": v.nullish(text, ""),
    "pod-name": v.nullish(text, ""),
    "tls-server-key": v.nullish(text),
    "tls-server-cert": v.nullish(text),
    "tls-client-ca": v.nullish(text),
    "tls-min-version": v.nullish(text),
    "tls-cipher-suites": v.nullish(v.array(text, "should be a list of strings")),
  }),
);

/**
 * Reads the text of an apf.json; `path` is only named in errors. Empty values count as absent.
 *
 * @throws {PeerctlError} kind "limit" when it is too long; kind "config" for bad JSON, with line and column, and for a
 * value of the wrong type, with its key. Neither quotes the text, which may hold a private key.
 */
export function parseApfConfig(text: string, path: string): ApfConfig {
  if (Buffer.byteLength(text) > MAX_APF_CONFIG_BYTES) {
    throw new PeerctlError("limit", `Cannot read "${path}": longer than ${MAX_APF_CONFIG_BYTES} bytes`);
  }
  const result = v.safeParse(schema, parseJson(text, path), { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    const key = v.getDotPath(issue);
    throw new PeerctlError(
      "config",
      `Cannot use "${path}": ${key === null ? "the JSON value" : `"${key}"`} ${issue.message}`,
    );
  }
  return withoutEmpty(result.output);
}

/** Writes an apf.json; ends with a newline. */
export function encodeApfConfig(config: ApfConfig): string {
  return `${JSON.stringify(withoutEmpty(config), null, 2)}\n`;
}

type Parsed = v.InferOutput<typeof schema>;

function withoutEmpty(config: Parsed | ApfConfig): ApfConfig {
  const { "tls-server-key": key, "tls-server-cert": cert, "tls-client-ca": ca } = config;
  const { "tls-min-version": minVersion, "tls-cipher-suites": suites } = config;
  return {
    "pod-network": config["pod-network"],
    "pod-namespace": config["pod-namespace"],
    "pod-name": config["pod-name"],
    ...(key && { "tls-server-key": key }),
    ...(cert && { "tls-server-cert": cert }),
    ...(ca && { "tls-client-ca": ca }),
    ...(minVersion && { "tls-min-version": minVersion }),
    ...(suites && suites.length > 0 && { "tls-cipher-suites": suites }),
  };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const at = jsonErrorPosition(text);
    const where = at === undefined ? "" : ` at line ${at.line}, column ${at.column}`;
    throw new PeerctlError("config", `Cannot read "${path}": it is not JSON${where}`);
  }
}
