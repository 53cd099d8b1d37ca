// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { getLogger } from "@logtape/logtape";
import fc from "fast-check";
import { type CreateContainerRequest, CreateContainerRequestSchema } from "../proto/gen/agent_pb.ts";
import { Code } from "../ttrpc/status.ts";
import { createGuestRewriters } from "./guest_rewrite.ts";
import { openContainerRequest } from "./oci_edit.ts";

const log = getLogger(["test"]);
const context = { signal: new AbortController().signal, timeoutNanos: 0n };
const networkNamespacePath = "/run/netns/podns";
const rewriters = createGuestRewriters({ networkNamespacePath, log });
const createContainer = rewriters.get("grpc.AgentService/CreateContainer")!;
const createSandbox = rewriters.get("grpc.AgentService/CreateSandbox")!;

/** Anything but a bind mount, for which the rewriter would touch this machine's files. */
const mount = fc.record({ source: fc.string(), destination: fc.string(), type: fc.constantFrom("proc", "tmpfs", "") });
const namespace = fc.record({ Type: fc.constantFrom("network", "ipc", "uts", "pid", ""), Path: fc.string() });
const spec = fc.record({
  Version: fc.string(),
  Hostname: fc.string(),
  Mounts: fc.array(mount, { maxLength: 4 }),
  Annotations: fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 }),
  Linux: fc.record({ CgroupsPath: fc.string(), Namespaces: fc.array(namespace, { maxLength: 5 }) }),
}, { requiredKeys: [] });
const payload = fc.record({ containerId: fc.string(), OCI: spec }, { requiredKeys: [] }).map((request) =>
  toBinary(CreateContainerRequestSchema, create(CreateContainerRequestSchema, request))
);

/** Random bytes, or a well-formed request with a few bytes changed or cut off. */
const damaged = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.tuple(payload, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }), fc.nat()).map(
    ([bytes, changes, cut]) => {
      const copy = bytes.slice();
      for (const [at, value] of changes) if (copy.length > 0) copy[at % copy.length] = value;
      return cut % 3 === 0 ? copy.subarray(0, cut % (copy.length + 1)) : copy;
    },
  ),
);

/** The generated code does not look at the wire types of known fields: it is a judge only of what it writes again. */
function isCanonical(bytes: Uint8Array): boolean {
  try {
    const again = toBinary(CreateContainerRequestSchema, fromBinary(CreateContainerRequestSchema, bytes));
    return again.toHex() === bytes.toHex();
  } catch {
    return false;
  }
}

const networkPaths = (request: CreateContainerRequest) =>
  request.OCI?.Linux?.Namespaces.filter((one) => one.Type === "network").map((one) => one.Path);

Deno.test("createGuestRewriters() changes nothing but the network namespace, whatever the request", () => {
  fc.assert(
    fc.property(payload, (bytes) => {
      const before = fromBinary(CreateContainerRequestSchema, bytes);
      const after = fromBinary(CreateContainerRequestSchema, createContainer(bytes, context) as Uint8Array);
      if (before.OCI === undefined) return assert.ok(equals(CreateContainerRequestSchema, before, after));
      assert.deepEqual(networkPaths(after), [networkNamespacePath]);
      for (const request of [before, after]) {
        request.OCI!.Linux ??= create(CreateContainerRequestSchema, { OCI: { Linux: {} } }).OCI!.Linux!;
        request.OCI!.Linux.Namespaces = request.OCI!.Linux.Namespaces.filter((one) => one.Type !== "network");
      }
      assert.ok(equals(CreateContainerRequestSchema, before, after));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("setAnnotation() changes nothing but that annotation, whatever the request", () => {
  fc.assert(
    fc.property(payload, fc.string(), fc.string(), (bytes, key, value) => {
      const request = openContainerRequest(bytes);
      if (request === undefined) return;
      request.setAnnotation(key, value);
      const expected = fromBinary(CreateContainerRequestSchema, bytes);
      expected.OCI!.Annotations[key] = value;
      assert.ok(
        equals(CreateContainerRequestSchema, expected, fromBinary(CreateContainerRequestSchema, request.encode())),
      );
    }),
    { numRuns: 1000 },
  );
});

Deno.test("createGuestRewriters() refuses damaged requests or passes on what an agent reads as meant", () => {
  let refused = 0;
  let passed = 0;
  fc.assert(
    fc.property(damaged, (bytes) => {
      let after: Uint8Array;
      try {
        after = createContainer(bytes, context) as Uint8Array;
      } catch (error) {
        assert.equal((error as { code?: number }).code, Code.invalidArgument);
        refused++;
        return;
      }
      // What is not looked at may be damaged still: the agent judges it.
      if (after === bytes || !isCanonical(bytes)) return;
      passed++;
      assert.deepEqual(networkPaths(fromBinary(CreateContainerRequestSchema, after)), [networkNamespacePath]);
    }),
    { numRuns: 5000 },
  );
  assert.ok(refused > 500 && passed > 100, `${refused} refused, ${passed} passed`);
});

Deno.test("createGuestRewriters() never lets dns of a damaged CreateSandbox through", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
      try {
        const after = createSandbox(bytes, context) as Uint8Array;
        assert.equal(after.length <= bytes.length, true);
        assert.equal(createSandbox(after, context), after);
      } catch (error) {
        assert.equal((error as { code?: number }).code, Code.invalidArgument);
      }
    }),
    { numRuns: 5000 },
  );
});
