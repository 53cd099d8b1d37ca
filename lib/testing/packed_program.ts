// SPDX-License-Identifier: Apache-2.0
/** Packs a small shell script in place of Deno, so that what packing does can be tested in milliseconds. */

import { join } from "node:path";
import { pack } from "../build/pack.ts";
import { withTempDir } from "./temp_dir.ts";

const encode = (text: string) => new TextEncoder().encode(text);
export const DECODER = new TextDecoder();

/** In place of Deno: says how it was started, and does what the first argument asks for. */
export const RUNTIME = `#!/bin/sh
[ "$1" != --version ] || exit 0
while [ "\${1##*/}" != main.js ]; do shift; done
shift
case $1 in
self) echo "$PEERCTL_ARGV0|$PEERCTL_SELF|$0" ;;
words) shift; printf '<%s>' "$@" ;;
cat) cat ;;
exit) exit "$2" ;;
env) env ;;
pid) echo $$; exec sleep 60 ;;
*) echo "ran $0" ;;
esac
`;

export function packed(runtime = RUNTIME): Promise<Uint8Array<ArrayBuffer>> {
  const bundle = new Map([["main.js", "main();\n"], ["a-B.c.js", "x".repeat(5000)]]);
  const target = "x86_64-unknown-linux-gnu";
  return pack({ target, version: "1.2.3", commit: "0".repeat(40), runtime: encode(runtime), bundle });
}

/** The hash that names the folder of what was packed. */
export function packedId(bytes: Uint8Array): string {
  return /^id=(\w{32})$/m.exec(DECODER.decode(bytes.subarray(0, 4000)))![1]!;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Packed {
  readonly dir: string;
  /** Where it is unpacked: the one folder below `cache`, once it is there. */
  folder(): string;
  run(
    args?: readonly string[],
    o?: { file?: string; shell?: string[]; env?: Record<string, string>; stdin?: string },
  ): Promise<Ran>;
}

/** Packs a program around RUNTIME, with a cache folder of its own. */
export function withPacked(body: (program: Packed) => Promise<void>, runtime?: string): Promise<void> {
  return withTempDir(async (dir) => {
    const file = join(dir, "a program");
    const bytes = await packed(runtime);
    await Deno.writeFile(file, bytes, { mode: 0o755 });
    const program: Packed = {
      dir,
      folder: () => {
        const base = join(dir, "cache/peerctl");
        const name = [...Deno.readDirSync(base)].find((entry) => /^[0-9a-f]{32}$/.test(entry.name))?.name;
        return join(base, name ?? "nothing");
      },
      async run(args = [], o = {}) {
        const [program, ...first] = [...o.shell ?? [], o.file ?? file];
        const child = new Deno.Command(program!, {
          args: [...first, ...args],
          clearEnv: true,
          env: { PATH: "/usr/bin:/bin", XDG_CACHE_HOME: join(dir, "cache"), ...o.env },
          stdin: "piped",
          stdout: "piped",
          stderr: "piped",
        }).spawn();
        const writer = child.stdin.getWriter();
        await writer.write(encode(o.stdin ?? "")).then(() => writer.close()).catch(() => {});
        const { code, stdout, stderr } = await child.output();
        return { code, stdout: DECODER.decode(stdout), stderr: DECODER.decode(stderr) };
      },
    };
    try {
      await body(program);
    } finally {
      // Where root's goes when it cannot go where a test wants it.
      for (const name of [packedId(bytes), `${packedId(bytes)}.marks`]) {
        await Deno.remove(`/var/cache/peerctl/${name}`, { recursive: true }).catch(() => {});
      }
    }
  });
}
