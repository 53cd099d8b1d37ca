// SPDX-License-Identifier: Apache-2.0
/** `deno task bake`: lays peerctl and podvm-files into the root file system tree of a pod VM image. */

import { parseArgs } from "node:util";
import { ExitCode, exitCodeFor } from "../cli/exit_code.ts";
import { createOutput, type Output, type OutputFormat } from "../cli/output.ts";
import { createWriter } from "../cli/start.ts";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import { type Baked, bakeImage } from "./bake_image.ts";
import { ROOT } from "./bundle.ts";
import { unpackedProgram } from "./program.ts";
import { parseTarget } from "./runtime.ts";

const USAGE = `Usage: deno task bake ROOTFS [--certs DIR] [--target TARGET] [--output text|json]

Lays peerctl, unpacked, and podvm-files into the root file system tree of a pod VM image, enables the forwarder, and
shows each path with its sha256. A second run changes nothing. It has to run as root: the files become root's.

  ROOTFS           folder with the tree, made by debootstrap or mkosi, or where the image is mounted
  --certs          folder with ca.crt, tls.crt and tls.key for manual TLS; nothing else in it is copied
  --target         x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu (default: what the tree is for)
  --this-machine   allow the root file system that this machine runs on
  --output         text or json (default: text)

Examples:
  deno task bake /mnt/podvm
  deno task bake /mnt/podvm --certs certs`;

const ROOT_OWNER = { uid: 0, gid: 0 };

async function main(args: readonly string[]): Promise<number> {
  let output = outputOf(args.includes("json") || args.includes("--output=json") ? "json" : "text");
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      output.result(USAGE);
      return ExitCode.done;
    }
    output = outputOf(parseFormat(values.output));
    const [root, ...more] = positionals;
    if (root === undefined || more.length > 0) {
      throw new PeerctlError("usage", `Cannot bake: give one folder, not ${positionals.length}`, {
        hint: "deno task bake --help",
      });
    }
    const target = values.target === undefined ? {} : { target: parseTarget(values.target) };
    if (Deno.uid() !== ROOT_OWNER.uid) {
      throw new PeerctlError("config", `Cannot bake into "${root}": only root can give the files to root`, {
        hint: "run it with sudo",
      });
    }
    const baked = await bakeImage({
      root,
      thisMachine: values["this-machine"],
      ...target,
      ...(values.certs !== undefined && { certificates: values.certs }),
      podVmFiles: `${ROOT}podvm-files`,
      program: (target) => unpackedProgram({ target }),
      owner: ROOT_OWNER,
    });
    report(baked, output);
    return ExitCode.done;
  } catch (error) {
    output.error(error);
    return exitCodeFor(error);
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        certs: { type: "string" },
        target: { type: "string" },
        "this-machine": { type: "boolean", default: false },
        output: { type: "string", default: "text" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (cause) {
    throw new PeerctlError("usage", `Cannot bake: ${toPeerctlError(cause).message}`, { hint: "deno task bake --help" });
  }
}

function parseFormat(name: string): OutputFormat {
  if (name === "text" || name === "json") return name;
  throw new PeerctlError("usage", `Cannot print as "${name}": --output is text or json`);
}

function report({ root, target, pieces, warnings }: Baked, output: Output): void {
  for (const warning of warnings) output.note(warning);
  if (output.format === "json") return output.json({ root, target, pieces, warnings });
  output.table(
    pieces.map((
      { path, change, mode = "", sha256, link },
    ) => [change, mode, path, sha256 ?? (link ? `-> ${link}` : "")]),
  );
  const changed = pieces.filter(({ change }) => change !== "unchanged").length;
  output.note(
    changed === 0
      ? `nothing changed in ${root}: all ${pieces.length} paths were as they should be`
      : `baked ${root} (${target}): ${changed} of ${pieces.length} paths changed`,
  );
}

function outputOf(format: OutputFormat): Output {
  return createOutput({
    command: "deno task bake",
    format,
    stdout: createWriter(Deno.stdout),
    stderr: createWriter(Deno.stderr),
    debug: Deno.env.get("PEERCTL_DEBUG") === "1",
  });
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
