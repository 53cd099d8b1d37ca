// SPDX-License-Identifier: Apache-2.0
/** Starts a relay as a systemd unit of its own, where this process is part of a unit itself. */

import { createHash } from "node:crypto";
import { PeerctlError, toPeerctlError } from "../errors.ts";

/** How long systemd-run may take, in milliseconds. */
const SYSTEMD_RUN_TIMEOUT_MS = 15_000;

export interface UnitOptions {
  readonly dir: string;
  readonly slot: string;
  /** Program first. */
  readonly command: readonly string[];
  /** All the environment the relay gets. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The systemd service that this process belongs to; undefined outside of one.
 *
 * systemd sets INVOCATION_ID for all it starts and for what that starts; only a service's own processes are in a
 * control group of its name (systemd.exec(5), cgroups(7)).
 */
export async function currentUnit(
  env: Readonly<Record<string, string | undefined>>,
  cgroupFile = "/proc/self/cgroup",
): Promise<string | undefined> {
  if (!env["INVOCATION_ID"]) return undefined;
  const text = await Deno.readTextFile(cgroupFile).catch(() => "");
  return /^(?:0:|\d+:name=systemd):.*\/([^/\n]+\.service)$/m.exec(text)?.[1];
}

/** The unit's name: the same for the same slot, so that two callers start one unit. */
export function relayUnitName(dir: string, slot: string): string {
  return `peerctl-relay-${createHash("sha256").update(dir).digest("hex").slice(0, 8)}-${slot}`;
}

/**
 * Runs `systemd-run`, which resolves as soon as the relay's program has been started.
 *
 * @throws {PeerctlError} kind "state" with what systemd-run said.
 */
export async function startRelayUnit({ dir, slot, command, env }: UnitOptions): Promise<void> {
  const name = relayUnitName(dir, slot);
  const args = [
    "--quiet",
    "--collect",
    `--unit=${name}`,
    `--description=peerctl relay, slot ${slot} of ${dir}`,
    "--property=Type=exec",
    "--working-directory=/",
    ...Object.entries(env).map(([key, value]) => `--setenv=${key}=${value}`),
    "--",
    ...command,
  ];
  const failed = (why: string, cause?: unknown) =>
    new PeerctlError("state", `Cannot start unit "${name}": ${why}`, { cause });
  let output: Deno.CommandOutput;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), SYSTEMD_RUN_TIMEOUT_MS);
  try {
    output = await new Deno.Command("systemd-run", {
      args,
      env: { ...env },
      clearEnv: true,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal: limit.signal,
    }).output();
  } catch (error) {
    throw failed(toPeerctlError(error).message, error);
  } finally {
    clearTimeout(timer);
  }
  if (output.success) return;
  const said = new TextDecoder().decode(output.stderr).trim().split("\n")[0];
  throw failed(said || `systemd-run ended with ${output.signal ?? output.code}`);
}
