// SPDX-License-Identifier: Apache-2.0
/** A log file that stays small: when it is full it is put aside as `.1`, over the one before, and a new one begins. */

import { PeerctlError } from "../errors.ts";

export interface LogFile extends Disposable {
  /** Appends `text` at once. What cannot be written is lost: a full disk must not stop the service. */
  write(text: string): void;
}

/**
 * Opens (or goes on with) the file at `path`, mode 0600; it never exceeds `maxBytes`, unless one line alone does.
 *
 * @throws {PeerctlError} kind "config" when it cannot be opened.
 */
export function openLogFile(path: string, maxBytes: number): LogFile {
  let file: Deno.FsFile | undefined;
  let size = 0;
  const open = () => {
    file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
    size = file.statSync().size;
  };
  try {
    open();
  } catch (cause) {
    throw new PeerctlError("config", `Cannot open log file "${path}"`, { cause });
  }
  const close = () => {
    file?.close();
    file = undefined;
  };
  return {
    write(text) {
      const bytes = new TextEncoder().encode(text);
      try {
        if (size > 0 && size + bytes.byteLength > maxBytes) {
          close();
          size = 0;
          Deno.renameSync(path, `${path}.1`);
        }
        if (file === undefined) open();
        for (let at = 0; at < bytes.byteLength;) at += file!.writeSync(bytes.subarray(at));
        size += bytes.byteLength;
      } catch {
        // Nowhere is left to say so; the next line tries again.
        close();
      }
    },
    [Symbol.dispose]: close,
  };
}
