// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { withBuiltPeerctl } from "../testing/built_peerctl.ts";
import { withTempDir } from "../testing/temp_dir.ts";

const isRoot = Deno.uid() === 0;
if (!isRoot) console.log("Tests with namespaces and other users are skipped: run them as root");

/** A user with no home, and none of our rights. */
const NOBODY = "65534";
/** All that a packed peerctl needs beside a shell. */
const TOOLS = [
  "cat",
  "chmod",
  "dd",
  "gzip",
  "head",
  "id",
  "ls",
  "mkdir",
  "mktemp",
  "mv",
  "rm",
  "sha256sum",
  "stat",
  "tail",
];
const VERSION = new RegExp(`^peerctl +${manifest.version.replaceAll(".", "\\.")}\n`);

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with no variable of ours. */
async function run(line: readonly string[], o: { cwd: string; env?: Record<string, string> }): Promise<Ran> {
  const [program, ...args] = line;
  const env = o.env ?? {};
  const { code, stdout, stderr } = await new Deno.Command(program!, { args, clearEnv: true, cwd: o.cwd, env }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("peerctl in one file runs where there is nothing but a shell, coreutils and gzip", (t) =>
  withTempDir((dir) =>
    withBuiltPeerctl(async ({ PEERCTL_UNDER_TEST: built }) => {
      const cache = join(dir, "a cache");
      const program = join(dir, "a folder/peerctl");
      const bin = join(dir, "bin");
      await Deno.chmod(dir, 0o755);
      for (const folder of [cache, bin, join(dir, "a folder")]) await Deno.mkdir(folder);
      await Deno.copyFile(built!, program);
      for (const tool of TOOLS) await Deno.symlink(`/usr/bin/${tool}`, join(bin, tool));
      const bare = { PATH: bin, XDG_CACHE_HOME: cache };
      const inNamespace = (options: string, script: string) => ["unshare", options, "sh", "-ec", script, program];

      await t.step("without any variable, and with a PATH that has no Deno, Node or npm", async () => {
        const ran = await run(["env", "-i", `XDG_CACHE_HOME=${cache}`, program, "version"], { cwd: dir });
        assert.deepEqual([ran.code, ran.stderr], [0, ""]);
        assert.match(ran.stdout, VERSION);
        assert.deepEqual(await run([program, "version"], { cwd: dir, env: bare }), ran);
      });

      await t.step("through a symbolic link named after a command", async () => {
        await Deno.symlink("a folder/peerctl", join(dir, "certgen"));
        const flags = ["--san", "podvm-server", "--out-dir", join(dir, "certs")];
        const { code, stderr } = await run(["./certgen", ...flags], { cwd: dir, env: bare });
        assert.equal(code, 0, stderr);
        assert.equal([...Deno.readDirSync(join(dir, "certs"))].length, 6);
      });

      await t.step("with variables that tell Deno and Node to do otherwise", async () => {
        await Deno.writeTextFile(join(dir, "deno.json"), "{ not json");
        const env = {
          ...bare,
          DENO_V8_FLAGS: "--no-such",
          NODE_OPTIONS: "--no-such",
          DENO_DIR: "/proc/none",
          DENO_LOG: "debug",
        };
        const ran = await run([program, "version"], { cwd: dir, env });
        assert.deepEqual([ran.code, ran.stderr], [0, ""]);
      });

      await t.step({
        name: "without a network: the demo",
        ignore: !isRoot,
        async fn() {
          const line = inNamespace("-n", 'ip link set lo up; exec "$0" demo --output json');
          const ran = await run(line, {
            cwd: dir,
            env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", XDG_CACHE_HOME: cache, TMPDIR: dir },
          });
          assert.equal(ran.code, 0, ran.stderr);
          assert.equal(JSON.parse(ran.stdout).ok, true);
        },
      });

      await t.step({
        name: "as a user without a home",
        ignore: !isRoot,
        async fn() {
          const place = `/var/tmp/peerctl-${NOBODY}`;
          const line = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", program, "version"];
          try {
            const ran = await run(line, { cwd: "/", env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent" } });
            assert.deepEqual([ran.code, ran.stderr], [0, ""]);
            const { mode, uid } = Deno.statSync(place);
            assert.deepEqual([mode! & 0o7777, uid], [0o700, Number(NOBODY)]);
          } finally {
            await Deno.remove(place, { recursive: true }).catch(() => {});
          }
        },
      });

      await t.step({
        name: "with a read-only root file system",
        ignore: !isRoot,
        async fn() {
          // An empty /var/cache: what an earlier start of root's unpacked there would do.
          const script =
            'mount -t tmpfs none /run; mount -t tmpfs -o ro none /var/cache; mount -o remount,bind,ro /; "$0" version; ls /run/peerctl; ! touch /x';
          const ran = await run(inNamespace("-m", script), { cwd: "/", env: { PATH: "/usr/bin:/bin", HOME: "/root" } });
          assert.equal(ran.code, 0, ran.stderr);
          assert.match(ran.stdout, VERSION);
          assert.match(ran.stdout, /^[0-9a-f]{32}$/m);
        },
      });
    })
  ));
