// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import { CreateContainerRequestSchema } from "../proto/gen/agent_pb.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import type { Rewriter } from "../ttrpc/splice.ts";
import { Code } from "../ttrpc/status.ts";
import { createWorkerRewriters } from "./worker_rewrite.ts";

const log = getLogger(["test"]);
const context = { signal: new AbortController().signal, timeoutNanos: 0n };
const targetPath = "io.confidentialcontainers.org.peerpodvolumes.target_path";
const cloudVolumes = "io.confidentialcontainers.org.cloud_volumes";
const gpus = "io.katacontainers.config.hypervisor.default_gpus";

type Request = MessageInitShape<typeof CreateContainerRequestSchema>;

function rewriter(directVolumesDir: string): Rewriter {
  const rewriters = createWorkerRewriters({ directVolumesDir, log });
  assert.deepEqual([...rewriters.keys()], ["grpc.AgentService/CreateContainer"]);
  return rewriters.get("grpc.AgentService/CreateContainer")!;
}

const encode = (request: Request) =>
  toBinary(CreateContainerRequestSchema, create(CreateContainerRequestSchema, request));

async function annotationsAfter(dir: string, request: Request): Promise<Record<string, string>> {
  const rewritten = await rewriter(dir)(encode(request), context);
  const message = fromBinary(CreateContainerRequestSchema, rewritten);
  return { ...message.OCI?.Annotations };
}

const csiPath = (pod: string, volume: string) =>
  `/var/lib/kubelet/pods/${pod}/volumes/kubernetes.io~csi/${volume}/mount`;

/** What a CSI driver leaves for the volume published at `path`. */
async function publish(dir: string, path: string, mountInfo?: unknown): Promise<void> {
  const volume = join(dir, new TextEncoder().encode(path).toBase64({ alphabet: "base64url" }));
  await Deno.mkdir(volume);
  if (mountInfo === undefined) return;
  const text = typeof mountInfo === "string" ? mountInfo : JSON.stringify(mountInfo);
  await Deno.writeTextFile(join(volume, "mountInfo.json"), text);
}

Deno.test("createWorkerRewriters() passes a container without volumes and GPUs byte for byte, at once", () => {
  const rewrite = rewriter("/nonexistent");
  const plain = encode({
    containerId: "c",
    OCI: { Mounts: [{ source: "/s", type: "bind" }], Annotations: { a: "b" } },
  });
  assert.equal(rewrite(plain, context), plain);
  const bare = encode({ containerId: "c" });
  assert.equal(rewrite(bare, context), bare);
  const noAnnotations = encode({ OCI: {} });
  assert.equal(rewrite(noAnnotations, context), noAnnotations);
});

Deno.test("createWorkerRewriters() refuses what is not protobuf", () => {
  assert.throws(() => rewriter("/nonexistent")(Uint8Array.of(0x0a, 5, 1), context), { code: Code.invalidArgument });
});

Deno.test("createWorkerRewriters() asks for the GPUs whenever the annotation has a value, also 0", async () => {
  for (const value of ["0", "1"]) {
    assert.deepEqual(await annotationsAfter("/nonexistent", { OCI: { Annotations: { [gpus]: value } } }), {
      [gpus]: value,
      "cdi.k8s.io/peer-pods": "nvidia.com/gpu=all",
    });
  }
  assert.deepEqual(await annotationsAfter("/nonexistent", { OCI: { Annotations: { [gpus]: "" } } }), { [gpus]: "" });
});

Deno.test("createWorkerRewriters() lists the published CSI mounts, in the order of the mounts, without a stray comma", () =>
  withTempDir(async (dir) => {
    const [a, b, missing] = [csiPath("u", "a"), csiPath("u", "b"), csiPath("u", "missing")];
    await publish(dir, a);
    await publish(dir, b);
    await publish(dir, "/not/csi");
    const mounts = ["/first", b, missing, "/not/csi", a].map((source) => ({ source }));
    assert.deepEqual(await annotationsAfter(dir, { OCI: { Mounts: mounts } }), { [targetPath]: `${b},${a}` });
    assert.deepEqual(
      await annotationsAfter(dir, { OCI: { Mounts: [{ source: a }], Annotations: { [targetPath]: "/x" } } }),
      { [targetPath]: `/x,${a}` },
    );
  }));

