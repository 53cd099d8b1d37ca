// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Packed, withPacked } from "../testing/packed_program.ts";
import { requireSmallDisk, withSmallDisk } from "../testing/small_disk.ts";

/** What a planted program would say. */
const PLANTED = "#!/bin/sh\necho planted\n";
const isRoot = Deno.uid() === 0;
/** A user who is neither root nor us. */
const NOBODY = 65534;

/** Names in the folder below which the program is unpacked, the hash of the build as ID. */
function namesIn(base: string): string[] {
  return [...Deno.readDirSync(base)].map(({ name }) => name.replace(/[0-9a-f]{32}/, "ID")).sort();
}

/** The program must have run what it unpacked itself into the folder that it would take anyway. */
async function assertUnpackedAgain({ dir, folder, run }: Packed, what: string): Promise<void> {
  const ran = await run();
  assert.deepEqual([ran.code, ran.stdout], [0, `ran ${folder()}/deno\n`], what);
  assert.match(ran.stderr, /^peerctl: \/\S+ is not what was unpacked there; it is unpacked again\n$/, what);
  assert.deepEqual(namesIn(join(dir, "cache/peerctl")), ["ID", "ID.marks"], what);
  assert.deepEqual(await run(), { code: 0, stdout: `ran ${folder()}/deno\n`, stderr: "" }, what);
}

Deno.test("a packed program notices whatever was done to the files it unpacked, and unpacks them again", () =>
  withPacked(async (program) => {
    await program.run();
    const folder = program.folder();
    const deno = `${folder}/deno`;
    const { size, mtime, atime } = Deno.statSync(deno);
    const sameSize = PLANTED.padEnd(size, "#");
    const changes: Record<string, () => unknown> = {
      "another content of the same size and times, in place": () => {
        Deno.chmodSync(deno, 0o700);
        Deno.writeTextFileSync(deno, sameSize);
        Deno.chmodSync(deno, 0o500);
        Deno.utimeSync(deno, atime!, mtime!);
      },
      "another file put in its place": () => {
        Deno.writeTextFileSync(`${deno}2`, sameSize, { mode: 0o500 });
        Deno.utimeSync(`${deno}2`, atime!, mtime!);
        Deno.renameSync(`${deno}2`, deno);
      },
      "a symbolic link in its place": () => {
        Deno.writeTextFileSync(`${program.dir}/evil`, PLANTED, { mode: 0o755 });
        Deno.removeSync(deno);
        Deno.symlinkSync(`${program.dir}/evil`, deno);
      },
      "a file that is gone": () => Deno.removeSync(`${folder}/main.js`),
      "a file more": () => Deno.writeTextFileSync(`${folder}/package.json`, "{}"),
      "a folder that others can write to": () => Deno.chmodSync(folder, 0o777),
      "a symbolic link in place of the folder": () => {
        Deno.renameSync(folder, `${program.dir}/moved`);
        Deno.symlinkSync(`${program.dir}/moved`, folder);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      change();
      await assertUnpackedAgain(program, what);
    }
  }));

Deno.test("a packed program takes no folder that lay there before its first start", () =>
  withPacked(async (program) => {
    // Its own build, planted whole by someone who knows the name.
    await program.run();
    const folder = program.folder();
    await Deno.remove(`${program.dir}/cache/peerctl`, { recursive: true });
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.chmod(join(folder, ".."), 0o700);
    for (const name of ["deno", "peerctl", "main.js", "a-B.c.js"]) {
      await Deno.writeTextFile(join(folder, name), PLANTED, { mode: 0o700 });
    }
    await assertUnpackedAgain(program, "a planted folder");
  }));

Deno.test("a packed program only compares contents again when nothing but the time of a file has changed", () =>
  withPacked(async ({ folder, run }) => {
    const first = await run();
    const { ino } = Deno.statSync(`${folder()}/deno`);
    Deno.utimeSync(`${folder()}/deno`, 1, 1);
    assert.deepEqual(await run(), first);
    assert.equal(Deno.statSync(`${folder()}/deno`).ino, ino);
  }));

Deno.test("a packed program leaves a place that others can write to, and one that is not its own", () =>
  withPacked(async ({ dir, run }) => {
    const home = join(dir, "home");
    await Deno.mkdir(home);
    const elsewhere = async (env: Record<string, string>) => {
      const { code, stdout } = await run([], { env: { HOME: home, ...env } });
      assert.equal(code, 0);
      // Root has /var/cache before its home.
      assert.match(stdout, new RegExp(isRoot ? "^ran /var/cache/peerctl/" : `^ran ${home}/.cache/peerctl/`));
    };
    const open = join(dir, "open");
    await Deno.mkdir(open);
    await Deno.chmod(open, 0o777);
    await elsewhere({ XDG_CACHE_HOME: open });
    // Sticky: others cannot move what is not theirs.
    await Deno.chmod(open, 0o1777);
    assert.match((await run([], { env: { XDG_CACHE_HOME: open } })).stdout, new RegExp(`^ran ${open}/peerctl/`));
    await Deno.chmod(`${open}/peerctl`, 0o755);
    await elsewhere({ XDG_CACHE_HOME: open });
    const linked = join(dir, "linked");
    await Deno.mkdir(linked);
    await Deno.mkdir(join(dir, "mine"), { mode: 0o700 });
    await Deno.symlink(join(dir, "mine"), join(linked, "peerctl"));
    await elsewhere({ XDG_CACHE_HOME: linked });
    await elsewhere({ XDG_CACHE_HOME: "relative" });
    if (isRoot) {
      const theirs = join(dir, "theirs");
      await Deno.mkdir(join(theirs, "peerctl"), { recursive: true, mode: 0o700 });
      await Deno.chown(join(theirs, "peerctl"), NOBODY, NOBODY);
      await elsewhere({ XDG_CACHE_HOME: theirs });
      await Deno.chown(theirs, NOBODY, NOBODY);
      await elsewhere({ XDG_CACHE_HOME: theirs });
    }
  }));

Deno.test("a packed program that was killed while it unpacked leaves nothing that runs, and the next start cleans up", () =>
  withPacked(async ({ dir, run }) => {
    const base = join(dir, "cache/peerctl");
    await Deno.mkdir(base, { recursive: true, mode: 0o700 });
    await Deno.chmod(base, 0o700);
    // Its last step but one hangs: sync, which runs when all files are written.
    await Deno.mkdir(`${dir}/bin`);
    await Deno.writeTextFile(`${dir}/bin/sync`, `#!/bin/sh\necho >${dir}/here\nexec sleep 60\n`, { mode: 0o755 });
    const watcher = Deno.watchFs(dir, { recursive: false });
    const child = new Deno.Command("setsid", {
      args: [join(dir, "a program")],
      clearEnv: true,
      env: { PATH: `${dir}/bin:/usr/bin:/bin`, XDG_CACHE_HOME: join(dir, "cache") },
    }).spawn();
    for await (const { paths } of watcher) if (paths.includes(`${dir}/here`)) break;
    assert.match(namesIn(base).join(), /^new-\d+-\w+$/);
    Deno.kill(-child.pid, "SIGKILL");
    await child.status;
    const ran = await run();
    assert.deepEqual([ran.code, ran.stderr], [0, ""]);
    assert.deepEqual(namesIn(base), ["ID", "ID.marks"]);
  }));

Deno.test("packed programs that start for the first time at once all run, from one folder", () =>
  withPacked(async ({ dir, folder, run }) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => run()));
    for (const each of all) assert.deepEqual(each, { code: 0, stdout: `ran ${folder()}/deno\n`, stderr: "" });
    assert.deepEqual(namesIn(join(dir, "cache/peerctl")), ["ID", "ID.marks"]);
  }));

