// SPDX-License-Identifier: Apache-2.0
/** Checks the generated code against bytes that were derived by hand from the field tables. */

import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { AgentService, CreateContainerRequestSchema, CreateSandboxRequestSchema } from "./gen/agent_pb.ts";
import { Health, HealthCheckResponse_ServingStatus, HealthCheckResponseSchema } from "./gen/health_pb.ts";
import { CreateVMRequestSchema, CreateVMResponseSchema, Hypervisor } from "./gen/hypervisor_pb.ts";
import { PodVMInfo } from "./gen/podvminfo_pb.ts";
import { Relay } from "./gen/relay_pb.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("CreateVMRequest has the golden bytes of F15", () => {
  const bytes = hex("0a03736231 1206 0a0161 120162 1a022f6e");
  const message = fromBinary(CreateVMRequestSchema, bytes);
  assert.equal(message.id, "sb1");
  assert.deepEqual({ ...message.annotations }, { a: "b" });
  assert.equal(message.networkNamespacePath, "/n");
  assert.deepEqual(toBinary(CreateVMRequestSchema, message), bytes);
});

Deno.test("CreateVMResponse has the golden bytes of F15", () => {
  const bytes = hex("0a21 2f72756e2f706565 72706f642f706f64732f7362312f6167656e742e7474727063");
  const message = create(CreateVMResponseSchema, { agentSocketPath: "/run/peerpod/pods/sb1/agent.ttrpc" });
  assert.deepEqual(toBinary(CreateVMResponseSchema, message), bytes);
});

Deno.test("CreateContainerRequest reaches a namespace at OCI.Linux.Namespaces as in F16", () => {
  const message = fromBinary(CreateContainerRequestSchema, hex("0a026331 3209 4207 3205 0a03697063"));
  assert.equal(message.containerId, "c1");
  assert.equal(message.OCI?.Linux?.Namespaces[0]?.Type, "ipc");
});

Deno.test("CreateContainerRequest keeps unknown fields", () => {
  const bytes = hex("0a026331 a20601ff");
  assert.deepEqual(toBinary(CreateContainerRequestSchema, fromBinary(CreateContainerRequestSchema, bytes)), bytes);
});

Deno.test("CreateSandboxRequest has the golden bytes of F17", () => {
  const bytes = hex("0a0168 12126e616d6573657276657220312e312e312e31 2a03736231");
  const message = fromBinary(CreateSandboxRequestSchema, bytes);
  assert.deepEqual(message.dns, ["nameserver 1.1.1.1"]);
  assert.equal(message.sandboxId, "sb1");
  assert.deepEqual(toBinary(CreateSandboxRequestSchema, message), bytes);
});

Deno.test("HealthCheckResponse SERVING has the golden bytes of F4", () => {
  const message = create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVING });
  assert.deepEqual(toBinary(HealthCheckResponseSchema, message), hex("0801"));
});

Deno.test("services carry the names and the number of methods that are on the wire", () => {
  assert.deepEqual([AgentService, Health, Hypervisor, PodVMInfo, Relay].map((s) => [s.typeName, s.methods.length]), [
    ["grpc.AgentService", 42],
    ["grpc.Health", 2],
    ["hypervisor.Hypervisor", 4],
    ["podvminfo.PodVMInfo", 1],
    ["peerctl.relay.v1.Relay", 7],
  ]);
  assert.ok(
    [AgentService, Health, Hypervisor, PodVMInfo, Relay].every((s) => s.methods.every((m) => m.methodKind === "unary")),
  );
});