Deno.test("createWorkerRewriters() passes byte for byte when no CSI mount is published", () =>
  withTempDir(async (dir) => {
    const tooLong = csiPath("u", "v".repeat(300));
    await Deno.writeTextFile(
      join(dir, new TextEncoder().encode(csiPath("u", "f")).toBase64({ alphabet: "base64url" })),
      "",
    );
    const payload = encode({
      OCI: { Mounts: [{ source: csiPath("u", "v") }, { source: tooLong }, { source: csiPath("u", "f") }] },
    });
    assert.equal(await rewriter(dir)(payload, context), payload);
    assert.equal(await rewriter(join(dir, "absent"))(payload, context), payload);
  }));

Deno.test("createWorkerRewriters() refuses a published path with a comma", () =>
  withTempDir(async (dir) => {
    const path = csiPath("u", "a,b");
    await publish(dir, path);
    await assert.rejects(annotationsAfter(dir, { OCI: { Mounts: [{ source: path }] } }), {
      code: Code.failedPrecondition,
      message: /has a comma/,
    });
  }));

Deno.test("createWorkerRewriters() describes the cloud volumes; each keeps the place of its disk", () =>
  withTempDir(async (dir) => {
    // The names of the directories sort like the paths do here.
    const paths = ["a", "b", "c", "d", "e"].map((name) => csiPath("u1", name));
    const [a, b, c, d, e] = paths as [string, string, string, string, string];
    await publish(dir, a, { device: "/dev/a", fstype: "xfs", metadata: { "cloud-volume-path": "disk-a" } });
    await publish(dir, b, { device: "", metadata: {} });
    await publish(dir, c, { device: "/dev/c", "volume-type": "block" });
    await publish(dir, d, { device: "/dev/d" });
    await publish(dir, e, {
      device: "/dev/e",
      fstype: "ext4",
      metadata: { "cloud-volume-path": "disk-e", "encrypt-type": "luks2", "kbs-key-id": "default/key/1" },
    });
    await publish(dir, csiPath("u2", "a"), { device: "/dev/other-pod" });
    const Mounts = [e, d, a].map((source) => ({ source, destination: `/data/${source.split("/").at(-2)}` }));
    const annotations = await annotationsAfter(dir, {
      OCI: { Mounts, Annotations: { "io.kubernetes.cri.sandbox-uid": "u1" } },
    });
    assert.equal(
      annotations[cloudVolumes],
      JSON.stringify({
        "vol-0": { mount_point: "/data/a", fs_type: "xfs", lun: "0", disk_id: "disk-a" },
        "vol-2": { mount_point: "/data/d", fs_type: "ext4", lun: "2", disk_id: "/dev/d" },
        "vol-3": {
          mount_point: "/data/e",
          fs_type: "ext4",
          lun: "3",
          disk_id: "disk-e",
          encrypt_type: "luks2",
          key_id: "default/key/1",
        },
      }),
    );
  }));

Deno.test("createWorkerRewriters() counts the volumes of every pod when the container does not name its own", () =>
  withTempDir(async (dir) => {
    await publish(dir, csiPath("u1", "a"), { device: "/dev/1" });
    await publish(dir, csiPath("u2", "a"), { device: "/dev/2" });
    const mounts = [{ source: csiPath("u2", "a"), destination: "/d" }];
    const annotations = await annotationsAfter(dir, { OCI: { Mounts: mounts } });
    assert.match(annotations[cloudVolumes] ?? "", /^\{"vol-1":/);
  }));

Deno.test("createWorkerRewriters() skips directories that hold no readable mountInfo.json or are no volume's", () =>
  withTempDir(async (dir) => {
    await publish(dir, csiPath("u", "a"), "{broken");
    await publish(dir, csiPath("u", "b"), { device: 5 });
    await publish(dir, csiPath("u", "c"), "x".repeat(100_000));
    await publish(dir, csiPath("u", "d"));
    await publish(dir, "/not/csi", { device: "/dev/x" });
    await Deno.mkdir(join(dir, "not base64!"));
    await publish(dir, csiPath("u", "z"), { device: "/dev/z" });
    const mounts = ["a", "b", "c", "d", "z"].map((name) => ({ source: csiPath("u", name), destination: `/${name}` }));
    const annotations = await annotationsAfter(dir, { OCI: { Mounts: mounts } });
    assert.deepEqual(JSON.parse(annotations[cloudVolumes] ?? ""), {
      "vol-0": { mount_point: "/z", fs_type: "ext4", lun: "0", disk_id: "/dev/z" },
    });
  }));
