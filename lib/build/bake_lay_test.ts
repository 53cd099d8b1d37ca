// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { makeSmallRoot } from "../testing/small_root.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { layPiece, type Piece, removePiece } from "./bake_lay.ts";
import { openRootTree, type RootTree } from "./bake_tree.ts";

const OWNER = { uid: Deno.uid()!, gid: Deno.gid()! };
const CONTENT = new TextEncoder().encode("content\n");
const FILE: Piece = { kind: "file", path: "/etc/new/folder/file", mode: 0o640, content: CONTENT };

const withTree = (body: (tree: RootTree) => Promise<void>) =>
  withTempDir(async (dir) => {
    await makeSmallRoot(dir);
    await body(await openRootTree(dir, { thisMachine: false }));
  });

const modeOf = async (path: string) => ((await Deno.lstat(path)).mode! & 0o7777).toString(8);
const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

Deno.test("layPiece() lays files, links and folders with their modes whatever the umask, and once only", () =>
  withTree(async (tree) => {
    const pieces: Piece[] = [
      FILE,
      { kind: "folder", path: "/etc/keys", mode: 0o700 },
      { kind: "link", path: "/usr/local/bin/apf", target: "/usr/bin/peerctl" },
    ];
    const before = Deno.umask(0o077);
    try {
      for (const piece of pieces) assert.equal((await layPiece(tree, piece, OWNER)).change, "new");
    } finally {
      Deno.umask(before);
    }
    assert.deepEqual(await layPiece(tree, FILE, OWNER), {
      path: FILE.path,
      mode: "0640",
      sha256: createHash("sha256").update(CONTENT).digest("hex"),
      change: "unchanged",
    });
    for (const piece of pieces) assert.equal((await layPiece(tree, piece, OWNER)).change, "unchanged");
    const at = (path: string) => join(tree.root, path);
    assert.deepEqual(await Deno.readFile(at(FILE.path)), CONTENT);
    assert.deepEqual(
      [await modeOf(at(FILE.path)), await modeOf(at("etc/new")), await modeOf(at("etc/keys"))],
      ["640", "755", "700"],
    );
    assert.equal(await Deno.readLink(at("usr/local/bin/apf")), "/usr/bin/peerctl");
    assert.deepEqual(names(at("etc/new/folder")), ["file"]);
  }));

Deno.test("layPiece() sees another content of the same length, another mode and another target", () =>
  withTree(async (tree) => {
    const link: Piece = { kind: "link", path: "/l", target: "one" };
    for (const piece of [FILE, link]) await layPiece(tree, piece, OWNER);
    await Deno.writeTextFile(join(tree.root, FILE.path), "CONTENT\n");
    assert.equal((await layPiece(tree, FILE, OWNER)).change, "replaced");
    await Deno.chmod(join(tree.root, FILE.path), 0o666);
    assert.equal((await layPiece(tree, FILE, OWNER)).change, "replaced");
    assert.equal((await layPiece(tree, { ...link, target: "two" }, OWNER)).change, "replaced");
    assert.equal((await layPiece(tree, FILE, OWNER)).change, "unchanged");
  }));

Deno.test("layPiece() replaces a link in the file's place and leaves alone what it points at", () =>
  withTempDir(async (outside) => {
    const victim = join(outside, "victim");
    await Deno.writeTextFile(victim, "mine");
    await withTree(async (tree) => {
      await Deno.symlink(victim, join(tree.root, "etc/file"));
      const laid = await layPiece(tree, { kind: "file", path: "/etc/file", mode: 0o644, content: CONTENT }, OWNER);
      assert.equal(laid.change, "replaced");
      assert.equal(await Deno.readTextFile(victim), "mine");
      assert.equal((await Deno.lstat(join(tree.root, "etc/file"))).isFile, true);
      // A folder that is a link out of the tree is a folder of that path inside of it.
      await Deno.symlink(outside, join(tree.root, "etc/out"));
      await layPiece(tree, { kind: "file", path: "/etc/out/victim", mode: 0o644, content: CONTENT }, OWNER);
      assert.equal(await Deno.readTextFile(victim), "mine");
      assert.deepEqual(await Deno.readFile(join(tree.root, outside, "victim")), CONTENT);
    });
  }));

Deno.test("layPiece() refuses what is of another kind, and leaves nothing behind", () =>
  withTree(async (tree) => {
    await Deno.mkdir(join(tree.root, "etc/there"));
    const file: Piece = { kind: "file", path: "/etc/there", mode: 0o644, content: CONTENT };
    await assert.rejects(layPiece(tree, file, OWNER), { kind: "state", message: /there is a folder of that name/ });
    const folder: Piece = { kind: "folder", path: "/etc/os-release", mode: 0o700 };
    await assert.rejects(layPiece(tree, folder, OWNER), { kind: "state", message: /no folder, but something else/ });
    assert.deepEqual(names(join(tree.root, "etc")), ["os-release", "there"]);
  }));

Deno.test("layPiece() takes away what a run that was killed has left unfinished", () =>
  withTree(async (tree) => {
    await Deno.mkdir(join(tree.root, "etc/new/folder"), { recursive: true });
    const left = join(tree.root, "etc/new/folder", `file.${crypto.randomUUID()}.tmp`);
    await Deno.writeTextFile(left, "half");
    await layPiece(tree, FILE, OWNER);
    assert.deepEqual(names(join(tree.root, "etc/new/folder")), ["file"]);
  }));

Deno.test("removePiece() removes a link itself, and says when there is nothing", () =>
  withTree(async (tree) => {
    await Deno.symlink("/etc/os-release", join(tree.root, "etc/link"));
    assert.deepEqual(await removePiece(tree, "/etc/link"), { path: "/etc/link", change: "removed" });
    assert.equal(await removePiece(tree, "/etc/link"), undefined);
    assert.deepEqual(names(join(tree.root, "etc")), ["os-release"]);
  }));
