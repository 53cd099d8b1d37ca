// SPDX-License-Identifier: Apache-2.0
/** Says where and with what a bench was run. */

import { basename } from "node:path";
import { hostname, release } from "node:os";
import { readBuildInfo } from "../../cli/build_info.ts";
import { PEERCTL_FILE } from "../peerctl.ts";
import type { PeerTool } from "../peers.ts";

/** How each tool is asked for its version. */
const VERSION_ARGS: Partial<Record<PeerTool, readonly string[]>> = {
  go: ["version"],
  cargo: ["--version"],
  openssl: ["version"],
};

export interface Machine {
  readonly host: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly time: string;
  readonly commit: string;
  /** True: something differs from the commit. */
  readonly changed: boolean | undefined;
  /** What ran as peerctl: main.ts, or a built file (PEERCTL_UNDER_TEST). */
  readonly program: string;
  /** By program: peerctl, deno, v8, and the tools that were used. */
  readonly versions: Readonly<Record<string, string>>;
}

export async function describeMachine(tools: readonly PeerTool[]): Promise<Machine> {
  const { version, commit, deno, v8 } = readBuildInfo();
  const cpus = (await Deno.readTextFile("/proc/cpuinfo")).split("\n").filter((line) => line.startsWith("model name"));
  const versions: Record<string, string> = { peerctl: version, deno, v8 };
  for (const tool of new Set(tools)) {
    const args = VERSION_ARGS[tool];
    const line = args === undefined ? undefined : await firstLine(tool, args);
    if (line !== undefined) versions[tool] = line;
  }
  const state = await firstLine("git", ["status", "--porcelain", "--untracked-files=no"]);
  return {
    host: hostname(),
    cpu: cpus[0]?.replace(/^.*?:\s*/, "") ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memoryMiB: Math.round(Deno.systemMemoryInfo().total / (1 << 20)),
    kernel: release(),
    time: new Date().toISOString(),
    commit,
    changed: state === undefined ? undefined : state !== "",
    program: basename(PEERCTL_FILE),
    versions,
  };
}

export function machineText(machine: Machine): string {
  const { cpu, cores, memoryMiB, kernel, time, commit, changed, program, versions } = machine;
  const programs = Object.entries(versions).map(([name, version]) =>
    version.startsWith(name) ? version : `${name} ${version}`
  );
  return `${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}\n` +
    `${programs.join(", ")}\ncommit ${commit}${changed ? " with changes" : ""}, run as ${program}, ${time}\n`;
}

/** What a program says in its first line; undefined when it cannot be asked. */
async function firstLine(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const cwd = new URL("../../../", import.meta.url).pathname;
    const { success, stdout } = await new Deno.Command(program, { args: [...args], cwd, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).split("\n")[0]! : undefined;
  } catch {
    return undefined;
  }
}
