// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { DECODER, packed, packedId, RUNTIME, withPacked } from "../testing/packed_program.ts";

Deno.test("pack() gives equal bytes for equal input, and other bytes and another folder for other input", async () => {
  assert.deepEqual(await packed(), await packed());
  assert.notEqual(packedId(await packed()), packedId(await packed(`${RUNTIME}\n`)));
});

Deno.test("pack() makes a program that unpacks itself once and is then what it was packed from", () =>
  withPacked(async ({ dir, folder, run }) => {
    const first = await run();
    assert.deepEqual(first, { code: 0, stdout: `ran ${folder()}/deno\n`, stderr: "" });
    const { ino } = Deno.statSync(`${folder()}/deno`);
    assert.deepEqual(await run(), first);
    assert.equal(Deno.statSync(`${folder()}/deno`).ino, ino, "it was not unpacked again");
    assert.deepEqual(Deno.readTextFileSync(`${folder()}/a-B.c.js`), "x".repeat(5000));
    assert.equal(Deno.statSync(folder()).mode! & 0o7777, 0o700);
    assert.equal(Deno.statSync(`${folder()}/main.js`).mode! & 0o777, 0o400);
    const names = [...Deno.readDirSync(join(dir, "cache/peerctl"))].map(({ name }) => name.replace(/^\w{32}/, "ID"));
    assert.deepEqual(names.sort(), ["ID", "ID.marks"]);
  }));

for (const shell of [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]) {
  const program = shell[0]!;
  const isThere = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output();
  const ignore = !isThere.success && Deno.env.get("CI") !== "true";
  if (ignore) console.log(`Tests with ${program} are skipped: install the Debian package ${program}`);
  Deno.test(
    { name: `pack() makes a program for ${shell.join(" ")}`, ignore },
    () =>
      withPacked(async ({ dir, run }) => {
        const env = { DENO_V8_FLAGS: "--x", NODE_OPTIONS: "--y", NODE_NAME: "n1", DENO_A: "a\nexport DENO_B='b'\n*" };
        for (let start = 0; start < 2; start++) {
          assert.deepEqual(await run(["exit", "7"], { shell }), { code: 7, stdout: "", stderr: "" });
          const { stdout } = await run(["env"], { shell, env });
          const names = stdout.split("\n").map((line) => line.split("=")[0]).filter((name) =>
            /^(DENO|NODE)_/.test(name!)
          );
          assert.deepEqual(names.sort(), ["DENO_DIR", "DENO_NO_PACKAGE_JSON", "DENO_NO_UPDATE_CHECK", "NODE_NAME"]);
          await Deno.remove(join(dir, "cache"), { recursive: true });
        }
      }),
  );
}

Deno.test("pack() makes a program that works with the tools of busybox alone", {
  ignore: !(await new Deno.Command("sh", { args: ["-c", "command -v busybox"] }).output()).success &&
    Deno.env.get("CI") !== "true",
}, () =>
  withPacked(async ({ dir, run }) => {
    const { stdout } = await new Deno.Command("sh", { args: ["-c", "command -v busybox"] }).output();
    const busybox = DECODER.decode(stdout).trim();
    await Deno.mkdir(`${dir}/bin`);
    for (
      const tool of [
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
        "sync",
        "tail",
      ]
    ) {
      await Deno.symlink(busybox, `${dir}/bin/${tool}`);
    }
    const env = { PATH: `${dir}/bin` };
    for (let start = 0; start < 2; start++) {
      assert.deepEqual(await run(["words", "a b", ""], { env, shell: [busybox, "sh"] }), {
        code: 0,
        stdout: "<a b><>",
        stderr: "",
      });
    }
  }));

Deno.test("pack() makes a program that passes on arguments, input, exit code, PID and its name", () =>
  withPacked(async ({ dir, folder, run }) => {
    assert.equal((await run(["words", "", "a  b", "*", "$HOME", "-n", "ü\n"])).stdout, "<><a  b><*><$HOME><-n><ü\n>");
    assert.equal((await run(["cat"], { stdin: "in\n" })).stdout, "in\n");
    assert.equal((await run(["exit", "3"])).code, 3);
    await Deno.symlink("a program", `${dir}/certgen`);
    const self = `${folder()}/peerctl`;
    assert.equal((await run(["self"], { file: `${dir}/certgen` })).stdout, `${dir}/certgen|${self}|${folder()}/deno\n`);
    const again = await run(["self"], { file: self });
    assert.equal(
      again.stdout,
      `${self}|${self}|${folder()}/deno\n`,
      "what it starts again needs the packed file no more",
    );
    const env = { PEERCTL_ARGV0: "/x/apf" };
    assert.match((await run(["self"], { file: self, env })).stdout, /^\/x\/apf\|/);

    const child = new Deno.Command(`${dir}/certgen`, {
      args: ["pid"],
      env: { XDG_CACHE_HOME: `${dir}/cache` },
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    assert.equal(Number(DECODER.decode(value)), child.pid);
    child.kill("SIGTERM");
    assert.equal((await child.status).signal, "SIGTERM");
    await reader.cancel();
  }));

Deno.test("pack() makes a program that says where it could not be unpacked, and why", () =>
  withPacked(async ({ dir, run }) => {
    // Without mkdir and mktemp no place at all will do. gzip begins with an empty line, as this mkdir.
    await Deno.mkdir(`${dir}/bin`);
    await Deno.writeTextFile(`${dir}/bin/mkdir`, "#!/bin/sh\necho\necho 'mkdir: * is full'\nexit 1\n", { mode: 0o755 });
    for (const tool of ["id", "stat", "cat"]) await Deno.symlink(`/usr/bin/${tool}`, `${dir}/bin/${tool}`);
    const { code, stdout, stderr } = await run([], { env: { PATH: `${dir}/bin` }, shell: ["/bin/sh"] });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^peerctl: error: Cannot unpack peerctl: there is no folder for it$/m);
    assert.match(stderr, /^ {2}\/\S*\/cache\/peerctl: mkdir: \* is full$/m);
    // One line for each place, whatever the tools print.
    assert.match(stderr, /^peerctl: error: .*\n( {2}\/\S+: \S.*\n)+peerctl: set XDG_CACHE_HOME.*\n$/);
  }));

Deno.test("pack() makes a program that stops at once where Deno does not run", () =>
  withPacked(async ({ run }) => {
    const { code, stderr } = await run();
    assert.equal(code, 1);
    assert.match(stderr, /cache\/peerctl: Deno does not run on this machine: no such library$/m);
    assert.equal(stderr.match(/Deno does not run/g)?.length, 1);
  }, "#!/bin/sh\necho no such library >&2\nexit 127\n"));
