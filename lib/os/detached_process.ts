// SPDX-License-Identifier: Apache-2.0
/** Starts processes that outlive us and share nothing with us: no session, no stdio, no descriptors, hardly any environment. */

import { PeerctlError, toPeerctlError } from "../errors.ts";
import { keepDescriptorsFromChildren } from "./descriptors.ts";

/**
 * What a child gets of our environment: how to find programs and modules, language and time zone. All else stays here,
 * cloud credentials above all.
 */
const KEPT_VARIABLES = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "NO_COLOR", "LANG", "TZ"];

export type Environment = Readonly<Record<string, string | undefined>>;

/** The harmless part of `env`, which is what detached processes may have of it. */
export function keptEnvironment(env: Environment): Record<string, string> {
  const kept = KEPT_VARIABLES.map((name) => [name, env[name]]);
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined && value !== ""));
}

/**
 * Starts `command`, program first, with exactly the environment given. The child does not keep us alive.
 *
 * @throws {PeerctlError} kind "config" when the program cannot be started.
 */
export function spawnDetached(
  command: readonly string[],
  options: { readonly env: Record<string, string>; readonly cwd: string },
): Deno.ChildProcess {
  const [program, ...args] = command;
  if (program === undefined) throw new TypeError("Cannot start a process: no program is given");
  keepDescriptorsFromChildren();
  try {
    const child = new Deno.Command(program, {
      args,
      env: options.env,
      clearEnv: true,
      cwd: options.cwd,
      detached: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    child.unref();
    return child;
  } catch (cause) {
    throw new PeerctlError("config", `Cannot start "${program}": ${toPeerctlError(cause).message}`, { cause });
  }
}
