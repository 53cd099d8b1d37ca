// SPDX-License-Identifier: Apache-2.0
/** Says what a sandbox id may look like: a plain name that is safe as a folder. */

import { PeerctlError } from "../errors.ts";

/** Longest sandbox id, in characters: containerd's are 64 hex digits, its own limit for identifiers is 76. */
const MAX_SANDBOX_ID = 76;

/**
 * Refuses what is no sandbox id.
 *
 * @throws {PeerctlError} kind "config" for an empty, overlong or path-like id.
 */
export function checkSandboxId(id: string): void {
  if (id === "") throw new PeerctlError("config", "Cannot use sandbox id: it is empty");
  if (id.length > MAX_SANDBOX_ID) {
    throw new PeerctlError("config", `Cannot use sandbox id: ${id.length} characters, limit ${MAX_SANDBOX_ID}`);
  }
  // A leading dot is kept for what caa itself stores beside the sandboxes' folders.
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(id)) {
    throw new PeerctlError(
      "config",
      `Cannot use sandbox id ${
        JSON.stringify(id)
      }: only letters, digits, "_", "." and "-" are allowed, the first a letter or digit`,
    );
  }
}
