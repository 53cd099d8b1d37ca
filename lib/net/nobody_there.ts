// SPDX-License-Identifier: Apache-2.0
/** Tells a unix socket on which nobody listens from other failures to connect. */

/** True when `error`, from dialUnix, means that nothing listens: no socket, or one that a dead process left. */
export function isNobodyThere(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    if (code === "ENOENT" || code === "ECONNREFUSED") return true;
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.ConnectionRefused) return true;
  }
  return false;
}
