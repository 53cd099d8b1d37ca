// SPDX-License-Identifier: Apache-2.0
/** Finds the Deno executable that a built peerctl runs on, and says how it is started. */

import { Buffer } from "node:buffer";
import { PeerctlError } from "../errors.ts";
import { isElf, readElf } from "./elf.ts";
import { runCommand } from "./run_command.ts";

/** The Deno that peerctl is built with, tested with and shipped with. */
export const DENO_VERSION = "2.9.6";

/**
 * V8 flags of every built peerctl.
 *
 * A small young generation is collected more often, and with it the buffers that sockets were read into: half the
 * memory under load and for many idle sandboxes, at the same speed (lib/ttrpc/PERFORMANCE.md).
 */
export const V8_FLAGS: readonly string[] = ["--max-semi-space-size=1"];

/**
 * How a built peerctl starts Deno. The program is complete: nothing is looked for on the network, and no configuration,
 * lock file or package that happens to lie in a folder above it counts. No code cache: it would be code that nobody checks.
 */
export const RUN_FLAGS: readonly string[] = [
  "--allow-all",
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-code-cache",
  ...(V8_FLAGS.length === 0 ? [] : [`--v8-flags=${V8_FLAGS.join(",")}`]),
];

export const TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] as const;
export type Target = typeof TARGETS[number];

/** The npm package with the executable, and its machine number in an ELF header (System V ABI, e_machine). */
const RUNTIMES: Readonly<Record<Target, { readonly npmPackage: string; readonly elfMachine: number }>> = {
  "x86_64-unknown-linux-gnu": { npmPackage: "@deno/linux-x64-glibc", elfMachine: 62 },
  "aarch64-unknown-linux-gnu": { npmPackage: "@deno/linux-arm64-glibc", elfMachine: 183 },
};

/** How long a download of the executable may take, in milliseconds: it has 40 MB. */
const DOWNLOAD_MS = 10 * 60_000;

/** @throws {PeerctlError} kind "usage" for any other name. */
export function parseTarget(name: string): Target {
  const target = TARGETS.find((each) => each === name);
  if (target !== undefined) return target;
  throw new PeerctlError("usage", `Cannot build for "${name}": it is not one of ${TARGETS.join(", ")}`);
}

/** The machine number in the ELF header of a program for `target`. */
export function machineOf(target: Target): number {
  return RUNTIMES[target].elfMachine;
}

/** True when this machine runs programs of `target` itself. */
export function runsHere(target: Target): boolean {
  return Deno.build.target === target;
}

/** @throws {PeerctlError} kind "config" when this is another Deno than the one to ship. */
export function requireDenoVersion(): void {
  if (Deno.version.deno === DENO_VERSION) return;
  throw new PeerctlError("config", `Cannot build with Deno ${Deno.version.deno}: peerctl ships Deno ${DENO_VERSION}`, {
    hint: `npx --yes deno@${DENO_VERSION} task compile`,
  });
}

/** Reads the Deno executable of `target`: the one that runs, or for another architecture the one that npm has. */
export async function readRuntime(target: Target): Promise<Uint8Array<ArrayBuffer>> {
  requireDenoVersion();
  const bytes = await Deno.readFile(runsHere(target) ? Deno.execPath() : await downloadRuntime(target));
  requireElf(bytes, target, "the Deno executable");
  // What it calls itself in HTTP requests: the one way to tell the version of a program that cannot be run here.
  if (!Buffer.from(bytes.buffer).includes(`Deno/${DENO_VERSION}`)) {
    throw new PeerctlError("state", `Cannot use the Deno executable for ${target}: it is not Deno ${DENO_VERSION}`);
  }
  return bytes;
}

/** @throws {PeerctlError} kind "state" when `bytes` is no program for `target`. */
export function requireElf(bytes: Uint8Array, target: Target, what: string): void {
  if (isElf(bytes) && readElf(bytes, what).machine === machineOf(target)) return;
  throw new PeerctlError("state", `Cannot use ${what}: it is no program for ${target}`);
}

/** Lets Deno, as a client of npm, put the package into its cache; Deno checks it against the registry's integrity. */
async function downloadRuntime(target: Target): Promise<string> {
  const { npmPackage } = RUNTIMES[target];
  const specifier = `npm:${npmPackage}@${DENO_VERSION}`;
  const dir = await Deno.makeTempDir({ prefix: "peerctl-runtime-" });
  try {
    // From an empty folder: neither deno.json nor deno.lock of peerctl has anything to do with it.
    const deno = (...args: string[]) => runCommand(Deno.execPath(), args, { cwd: dir, timeoutMs: DOWNLOAD_MS });
    await deno("cache", "--quiet", "--no-config", "--no-lock", specifier);
    const { npmCache } = JSON.parse(await deno("info", "--json")) as { readonly npmCache: string };
    for (const registry of Deno.readDirSync(npmCache)) {
      const path = `${npmCache}/${registry.name}/${npmPackage}/${DENO_VERSION}/deno`;
      if (await Deno.stat(path).then((stat) => stat.isFile, () => false)) return path;
    }
    throw new PeerctlError("state", `Cannot find ${npmPackage} in "${npmCache}"`);
  } catch (cause) {
    throw new PeerctlError("peer", `Cannot get Deno ${DENO_VERSION} for ${target} from npm`, {
      hint: `a registry that has ${npmPackage}@${DENO_VERSION} must be reachable`,
      cause,
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
