// SPDX-License-Identifier: Apache-2.0
/** Two transcriptions of the protocol tables, lib/proto and the Go peers', name the same fields. */

import assert from "node:assert/strict";
import { type DescField, type DescMessage, type DescService, ScalarType } from "@bufbuild/protobuf";
import { AgentService } from "../proto/gen/agent_pb.ts";
import { Health } from "../proto/gen/health_pb.ts";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { PodVMInfo } from "../proto/gen/podvminfo_pb.ts";
import { startGoShim } from "./go_shim.ts";
import { requirePeer } from "./peers.ts";

Deno.test({
  name: "lib/proto agrees with the Go peers' schema on every field that they have",
  ...requirePeer("go"),
  async fn() {
    const shim = await startGoShim({ socket: "none" });
    try {
      const theirs = await shim.describe();
      const services: DescService[] = [AgentService, Health, Hypervisor, PodVMInfo];
      const ours = Object.assign({}, ...services.map(describeService)) as typeof theirs;
      assert.ok(Object.keys(theirs).length > 20);
      for (const [method, fields] of Object.entries(theirs)) {
        const shared = Object.fromEntries(Object.keys(fields).map((path) => [path, ours[method]?.[path]]));
        assert.deepEqual(shared, fields, method);
      }
    } finally {
      await shim.stop();
    }
  },
});

function describeService(service: DescService): Record<string, Record<string, string>> {
  return Object.fromEntries(service.methods.map((method) => {
    const fields: Record<string, string> = {};
    describeMessage("input", method.input, fields);
    describeMessage("output", method.output, fields);
    return [`${service.typeName}/${method.name}`, fields];
  }));
}

function describeMessage(path: string, message: DescMessage, fields: Record<string, string>): void {
  for (const field of message.fields) {
    const name = `${path}.${field.name}`;
    fields[name] = `${field.number} ${kindOf(field)} ${cardinalityOf(field)}`;
    if (field.message !== undefined) describeMessage(name, field.message, fields);
    if (field.fieldKind !== "map") continue;
    fields[`${name}.key`] = `1 ${scalarName(field.mapKey)} optional`;
    fields[`${name}.value`] = `2 ${field.scalar === undefined ? "message" : scalarName(field.scalar)} optional`;
  }
}

/** Map fields are messages on the wire. */
function kindOf(field: DescField): string {
  if (field.fieldKind === "map" || field.message !== undefined) return "message";
  return field.enum !== undefined ? "enum" : scalarName(field.scalar as ScalarType);
}

/** The name as a .proto file has it. */
const scalarName = (type: ScalarType) => `${ScalarType[type]}`.toLowerCase();

function cardinalityOf(field: DescField): string {
  return field.fieldKind === "map" ? "map" : field.fieldKind === "list" ? "repeated" : "optional";
}
