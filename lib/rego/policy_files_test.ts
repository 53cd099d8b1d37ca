// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { withTempDir } from "../testing/temp_dir.ts";
import { formatJson } from "./json.ts";
import { loadPolicyFiles } from "./policy_files.ts";

Deno.test("loadPolicyFiles() places documents by their folders, as opa eval -d does", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/users/admins`, { recursive: true });
    await Deno.writeTextFile(`${dir}/root.json`, '{"a": 1}');
    await Deno.writeTextFile(`${dir}/users/data.yaml`, "b: 2");
    await Deno.writeTextFile(`${dir}/users/admins/list.json`, '["x"]');
    await Deno.writeTextFile(`${dir}/users/x.rego`, "package x");
    await Deno.writeTextFile(`${dir}/users/notes.txt`, "not for us");
    const whole = loadPolicyFiles([dir]);
    assert.equal(formatJson(whole.data), '{"a":1,"users":{"admins":["x"],"b":2}}');
    assert.deepEqual(whole.modules, [{ path: `${dir}/users/x.rego`, text: "package x" }]);
    const parts = loadPolicyFiles([`${dir}/users/`, `${dir}/root.json`, `${dir}/users/x.rego`, `${dir}/users/x.rego`]);
    assert.equal(formatJson(parts.data), '{"a":1,"admins":["x"],"b":2}');
    assert.equal(parts.modules.length, 1);
  });
});

Deno.test("loadPolicyFiles() says which path it cannot use, and why", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/a/b`, { recursive: true });
    await Deno.writeTextFile(`${dir}/list.json`, "[1]");
    await Deno.writeTextFile(`${dir}/a/b/1.json`, '{"x": 1}');
    await Deno.writeTextFile(`${dir}/a/b/2.yaml`, "x: 2");
    await Deno.writeTextFile(`${dir}/policy.txt`, "package x");
    await Deno.writeFile(`${dir}/bytes.rego`, new Uint8Array([0xff]));
    const cases: [string, RegExp][] = [
      ["none.rego", /Cannot read ".*none.rego"/],
      ["list.json", /list.json": a document of data must be an object/],
      ["a", /Cannot load ".*\/a\/b\/2.yaml": another document gives data\["b"\]\["x"\], too/],
      ["policy.txt", /policy.txt": it ends in none of/],
      ["bytes.rego", /Cannot read ".*bytes.rego"/],
    ];
    for (const [name, message] of cases) {
      assert.throws(() => loadPolicyFiles([`${dir}/${name}`]), { name: "PeerctlError", kind: "config", message });
    }
  });
});

Deno.test("loadPolicyFiles() comes to an end in a folder that is linked into itself", async () => {
  await withTempDir(async (dir) => {
    await Deno.symlink(dir, `${dir}/loop`);
    assert.throws(() => loadPolicyFiles([dir]), { kind: "limit", message: /more than 32 folders/ });
  });
});
