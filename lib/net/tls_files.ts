// SPDX-License-Identifier: Apache-2.0
/** Reads the three files of mutual TLS and watches them. */

import type { Logger } from "@logtape/logtape";
import type { TlsCredentials } from "./tls.ts";

/** Paths; "" means not given. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}
export function loadTlsFiles(_files: TlsFiles): TlsCredentials {
  throw new Error("not written yet");
}
export function watchTlsFiles(
  _files: TlsFiles,
  _o: { onChange(credentials: TlsCredentials): void; log: Logger; signal: AbortSignal },
): void {
  throw new Error("not written yet");
}
