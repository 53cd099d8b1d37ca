// SPDX-License-Identifier: Apache-2.0
/** Makes one ELF program of peerctl with `deno compile`, which needs Deno's runtime stub, denort. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { type Bundle, MAIN_FILE } from "./bundle.ts";
import { runCommand } from "./run_command.ts";
import { DENO_VERSION, RUN_FLAGS, type Target } from "./runtime.ts";

/** How long Deno's site may take to say that it has the stub, in milliseconds. */
const PROBE_MS = 3000;
/** How long `deno compile` may take, in milliseconds: most of it is the download of the stub. */
const COMPILE_MS = 10 * 60_000;
const INFO_MS = 30_000;

/** Says where the stub for `target` can be had from, or why it cannot. */
export async function findStub(target: Target): Promise<{ readonly found: string } | { readonly missing: string }> {
  const named = Deno.env.get("DENORT_BIN");
  if (named) {
    const isFile = await Deno.stat(named).then((stat) => stat.isFile, () => false);
    return isFile ? { found: named } : { missing: `DENORT_BIN names "${named}", which is no file` };
  }
  const info = JSON.parse(await runCommand(Deno.execPath(), ["info", "--json"], { timeoutMs: INFO_MS }));
  const cached = join(info.denoDir, "dl", "release", `v${DENO_VERSION}`, `denort-${target}.zip`);
  if (await Deno.stat(cached).then(() => true, () => false)) return { found: cached };
  const url = `https://dl.deno.land/release/v${DENO_VERSION}/denort-${target}.zip`;
  try {
    const response = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(PROBE_MS) });
    await response.body?.cancel();
    if (response.ok) return { found: url };
    return { missing: `DENORT_BIN is not set, Deno's cache does not have it and ${url} answers ${response.status}` };
  } catch {
    return {
      missing: `DENORT_BIN is not set, Deno's cache does not have it and ${new URL(url).host} cannot be reached`,
    };
  }
}

export interface DenoCompileOptions {
  readonly target: Target;
  readonly bundle: Bundle;
  readonly out: string;
}

/** Compiles. What comes out must be run: given a wrong stub, `deno compile` succeeds and yields just that stub. */
export async function denoCompile(o: DenoCompileOptions): Promise<void> {
  const stub = await findStub(o.target);
  if ("missing" in stub) {
    throw new PeerctlError("config", `Cannot find Deno's runtime stub (denort) for ${o.target}: ${stub.missing}`, {
      hint: "set DENORT_BIN to a denort of this version, or use --format sh",
    });
  }
  // The program has the names that its files and itself have here: always the same ones.
  const dir = await Deno.makeTempDir({ prefix: "peerctl-compile-" });
  try {
    for (const [name, text] of o.bundle) await Deno.writeTextFile(join(dir, name), text);
    const args = ["compile", ...RUN_FLAGS, "--no-check", "--app-name=peerctl", `--target=${o.target}`];
    await runCommand(Deno.execPath(), [...args, "--output=peerctl", MAIN_FILE], { cwd: dir, timeoutMs: COMPILE_MS });
    await Deno.copyFile(join(dir, "peerctl"), o.out);
    await Deno.chmod(o.out, 0o755);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
