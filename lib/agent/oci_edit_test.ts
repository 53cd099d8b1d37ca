// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CreateContainerRequestSchema } from "../proto/gen/agent_pb.ts";
import { Code } from "../ttrpc/status.ts";
import { openContainerRequest } from "./oci_edit.ts";
import { delimitedField, joinFields } from "./wire_edit.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const invalid = { name: "RpcError", code: Code.invalidArgument };

function edit(payload: Uint8Array, change: (request: NonNullable<ReturnType<typeof openContainerRequest>>) => void) {
  const request = openContainerRequest(payload);
  assert.ok(request);
  change(request);
  return request.encode();
}

/** An OCI spec field around the given bytes. */
const oci = (body: Uint8Array) => delimitedField(6, body).raw;

Deno.test("openContainerRequest() reads mounts, annotations, storages and devices", () => {
  const request = openContainerRequest(toBinary(
    CreateContainerRequestSchema,
    create(CreateContainerRequestSchema, {
      containerId: "c1",
      devices: [{}, {}],
      storages: [{ driver: "image_guest_pull" }, {}],
      OCI: {
        Mounts: [{ destination: "/d", source: "/s", type: "bind", options: ["ro"] }, {}],
        Annotations: { a: "1", empty: "" },
      },
    }),
  ));
  assert.ok(request);
  assert.equal(request.containerId, "c1");
  assert.equal(request.devices, 2);
  assert.deepEqual(request.storageDrivers, ["image_guest_pull", ""]);
  assert.deepEqual(request.mounts, [{ destination: "/d", source: "/s", type: "bind" }, {
    destination: "",
    source: "",
    type: "",
  }]);
  assert.deepEqual([...request.annotations], [["a", "1"], ["empty", ""]]);
});

Deno.test("openContainerRequest() answers undefined without an OCI spec", () => {
  assert.equal(openContainerRequest(hex("0a026331")), undefined);
  assert.equal(openContainerRequest(new Uint8Array()), undefined);
});

Deno.test("openContainerRequest() takes the last of duplicate annotation keys, in any field order", () => {
  // k=1, then value before key k=2, then an entry without a value, then one without a key.
  const spec = hex("3a06 0a016b 120131  3a06 120132 0a016b  3a03 0a016e  3a03 120176");
  const request = openContainerRequest(oci(spec));
  assert.deepEqual([...request?.annotations ?? []], [["k", "2"], ["n", ""], ["", "v"]]);
});

Deno.test("encode() gives the same bytes, and the same object, when nothing was edited", () => {
  const payload = joinFields([delimitedField(1, "c1"), delimitedField(6, hex("4200 a20601ff"))]);
  assert.equal(edit(payload, () => {}), payload);
});

Deno.test("setAnnotation() replaces the entry that counts, in place, and keeps unknown fields at every level", () => {
  // Spec: unknown 100, k=1, k=2, Hostname h, unknown 100; request: unknown 100 before and after the spec.
  const unknown = "a206 01ff";
  const before = hex(`${unknown} 3a06 0a016b 120131  3a06 0a016b 120132  2201 68 ${unknown}`);
  const after = hex(`${unknown} 3a06 0a016b 120131  3a07 0a016b 12023333  2201 68 ${unknown}`);
  const wrap = (spec: Uint8Array) =>
    joinFields([delimitedField(100, hex("aa")), delimitedField(6, spec), delimitedField(100, hex("bb"))]);
  assert.deepEqual(edit(wrap(before), (r) => r.setAnnotation("k", "33")), wrap(after));
});

Deno.test("setAnnotation() appends to the spec what was not there", () => {
  const edited = edit(oci(hex("220168")), (r) => {
    r.setAnnotation("k", "v");
    assert.equal(r.annotations.get("k"), "v");
  });
  assert.deepEqual(edited, oci(hex("220168 3a06 0a016b 120176")));
});

Deno.test("setNetworkNamespace() appends to the namespaces (golden payload of F16)", () => {
  const edited = edit(hex("0a026331 3209 4207 3205 0a03697063"), (r) => r.setNetworkNamespace("/run/netns/podns"));
  assert.deepEqual(
    edited,
    hex("0a026331 3226 4224 3205 0a03697063 321b 0a076e6574776f726b 12102f72756e2f6e65746e732f706f646e73"),
  );
});

Deno.test("setNetworkNamespace() adds Linux, or the first namespace, when there is none", () => {
  const added = hex("4210 320e 0a07 6e6574776f726b 1203 2f6e73");
  assert.deepEqual(edit(oci(new Uint8Array()), (r) => r.setNetworkNamespace("/ns")), oci(added));
  assert.deepEqual(edit(oci(hex("4200")), (r) => r.setNetworkNamespace("/ns")), oci(added));
});

Deno.test("setNetworkNamespace() gives its path to the one that is there and drops further ones", () => {
  const payload = toBinary(
    CreateContainerRequestSchema,
    create(CreateContainerRequestSchema, {
      OCI: {
        Linux: {
          CgroupsPath: "/c",
          Namespaces: [
            { Type: "network", Path: "/old" },
            { Type: "ipc" },
            { Type: "network" },
            { Type: "uts", Path: "/uts" },
          ],
        },
      },
    }),
  );
  const edited = fromBinary(CreateContainerRequestSchema, edit(payload, (r) => r.setNetworkNamespace("/new")));
  assert.deepEqual(edited.OCI?.Linux?.Namespaces.map(({ Type, Path }) => [Type, Path]), [
    ["network", "/new"],
    ["ipc", ""],
    ["uts", "/uts"],
  ]);
  assert.equal(edited.OCI?.Linux?.CgroupsPath, "/c");
});

Deno.test("setNetworkNamespace() keeps unknown fields of Linux and of a namespace", () => {
  const unknown = "a206 01ff";
  const network = "0a07 6e6574776f726b";
  const ipc = `3209 0a03697063 ${unknown}`;
  assert.deepEqual(
    edit(oci(hex(`4213 ${unknown} ${ipc} ${unknown}`)), (r) => r.setNetworkNamespace("/n")),
    oci(hex(`4222 ${unknown} ${ipc} ${unknown}  320d ${network} 1202 2f6e`)),
  );
  assert.deepEqual(
    edit(oci(hex(`4217 3211 1202 2f78 ${network} ${unknown} ${unknown}`)), (r) => r.setNetworkNamespace("/n")),
    oci(hex(`4217 3211 ${network} ${unknown} 1202 2f6e ${unknown}`)),
  );
});

Deno.test("openContainerRequest() refuses broken, doubled and wrongly typed parts", () => {
  const cases: [string, RegExp][] = [
    ["0a056162", /ends in the middle/],
    ["3201ff", /ends in the middle/],
    ["3200 3200", /occurs 2 times/],
    ["3001", /another wire type/],
    ["3202 3801", /another wire type/],
    ["3204 3a02 0aff", /ends in the middle/],
    ["3205 3a03 0a01ff", /not UTF-8/],
    ["3203 2a010a", /ends in the middle/],
  ];
  for (const [payload, message] of cases) {
    assert.throws(() => openContainerRequest(hex(payload)), { ...invalid, message }, payload);
  }
});

Deno.test("setNetworkNamespace() refuses a Linux that is broken, doubled or wrongly typed", () => {
  for (const spec of ["4200 4200", "4001", "420132", "4202 3001", "4204 3202 0aff"]) {
    assert.throws(() => edit(oci(hex(spec)), (r) => r.setNetworkNamespace("/n")), invalid, spec);
  }
});
