// SPDX-License-Identifier: Apache-2.0
/** Writes the shell lines that start Deno with the program in a clean environment, and the launcher of an unpacked peerctl. */

import { MAIN_FILE } from "./bundle.ts";
import { RUN_FLAGS } from "./runtime.ts";

/**
 * Variables by which Node, and Deno in its place, is told what to load, whom to trust and what to print (nodejs.org,
 * "Environment variables"). Not all of NODE_*: NODE_NAME is a setting of peerctl caa.
 */
const NODE_VARIABLES = [
  "NODE_CHANNEL_FD",
  "NODE_CHANNEL_SERIALIZATION_MODE",
  "NODE_CLUSTER_SCHED_POLICY",
  "NODE_COMPILE_CACHE",
  "NODE_DEBUG",
  "NODE_DEBUG_NATIVE",
  "NODE_DISABLE_COLORS",
  "NODE_EXTRA_CA_CERTS",
  "NODE_ICU_DATA",
  "NODE_NO_WARNINGS",
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_PENDING_DEPRECATION",
  "NODE_REDIRECT_WARNINGS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_UNIQUE_ID",
  "NODE_USE_ENV_PROXY",
  "NODE_USE_SYSTEM_CA",
  "NODE_V8_COVERAGE",
  "OTEL_DENO",
];

/** Lines that clean the environment. */
export async function cleanEnvironment(): Promise<string> {
  const text = await Deno.readTextFile(new URL("launch.sh", import.meta.url));
  return text.replace("@NODE_VARIABLES@", NODE_VARIABLES.join(" "));
}

/** The line that becomes Deno with the program in the folder that the shell word `dir` names. */
export function execLine(dir: string): string {
  return `exec "${dir}/deno" run ${RUN_FLAGS.join(" ")} "${dir}/${MAIN_FILE}" "$@"`;
}

export interface LauncherOptions {
  /** Shell word for the folder of Deno and the program. */
  readonly dir: string;
  /** Shell word for the launcher itself, as an absolute path. */
  readonly self: string;
  /** Shell word for the folder that Deno may write into. */
  readonly denoDir: string;
}

/** A launcher that lies at a fixed place and starts what lies at another. */
export async function writeLauncher(o: LauncherOptions): Promise<string> {
  return `#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts peerctl, which lies beside Deno in a folder of its own.
${await cleanEnvironment()}
[ -e /proc/self/exe ] || echo 'peerctl: warning: /proc is not mounted: without it most commands fail' >&2
dir=${o.dir}
export PEERCTL_ARGV0="\${PEERCTL_ARGV0:-$0}" PEERCTL_SELF=${o.self} DENO_DIR=${o.denoDir}
${execLine("$dir")}
`;
}
