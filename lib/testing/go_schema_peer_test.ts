// SPDX-License-Identifier: Apache-2.0
/** lib/proto, which was written from tables, agrees with the code that kata generated from its own .proto files. */

import assert from "node:assert/strict";
import { type DescEnum, type DescField, type DescFile, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { file_agent } from "../proto/gen/agent_pb.ts";
import { file_health } from "../proto/gen/health_pb.ts";
import { file_hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { file_oci } from "../proto/gen/oci_pb.ts";
import { file_podvminfo } from "../proto/gen/podvminfo_pb.ts";
import { file_types } from "../proto/gen/types_pb.ts";
import { startGoShim } from "./go_shim.ts";
import { requirePeer } from "./peers.ts";

/** By full name: the fields of a message, the values of an enum, the methods of a service. */
type Schema = Record<string, Record<string, string>>;

/** In lib/proto, and not yet in the kata version that testdata/peers/go pins. */
const NEWER = [
  "grpc.AgentService GetDiagnosticData",
  "grpc.GetDiagnosticDataRequest log_type",
  "grpc.GetDiagnosticDataRequest container_id",
  "grpc.GetDiagnosticDataResponse data",
  "grpc.Storage shared",
];

/** cloud-api-adaptor's service: there is no foreign code of it here, the Go peers' messages are our own. */
const NOT_KATAS = "podvminfo.PodVMInfo GetInfo";

Deno.test({
  name: "lib/proto agrees with kata's generated code on every field, enum value and method",
  ...requirePeer("go"),
  async fn() {
    const shim = await startGoShim({ socket: "none" });
    const theirs: Schema = await shim.describe().finally(() => shim.stop());
    const ours: Schema = Object.assign({}, ...FILES.map(describeFile));
    const different: string[] = [], missing: string[] = [], more: string[] = [];
    for (const [name, members] of Object.entries(ours)) {
      // A message without any field stands for bytes that nobody here looks into.
      const isOpaque = Object.keys(members).length === 0;
      for (const [member, type] of Object.entries(theirs[name] ?? {})) {
        if (members[member] === undefined) missing.push(...(isOpaque ? [] : [`${name} ${member}`]));
        else if (members[member] !== type) different.push(`${name} ${member}: ${members[member]}, kata has ${type}`);
      }
      more.push(...Object.keys(members).filter((one) => !theirs[name]?.[one]).map((one) => `${name} ${one}`));
    }
    assert.deepEqual({ different, missing }, { different: [], missing: [] });
    assert.deepEqual(more.sort(), [...NEWER, NOT_KATAS].sort());
    assert.ok(Object.keys(ours).length > 90, "the comparison covers all messages");
  },
});

const FILES = [file_hypervisor, file_types, file_agent, file_health, file_oci, file_podvminfo];

function describeFile(file: DescFile): Schema {
  const services = file.services.map((service) => [
    service.typeName,
    Object.fromEntries(service.methods.map((one) => [one.name, `${one.input.typeName} ${one.output.typeName}`])),
  ]);
  return { ...Object.fromEntries(services), ...describeTypes(file.messages, file.enums) };
}

function describeTypes(messages: readonly DescMessage[], enums: readonly DescEnum[]): Schema {
  return Object.assign(
    Object.fromEntries(enums.map((one) => [
      one.typeName,
      Object.fromEntries(one.values.map((value) => [value.name, String(value.number)])),
    ])),
    Object.fromEntries(messages.map((one) => [
      one.typeName,
      Object.fromEntries(one.fields.map((field) => [field.name, describeField(field)])),
    ])),
    ...messages.map((one) => describeTypes(one.nestedMessages, one.nestedEnums)),
  );
}

function describeField(field: DescField): string {
  const type = field.message?.typeName ?? field.enum?.typeName ?? scalarName(field.scalar as ScalarType);
  if (field.fieldKind === "map") return `${field.number} map ${scalarName(field.mapKey)} ${type}`;
  return `${field.number} ${field.fieldKind === "list" ? "repeated" : "optional"} ${type}`;
}

/** The name as a .proto file has it. */
const scalarName = (type: ScalarType) => `${ScalarType[type]}`.toLowerCase();
