// SPDX-License-Identifier: Apache-2.0
/** Says where and with what a bench was run. */

import { basename } from "node:path";
import { hostname, release } from "node:os";
import { type BuildInfo, readBuildInfo } from "../../cli/build_info.ts";
import { PEERCTL_FILE, runPeerctl } from "../peerctl.ts";
import type { PeerTool } from "../peers.ts";

/** How each tool is asked for its version. */
const VERSION_ARGS: Partial<Record<PeerTool, readonly string[]>> = {
  go: ["version"],
  cargo: ["--version"],
  openssl: ["version"],
};

/** What a build writes behind its commit when something differed from it. */
const MODIFIED = /-modified$/;

const isSource = PEERCTL_FILE.endsWith(".ts");

export interface Machine {
  readonly host: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly time: string;
  /** Of what ran as peerctl. */
  readonly commit: string;
  /** True: something differs from the commit. */
  readonly changed: boolean | undefined;
  /** What ran as peerctl: main.ts, or a built file (PEERCTL_UNDER_TEST). */
  readonly program: string;
  /** By program: peerctl, deno, v8, and the tools that were used. */
  readonly versions: Readonly<Record<string, string>>;
}

export async function describeMachine(tools: readonly PeerTool[]): Promise<Machine> {
  const { version, commit, deno, v8 } = await buildOfProgram();
  const cpus = (await Deno.readTextFile("/proc/cpuinfo")).split("\n").filter((line) => line.startsWith("model name"));
  const versions: Record<string, string> = { peerctl: version, deno, v8 };
  for (const tool of new Set(tools)) {
    const args = VERSION_ARGS[tool];
    const line = args === undefined ? undefined : await firstLine(tool, args);
    if (line !== undefined) versions[tool] = line;
  }
  return {
    host: hostname(),
    cpu: cpus[0]?.replace(/^.*?:\s*/, "") ?? "unknown",
    cores: navigator.hardwareConcurrency,
    memoryMiB: Math.round(Deno.systemMemoryInfo().total / (1 << 20)),
    kernel: release(),
    time: new Date().toISOString(),
    commit: commit.replace(MODIFIED, ""),
    changed: isSource ? await isCheckoutChanged() : MODIFIED.test(commit),
    program: basename(PEERCTL_FILE),
    versions,
  };
}

export function machineText(machine: Machine): string {
  const { cpu, cores, memoryMiB, kernel, time, commit, changed, program } = machine;
  return `${cpu}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}\n` +
    `${versionsText(machine)}\ncommit ${commit}${changed ? " with changes" : ""}, run as ${program}, ${time}\n`;
}

/** The same for a page that is kept: no time, and nothing of the one machine. */
export function ranOnText(machine: Machine): string {
  const { cpu, cores, commit, changed } = machine;
  const build = `${commit.slice(0, 12)}${changed ? " with changes" : ""}`;
  return `${isSource ? "From source" : "One packed file"}, commit ${build}; ${
    versionsText(machine)
  }; ${cpu}, ${cores} cores.`;
}

function versionsText({ versions }: Machine): string {
  return Object.entries(versions).map(([name, version]) => version.startsWith(name) ? version : `${name} ${version}`)
    .join(", ");
}

/** The build of what is measured, which may be another than that of this checkout. */
async function buildOfProgram(): Promise<BuildInfo> {
  if (isSource) return readBuildInfo();
  const { code, stdout, stderr } = await runPeerctl(["version", "--output", "json"]);
  if (code !== 0) throw new Error(`${PEERCTL_FILE} version failed: ${stderr}`);
  return JSON.parse(stdout);
}

async function isCheckoutChanged(): Promise<boolean | undefined> {
  const state = await firstLine("git", ["status", "--porcelain", "--untracked-files=no"]);
  return state === undefined ? undefined : state !== "";
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
