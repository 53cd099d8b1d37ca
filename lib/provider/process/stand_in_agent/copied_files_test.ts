// SPDX-License-Identifier: Apache-2.0
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { CopyFileRequestSchema } from "../../../proto/gen/agent_pb.ts";
import { withTempDir } from "../../../testing/temp_dir.ts";
import { Code } from "../../../ttrpc/status.ts";
import { createCopiedFiles } from "./copied_files.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const [FILE, DIRECTORY, SYMLINK, SOCKET] = [0o100000, 0o040000, 0o120000, 0o140000];

async function withFiles(
  body: (o: {
    dir: string;
    copy(request: MessageInitShape<typeof CopyFileRequestSchema>): Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const files = await createCopiedFiles(`${dir}/agent`);
    const [uid, gid] = [Deno.uid() ?? 0, Deno.gid() ?? 0];
    await body({ dir, copy: (request) => files.copy(create(CopyFileRequestSchema, { uid, gid, ...request })) });
  });
}

Deno.test("copy() shows a file when its last piece came, with its mode", async () => {
  await withFiles(async ({ dir, copy }) => {
    const path = "/run/kata-containers/shared/containers/c1-resolv.conf";
    const target = `${dir}/agent/files${path}`;
    const common = { path, fileSize: 6n, fileMode: FILE | 0o640, dirMode: 0o750 };
    await copy({ ...common, offset: 0n, data: bytes("abc") });
    await assert.rejects(Deno.stat(target), Deno.errors.NotFound);
    await copy({ ...common, offset: 3n, data: bytes("def") });
    assert.equal(await Deno.readTextFile(target), "abcdef");
    assert.equal(((await Deno.stat(target)).mode ?? 0) & 0o7777, 0o640);
    assert.equal(((await Deno.stat(`${dir}/agent/files/run`)).mode ?? 0) & 0o7777, 0o750);
    await copy({ path, fileSize: 0n, fileMode: FILE | 0o4644 });
    assert.equal(await Deno.readTextFile(target), "");
    assert.equal(((await Deno.stat(target)).mode ?? 0) & 0o7777, 0o644);
  });
});

Deno.test("copy() starts again when the first piece comes again", async () => {
  await withFiles(async ({ dir, copy }) => {
    const file = { path: "/f", fileMode: FILE | 0o644 };
    await copy({ ...file, fileSize: 9n, data: bytes("too long") });
    await copy({ ...file, fileSize: 3n, data: bytes("abc") });
    assert.equal(await Deno.readTextFile(`${dir}/agent/files/f`), "abc");
    await assert.rejects(copy({ ...file, path: "/g", fileSize: 3n, offset: 1n, data: bytes("bc") }), {
      code: Code.failedPrecondition,
    });
  });
});

Deno.test("copy() makes directories and symbolic links without following any", async () => {
  await withFiles(async ({ dir, copy }) => {
    await copy({ path: "/v/..2024", fileMode: DIRECTORY | 0o700 });
    await copy({ path: "/v/..2024", fileMode: DIRECTORY | 0o755 });
    await copy({ path: "/v/..data", fileMode: SYMLINK | 0o777, data: bytes("..2024") });
    await copy({ path: "/v/..data", fileMode: SYMLINK | 0o777, data: bytes("..2024") });
    assert.equal(await Deno.readLink(`${dir}/agent/files/v/..data`), "..2024");
    assert.equal(((await Deno.stat(`${dir}/agent/files/v/..2024`)).mode ?? 0) & 0o777, 0o755);
    await assert.rejects(copy({ path: "/v/..data/x", fileSize: 0n, fileMode: FILE }), { code: Code.permissionDenied });
    await assert.rejects(copy({ path: "/v/..data", fileMode: DIRECTORY }), { code: Code.permissionDenied });
  });
});

Deno.test("copy() never writes outside its folder", async () => {
  await withFiles(async ({ dir, copy }) => {
    await Deno.writeTextFile(`${dir}/precious`, "kept");
    const file = { fileSize: 3n, fileMode: FILE | 0o644, data: bytes("bad") };
    for (const path of ["/../../precious", "/a/../../../precious", "..", "precious", "", "/", "/./x", "/a\0b", "/.."]) {
      await assert.rejects(copy({ ...file, path }), { code: Code.invalidArgument }, JSON.stringify(path));
    }
    await assert.rejects(copy({ ...file, path: `/${"a".repeat(256)}` }), { code: Code.invalidArgument });
    await assert.rejects(copy({ ...file, path: "/a".repeat(2048) }), { code: Code.invalidArgument });

    for (const [path, target] of [["/up", ".."], ["/abs", dir], ["/file", `${dir}/precious`]] as const) {
      await copy({ path, fileMode: SYMLINK, data: bytes(target) });
    }
    for (const path of ["/up/x", "/abs/precious", "/abs/new/x"]) {
      await assert.rejects(copy({ ...file, path }), { code: Code.permissionDenied }, path);
    }
    // A link in the last place is replaced, not written through.
    await copy({ ...file, path: "/file" });
    assert.equal(await Deno.readTextFile(`${dir}/agent/files/file`), "bad");
    assert.equal(await Deno.readTextFile(`${dir}/precious`), "kept");
    assert.deepEqual(Array.from(Deno.readDirSync(dir), ({ name }) => name).sort(), ["agent", "precious"]);
  });
});

Deno.test("copy() refuses sizes that do not fit and types that are no files", async () => {
  await withFiles(async ({ copy }) => {
    const bad = [
      { fileSize: -1n },
      { fileSize: 1n, offset: -1n, data: bytes("a") },
      { fileSize: 1n, data: bytes("ab") },
      { fileSize: 2n, offset: 1n, data: bytes("ab") },
    ];
    for (const one of bad) {
      await assert.rejects(copy({ path: "/f", fileMode: FILE, ...one }), { code: Code.invalidArgument });
    }
    await assert.rejects(copy({ path: "/f", fileMode: SOCKET }), { code: Code.invalidArgument });
    await assert.rejects(copy({ path: "/f", fileMode: FILE, fileSize: 1n << 40n }), { code: Code.resourceExhausted });
    await copy({ path: "/f", fileMode: FILE | 0o600, fileSize: 0n });
    await assert.rejects(copy({ path: "/f/x", fileMode: FILE, fileSize: 0n }), { code: Code.failedPrecondition });
  });
});
