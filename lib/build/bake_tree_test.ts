// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeSmallRoot } from "../testing/small_root.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { openRootTree, type RootTree } from "./bake_tree.ts";

const withTree = (body: (tree: RootTree) => Promise<void>) =>
  withTempDir(async (dir) => {
    await makeSmallRoot(dir);
    await body(await openRootTree(dir, { thisMachine: false }));
  });

Deno.test("openRootTree() refuses what is no root file system, and says what is missing", () =>
  withTempDir(async (dir) => {
    const open = (path: string) => openRootTree(path, { thisMachine: false });
    await assert.rejects(open(join(dir, "none")), { kind: "config", message: /there is no such folder/ });
    await Deno.writeTextFile(join(dir, "file"), "");
    await assert.rejects(open(join(dir, "file")), { kind: "config", message: /it is not a folder/ });
    await assert.rejects(open(dir), {
      kind: "config",
      message: /\/etc, \/usr, \/bin\/sh, \/etc\/os-release or \/usr\/lib\/os-release, .*systemd.* is missing/,
    });
    await makeSmallRoot(join(dir, "root"));
    await Deno.remove(join(dir, "root/usr/lib/systemd"), { recursive: true });
    await assert.rejects(
      open(join(dir, "root")),
      /not a root file system with systemd, \/usr\/lib\/systemd\/systemd or/,
    );
    // A link to what this machine has is not something that the tree has.
    await Deno.remove(join(dir, "root/bin"));
    await Deno.symlink("../../../../../../../../bin", join(dir, "root/bin"));
    await assert.rejects(open(join(dir, "root")), /circle/);
  }));

Deno.test("openRootTree() refuses the root of this machine, by whatever name", () =>
  withTempDir(async (dir) => {
    await Deno.symlink("/", join(dir, "link"));
    for (const path of ["/", "/usr/..", join(dir, "link")]) {
      await assert.rejects(openRootTree(path, { thisMachine: false }), {
        kind: "config",
        message: /it is the root of this machine/,
        hint: /--this-machine/,
      });
    }
  }));

Deno.test("locate() follows links as the guest does, and never leaves the tree", () =>
  withTree(async (tree) => {
    const { root } = tree;
    await Deno.mkdir(join(root, "opt/deep"), { recursive: true });
    const links = {
      "opt/absolute": "/usr/bin",
      "opt/relative": "../usr/bin",
      "opt/far": "../../../../../../etc",
      "opt/outside": "/tmp/..//../etc/./",
      "opt/dangling": "/var/none",
      "opt/chain": "absolute",
    };
    for (const [path, target] of Object.entries(links)) await Deno.symlink(target, join(root, path));
    const expected = {
      "/bin/sh": "usr/bin/sh",
      "/lib64/x": "usr/lib64/x",
      "/opt/absolute/sh": "usr/bin/sh",
      "/opt/relative/sh": "usr/bin/sh",
      "/opt/chain/sh": "usr/bin/sh",
      "/opt/far/os-release": "etc/os-release",
      "/opt/outside/os-release": "etc/os-release",
      "/opt/dangling/new": "var/none/new",
      "/../../etc/os-release": "etc/os-release",
      "/opt/deep/../../etc": "etc",
      "/": "",
    };
    for (const [path, place] of Object.entries(expected)) {
      assert.equal(await tree.locate(path), join(root, place), path);
    }
    assert.equal(await tree.locate("/opt/absolute", { keepLast: true }), join(root, "opt/absolute"));
    assert.equal((await tree.stat("/opt/absolute", { keepLast: true }))?.isSymlink, true);
    assert.equal((await tree.stat("/opt/absolute"))?.isDirectory, true);
    assert.equal(await tree.stat("/opt/dangling/new"), undefined);
  }));

Deno.test("locate() refuses a circle of links, and a file where a folder should be", () =>
  withTree(async (tree) => {
    await Deno.symlink("two", join(tree.root, "one"));
    await Deno.symlink("/one", join(tree.root, "two"));
    await assert.rejects(tree.locate("/one/x"), { kind: "state", message: /circle/ });
    await assert.rejects(tree.locate("/bin/sh/x"), { kind: "state", message: /"\/usr\/bin\/sh" is not a folder/ });
  }));