Deno.test(
  "a packed program goes elsewhere when a disk is full, and leaves nothing on it",
  requireSmallDisk(),
  () =>
    withPacked(({ run }) =>
      withSmallDisk(64, async (disk) => {
        await Deno.mkdir(join(disk.dir, "peerctl"), { mode: 0o700 });
        await disk.fill();
        const { code, stdout } = await run([], { env: { XDG_CACHE_HOME: disk.dir } });
        assert.equal(code, 0);
        assert.match(stdout, /^ran \/var\/cache\/peerctl\//);
        assert.deepEqual(namesIn(join(disk.dir, "peerctl")), []);
        await disk.makeRoom();
        assert.match((await run([], { env: { XDG_CACHE_HOME: disk.dir } })).stdout, new RegExp(`^ran ${disk.dir}/`));
      })
    ),
);

Deno.test(
  "a packed program goes elsewhere where no program may run, at its first start and later",
  requireSmallDisk(),
  () =>
    withPacked(({ run }) =>
      withSmallDisk(256, async ({ dir }) => {
        const remount = async (option: string) => {
          const args = ["-o", `remount,${option}`, dir];
          assert.ok((await new Deno.Command("mount", { args }).output()).success);
        };
        const env = { XDG_CACHE_HOME: dir };
        await remount("noexec");
        assert.match((await run([], { env })).stdout, /^ran \/var\/cache\/peerctl\//);
        await remount("exec");
        assert.match((await run([], { env })).stdout, new RegExp(`^ran ${dir}/`));
        await remount("noexec");
        assert.match((await run([], { env })).stdout, /^ran \/var\/cache\/peerctl\//);
      })
    ),
);
