// SPDX-License-Identifier: Apache-2.0
/** The exit codes of every command, in one place. */

import { PeerctlError } from "../errors.ts";

/** What the number at the end of a process means; listed in README.md. */
export const ExitCode = {
  /** The work is done, or the service was stopped in order. */
  done: 0,
  /** It failed: a file, a peer, a certificate. The same command line may work later. */
  failed: 1,
  /** The command line or an environment variable is wrong: it cannot work until it is changed. */
  usage: 2,
  /** A second signal came, or stopping took too long: something may have been left behind. */
  unclean: 3,
} as const;

/** Chooses the exit code for an error that ended a command; of several problems one `usage` is enough for 2. */
export function exitCodeFor(error: unknown): number {
  const errors = error instanceof AggregateError ? error.errors : [error];
  return errors.some((e) => e instanceof PeerctlError && e.kind === "usage") ? ExitCode.usage : ExitCode.failed;
}
