// SPDX-License-Identifier: Apache-2.0
/** Gives peerctl as files of a root file system, unpacked: what runs is what was laid down. */

import { bundleProgram, loadLazily } from "./bundle.ts";
import { readCommit } from "./commit.ts";
import { writeLauncher } from "./launcher.ts";
import { readRuntime, type Target } from "./runtime.ts";

export interface ProgramFile {
  /** Relative to the root of the file system: "usr/lib/peerctl/deno". */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Where Deno and the program lie. */
const PROGRAM_DIR = "usr/lib/peerctl";
/** What a user or a unit starts, also through symbolic links named after the commands. */
const LAUNCHER = "usr/bin/peerctl";

export interface UnpackedProgramOptions {
  readonly target: Target;
}

/**
 * Builds peerctl for `target` as a launcher, Deno, and the files of the program.
 *
 * Deno notes in /run/peerctl what it has read of each file; where it cannot, it starts some milliseconds later.
 */
export async function unpackedProgram(o: UnpackedProgramOptions): Promise<ProgramFile[]> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const bundle = loadLazily(await bundleProgram({ commit: await readCommit() }));
  const launcher = await writeLauncher({ dir: `/${PROGRAM_DIR}`, self: `/${LAUNCHER}`, denoDir: "/run/peerctl" });
  return [
    { path: LAUNCHER, mode: 0o755, content: encode(launcher) },
    { path: `${PROGRAM_DIR}/deno`, mode: 0o755, content: await readRuntime(o.target) },
    ...[...bundle].map(([name, text]) => ({ path: `${PROGRAM_DIR}/${name}`, mode: 0o644, content: encode(text) })),
  ];
}
