// SPDX-License-Identifier: Apache-2.0
/** `deno task compile`: makes one file of peerctl, runs it, and only then says that it is built. */

import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../../deno.json" with { type: "json" };
import { PeerctlError } from "../errors.ts";
import { bundleProgram, loadLazily, ROOT } from "./bundle.ts";
import { readCommit } from "./commit.ts";
import { denoCompile, findStub } from "./deno_compile.ts";
import { pack } from "./pack.ts";
import {
  DENO_VERSION,
  parseTarget,
  readRuntime,
  requireDenoVersion,
  requireElf,
  runsHere,
  type Target,
} from "./runtime.ts";
import { tryProgram } from "./trial.ts";

const USAGE = `Usage: deno task compile [--target TARGET] [--format compile|sh] [--out FILE]

  --target   x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu (default: this machine)
  --format   compile: one ELF program, made by deno compile; needs Deno's runtime stub (denort)
             sh: a shell script that unpacks itself once
             (default: compile where the stub can be had, else sh)
  --out      where to write it (default: dist/peerctl)`;

export interface CompileOptions {
  readonly target: Target;
  /** undefined: compile where the stub can be had, else sh. */
  readonly format?: "compile" | "sh";
  readonly out: string;
  readonly say: (line: string) => void;
}

/** Builds, tries and only then puts the file in its place; after a failure there is no file. */
export async function compile(o: CompileOptions): Promise<void> {
  requireDenoVersion();
  if (await Deno.stat(o.out).then(({ isDirectory }) => isDirectory, () => false)) {
    throw new PeerctlError("usage", `Cannot build ${o.out}: it is a directory`);
  }
  const { version } = manifest;
  const commit = await readCommit();
  const format = o.format ?? await chooseFormat(o);
  const untried = `${o.out}.untried`;
  try {
    const bundle = await bundleProgram({ commit });
    await Deno.mkdir(dirname(o.out), { recursive: true });
    await Deno.remove(untried).catch(ignoreMissing);
    if (format === "compile") {
      await denoCompile({ target: o.target, bundle, out: untried });
    } else {
      const runtime = await readRuntime(o.target);
      const packed = await pack({ target: o.target, version, commit, runtime, bundle: loadLazily(bundle) });
      await Deno.writeFile(untried, packed, { mode: 0o755 });
    }
    if (runsHere(o.target)) await tryProgram({ program: untried, version, commit, target: o.target });
    const bytes = await Deno.readFile(untried);
    if (format === "compile") requireElf(bytes, o.target, "what deno compile made");
    await Deno.rename(untried, o.out);
    const machine = o.target.split("-")[0];
    o.say(
      runsHere(o.target)
        ? `built ${o.out} (${format}, ${o.target}): ran version, certgen and an agent call over mutual TLS`
        : `built ${o.out} (${format}, ${o.target}), not run: ${machine} program on ${Deno.build.arch}; ` +
          "run it with qemu-user or on such a machine",
    );
    o.say(`commit ${commit}`);
    o.say(`size   ${bytes.byteLength}`);
    o.say(`sha256 ${createHash("sha256").update(bytes).digest("hex")}`);
  } catch (cause) {
    // An older build would be taken for this one.
    await Deno.remove(o.out).catch(ignoreMissing);
    const stub = format === "compile" ? Deno.env.get("DENORT_BIN") : undefined;
    throw new PeerctlError("state", `Cannot build ${o.out} (${format}, ${o.target})`, {
      ...(stub && { hint: `is "${stub}" of DENORT_BIN denort ${DENO_VERSION} for ${o.target}, and not deno itself?` }),
      cause,
    });
  } finally {
    await Deno.remove(untried).catch(ignoreMissing);
  }
}

async function chooseFormat(o: CompileOptions): Promise<"compile" | "sh"> {
  const stub = await findStub(o.target);
  if ("found" in stub) return "compile";
  o.say(`no runtime stub (denort) for deno compile: ${stub.missing}; packing a shell script instead`);
  return "sh";
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** @throws {PeerctlError} kind "usage". */
export function readArguments(args: readonly string[]): Omit<CompileOptions, "say"> | "help" {
  const names = { target: { type: "string" }, format: { type: "string" }, out: { type: "string" } } as const;
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: { ...names, help: { type: "boolean", short: "h" } } }));
  } catch (cause) {
    throw new PeerctlError("usage", `Cannot read the arguments`, { hint: "deno task compile --help", cause });
  }
  if (values.help) return "help";
  const { format } = values;
  if (format !== undefined && format !== "compile" && format !== "sh") {
    throw new PeerctlError("usage", `Cannot build format "${format}": it is neither compile nor sh`);
  }
  return {
    target: parseTarget(values.target ?? Deno.build.target),
    ...(format === undefined ? {} : { format }),
    out: resolve(values.out ?? `${ROOT}dist/peerctl`),
  };
}

/** Prints an error with its hint and what caused it. */
function report(error: unknown): void {
  if (!(error instanceof PeerctlError)) throw error;
  console.error(`compile: error: ${error.message}`);
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at !== error) console.error(`compile: because: ${at.message}`);
    if (at instanceof PeerctlError && at.hint !== undefined) console.error(`compile: hint: ${at.hint}`);
  }
}

if (import.meta.main) {
  try {
    const o = readArguments(Deno.args);
    if (o === "help") console.log(USAGE);
    else await compile({ ...o, say: (line) => console.log(line) });
  } catch (error) {
    report(error);
    Deno.exitCode = error instanceof PeerctlError && error.kind === "usage" ? 2 : 1;
  }
}
