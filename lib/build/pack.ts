// SPDX-License-Identifier: Apache-2.0
/** Packs Deno and the program into one file: a shell script that unpacks itself once, with both behind it as gzip. */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { PeerctlError } from "../errors.ts";
import type { Bundle } from "./bundle.ts";
import { cleanEnvironment, execLine, writeLauncher } from "./launcher.ts";
import type { Target } from "./runtime.ts";

export interface PackOptions {
  readonly target: Target;
  readonly version: string;
  readonly commit: string;
  readonly runtime: Uint8Array;
  readonly bundle: Bundle;
}

/** Digits of the hash that names a build's folder; 128 bits. */
const ID_DIGITS = 32;

/** gzip's default. The best, 9, takes twice the time and saves 0.3 %. */
const GZIP_LEVEL = 6;

/** Packs. Equal input gives equal bytes: node:zlib writes neither time nor name into the header. */
export async function pack(o: PackOptions): Promise<Uint8Array<ArrayBuffer>> {
  const files = new Map<string, Uint8Array>([
    ["deno", o.runtime],
    // What PEERCTL_SELF names: peerctl itself, whatever the packed file is called, and also when that file is gone.
    ["peerctl", encode(await writeLauncher({ dir: "${0%/*}", self: '"$0"', denoDir: '"${dir%/*}/deno"' }))],
    ...[...o.bundle].map(([name, text]): [string, Uint8Array] => [name, encode(text)]),
  ]);
  const names = [...files.keys()].sort();
  const sums = names.map((name) => `${sha256(files.get(name)!)}  ${name}`).join("\n");
  const parts = names.filter((name) => name !== "deno");
  const empty = parts.find((name) => files.get(name)!.byteLength === 0);
  if (empty !== undefined) throw new PeerctlError("state", `Cannot pack ${empty}: it is empty`);
  const deno = gzipSync(o.runtime, { level: GZIP_LEVEL });
  const program = gzipSync(join(parts.map((name) => files.get(name)!)), { level: GZIP_LEVEL });
  const template = await Deno.readTextFile(new URL("pack.sh", import.meta.url));
  const values = {
    VERSION: o.version,
    COMMIT: o.commit,
    TARGET: o.target,
    ID: sha256(encode(sums)).slice(0, ID_DIGITS),
    NAMES: names.join("\n"),
    SUMS: sums,
    PARTS: parts.map((name) => `${files.get(name)!.byteLength} ${name}`).join("\n"),
    CLEAN: (await cleanEnvironment()).trimEnd(),
    EXEC: execLine("$dir"),
    DENO_SIZE: `${deno.byteLength}`,
    PROGRAM_SIZE: `${program.byteLength}`,
  };
  return join([encode(fillHeader(template, values, deno.byteLength)), deno, program]);
}

/** Fills the placeholders; those that say where the archives begin (tail counts from 1) depend on the text's own length. */
function fillHeader(template: string, values: Readonly<Record<string, string>>, denoSize: number): string {
  for (let length = 0;;) {
    const all = { ...values, DENO_AT: `${length + 1}`, PROGRAM_AT: `${length + denoSize + 1}` };
    const text = template.replaceAll(/@([A-Z_]+)@/g, (_whole, name: string) => all[name as keyof typeof all]!);
    if (encode(text).byteLength === length) return text;
    length = encode(text).byteLength;
  }
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
