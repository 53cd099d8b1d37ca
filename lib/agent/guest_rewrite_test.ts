// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import { CreateContainerRequestSchema } from "../proto/gen/agent_pb.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { Code } from "../ttrpc/status.ts";
import { createGuestRewriters } from "./guest_rewrite.ts";

const log = getLogger(["test"]);
const context = { signal: new AbortController().signal, timeoutNanos: 0n };
const targetPath = "io.confidentialcontainers.org.peerpodvolumes.target_path";
const networkNamespacePath = "/run/netns/podns";
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

function rewriters(options: { mountInfoPath?: string; mountWaitMs?: number } = {}) {
  const map = createGuestRewriters({ networkNamespacePath, log, ...options });
  assert.deepEqual([...map.keys()], ["grpc.AgentService/CreateContainer", "grpc.AgentService/CreateSandbox"]);
  return {
    createContainer: map.get("grpc.AgentService/CreateContainer")!,
    createSandbox: map.get("grpc.AgentService/CreateSandbox")!,
  };
}

type Spec = NonNullable<MessageInitShape<typeof CreateContainerRequestSchema>["OCI"]>;

const encode = (OCI: Spec) => toBinary(CreateContainerRequestSchema, create(CreateContainerRequestSchema, { OCI }));

Deno.test("CreateContainer is given the network namespace (golden payloads of F16), at once", () => {
  assert.deepEqual(
    rewriters().createContainer(hex("0a026331 3209 4207 3205 0a03697063"), context),
    hex("0a026331 3226 4224 3205 0a03697063 321b 0a076e6574776f726b 12102f72756e2f6e65746e732f706f646e73"),
  );
});

Deno.test("CreateContainer without OCI passes as it is; without Linux it is given one", () => {
  const bare = hex("0a026331");
  assert.equal(rewriters().createContainer(bare, context), bare);
  const rewritten = rewriters().createContainer(encode({}), context) as Uint8Array;
  const namespaces = fromBinary(CreateContainerRequestSchema, rewritten).OCI?.Linux?.Namespaces ?? [];
  assert.deepEqual(namespaces.map(({ Type, Path }) => [Type, Path]), [["network", networkNamespacePath]]);
});

Deno.test("CreateContainer with cloud volumes is refused", () => {
  const payload = encode({ Annotations: { "io.confidentialcontainers.org.cloud_volumes": "{}" } });
  assert.throws(() => rewriters().createContainer(payload, context), {
    code: Code.failedPrecondition,
    message: /^Cannot create container: it has cloud volumes/,
  });
});

Deno.test("CreateContainer that is not protobuf is refused", () => {
  assert.throws(() => rewriters().createContainer(hex("0a05"), context), { code: Code.invalidArgument });
});

Deno.test("CreateContainer makes the missing sources of its bind mounts", () =>
  withTempDir(async (dir) => {
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "kept");
    const mount = (type: string, source: string) => ({ type, source });
    const payload = encode({
      Mounts: [
        mount("bind", join(dir, "a/b/c")),
        mount("bind", file),
        mount("bind", join(file, "below a file")),
        mount("bind", "relative/path"),
        mount("bind", ""),
        mount("tmpfs", join(dir, "not")),
      ],
    });
    await rewriters().createContainer(payload, context);
    assert.ok(Deno.statSync(join(dir, "a/b/c")).isDirectory);
    assert.equal(Deno.readTextFileSync(file), "kept");
    assert.throws(() => Deno.statSync("relative/path"), Deno.errors.NotFound);
    assert.deepEqual([...Deno.readDirSync(dir)].map((e) => e.name).sort(), ["a", "file"]);
  }));

Deno.test("CreateContainer waits until every target path is mounted", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    const mounted = (...paths: string[]) => paths.map((path) => `1 2 0:3 / ${path} rw - tmpfs tmpfs rw\n`).join("");
    await Deno.writeTextFile(mountInfoPath, mounted("/v1"));
    const payload = encode({ Annotations: { [targetPath]: ",/v1,/v2,/v1" } });
    let answered = false;
    const answer = Promise.resolve(rewriters({ mountInfoPath }).createContainer(payload, context));
    const done = answer.then(() => answered = true);
    await Deno.readTextFile(mountInfoPath);
    assert.equal(answered, false);
    await Deno.writeTextFile(`${mountInfoPath}.new`, mounted("/v1", "/v2"));
    await Deno.rename(`${mountInfoPath}.new`, mountInfoPath);
    await done;
    const { OCI } = fromBinary(CreateContainerRequestSchema, await answer);
    assert.equal(OCI?.Linux?.Namespaces.length, 1);
  }));

Deno.test("CreateContainer whose target path is not mounted in time fails and names it", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, "");
    const payload = encode({ Annotations: { [targetPath]: "/v1" } });
    const answer = rewriters({ mountInfoPath, mountWaitMs: 20 }).createContainer(payload, context);
    await assert.rejects(Promise.resolve(answer), {
      code: Code.deadlineExceeded,
      message: /nothing is mounted at "\/v1"/,
    });
  }));

Deno.test("CreateContainer stops waiting when its call ends", () =>
  withTempDir(async (dir) => {
    const mountInfoPath = join(dir, "mountinfo");
    await Deno.writeTextFile(mountInfoPath, "");
    const payload = encode({ Annotations: { [targetPath]: "/v1" } });
    const call = new AbortController();
    const answer = rewriters({ mountInfoPath }).createContainer(payload, { signal: call.signal, timeoutNanos: 0n });
    const reason = new Error("the connection is gone");
    call.abort(reason);
    await assert.rejects(Promise.resolve(answer), reason);
  }));

Deno.test("CreateContainer refuses target paths that are relative or too many", () => {
  const many = Array.from({ length: 257 }, (_, i) => `/v${i}`).join(",");
  for (const [paths, message] of [["/a,b", /"b" is not an absolute path/], [many, /257 paths, limit 256/]] as const) {
    const payload = encode({ Annotations: { [targetPath]: paths } });
    assert.throws(() => rewriters().createContainer(payload, context), { code: Code.invalidArgument, message });
  }
});

Deno.test("CreateSandbox loses its dns (golden payloads of F17) and nothing else", () => {
  const { createSandbox } = rewriters();
  const dns = "12126e616d6573657276657220312e312e312e31";
  assert.deepEqual(createSandbox(hex(`0a0168 ${dns} 2a03736231`), context), hex("0a0168 2a03736231"));
  assert.deepEqual(createSandbox(hex(`${dns} a20601ff ${dns} 2000 ${dns}`), context), hex("a20601ff 2000"));
  const without = hex("0a0168 2a03736231");
  assert.equal(createSandbox(without, context), without);
});

Deno.test("CreateSandbox that is not protobuf, or has a dns of another type, is refused", () => {
  for (const payload of ["0a05", "1001"]) {
    assert.throws(() => rewriters().createSandbox(hex(payload), context), { code: Code.invalidArgument });
  }
});
