// SPDX-License-Identifier: Apache-2.0
/** Reads the CA, certificate and key files of mutual TLS, and reads them again when they change. */

import type { Logger } from "@logtape/logtape";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { PeerctlError } from "../errors.ts";
import { watchFolders } from "../os/folder_watch.ts";
import { checkCredentials, type TlsCredentials } from "./tls_credentials.ts";

/** Longest file read, in bytes; tls_credentials.ts limits its text in the same way. */
const MAX_FILE_BYTES = 1 << 20;

/** Bytes read at once; most files are read in one go. */
const READ_BYTES = 1 << 16;

/** Paths; "" means not given. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Reads the three files; with none given there are no credentials.
 *
 * Upstream takes a certificate without a CA, and then starts its first VM without client authentication; here all three
 * belong together.
 *
 * @throws {PeerctlError} kind "config", one error for the first thing that is wrong: only some of the three are given,
 * a file is unreadable, cannot be parsed, has expired or is not yet valid, or the key belongs to another certificate.
 */
export function loadTlsFiles(files: TlsFiles, now: Date = new Date()): TlsCredentials {
  const named = [["CA", files.caFile], ["certificate", files.certFile], ["private key", files.keyFile]] as const;
  const missing = named.filter(([, path]) => path === "").map(([what]) => what);
  if (missing.length === named.length) return {};
  if (missing.length > 0) {
    throw new PeerctlError("config", `Cannot use TLS files: no ${missing.join(" and no ")} file is given`, {
      hint: "give -ca-cert-file, -cert-file and -cert-key, or none of them",
    });
  }
  const [ca, cert, key] = named.map(([what, path]) => readSmallFile(path, what));
  const names = {
    ca: `CA file "${files.caFile}"`,
    cert: `certificate file "${files.certFile}"`,
    key: `private key file "${files.keyFile}"`,
  };
  const credentials = { ca: ca!, cert: cert!, key: key! };
  checkCredentials(credentials, names, now);
  return credentials;
}

export interface WatchTlsFilesOptions {
  onChange(credentials: TlsCredentials): void;
  /** Reads the files again; {@link loadTlsFiles} unless a forwarder takes part of them from elsewhere. */
  load?(): TlsCredentials;
  readonly log: Logger;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Calls `onChange` with new credentials whenever a file has changed and all three fit together; until they do, the
 * problem is logged and the old ones stay. Ends with `signal`.
 */
export function watchTlsFiles(files: TlsFiles, o: WatchTlsFilesOptions): void {
  const { log, signal } = o;
  const paths = [files.caFile, files.certFile, files.keyFile].filter((path) => path !== "");
  if (paths.length === 0 || signal.aborted) return;
  let known = fingerprint(files);

  function reload(): void {
    const found = fingerprint(files);
    if (found === known) return;
    known = found;
    try {
      o.onChange(o.load === undefined ? loadTlsFiles(files) : o.load());
    } catch (error) {
      log.error("Changed certificate files cannot be used, the old ones stay", { error });
    }
  }

  watchFolders(paths.map((path) => dirname(path)), {
    recursive: false,
    onQuiet: reload,
    onError: (error) => log.error("Certificate files are no longer watched for changes", { error }),
    signal,
  });
}

/** A hash of all three contents, to tell a change from a touch; unreadable counts as a content of its own. */
function fingerprint(files: TlsFiles): string {
  const hash = createHash("sha256");
  for (const path of [files.caFile, files.certFile, files.keyFile]) {
    try {
      hash.update(Deno.readFileSync(path));
    } catch (error) {
      hash.update((error as Error).name);
    }
    hash.update("\0");
  }
  return hash.digest("hex");
}

/**
 * Reads one PEM file; `what` is what errors call it.
 *
 * @throws {PeerctlError} kind "config" when it cannot be read or is too long.
 */
export function readSmallFile(path: string, what: string): string {
  return new TextDecoder().decode(readSmallBytes(path, what));
}

/** As readSmallFile(), for a file that may be no text. */
export function readSmallBytes(path: string, what: string): Uint8Array<ArrayBuffer> {
  const refuse = (why: string, cause?: unknown) =>
    new PeerctlError("config", `Cannot read ${what} file "${path}": ${why}`, { cause });
  try {
    const { size, isDirectory } = Deno.statSync(path);
    if (isDirectory) throw refuse("it is a directory");
    if (size > MAX_FILE_BYTES) throw refuse(`${size} bytes, limit ${MAX_FILE_BYTES}`);
    const bytes = readUpToLimit(path);
    if (bytes.byteLength > MAX_FILE_BYTES) throw refuse(`more than ${MAX_FILE_BYTES} bytes`);
    return bytes;
  } catch (error) {
    if (error instanceof PeerctlError) throw error;
    if (error instanceof Deno.errors.NotFound) throw refuse("there is no such file", error);
    if (error instanceof Deno.errors.PermissionDenied) throw refuse("not allowed to read it", error);
    throw refuse((error as Error).message, error);
  }
}

/** Reads at most one byte more than the limit: pipes and devices do not tell their size. */
function readUpToLimit(path: string): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  let bytes = new Uint8Array(0);
  const part = new Uint8Array(READ_BYTES);
  for (let n = file.readSync(part); n !== null; n = file.readSync(part)) {
    const longer = new Uint8Array(bytes.byteLength + n);
    longer.set(bytes);
    longer.set(part.subarray(0, n), bytes.byteLength);
    bytes = longer;
    if (bytes.byteLength > MAX_FILE_BYTES) break;
  }
  return bytes;
}
