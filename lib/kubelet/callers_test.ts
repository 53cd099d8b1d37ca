// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { createAuthority } from "../crypto/certificates.ts";
import { callerOf, isAllowed } from "./callers.ts";

type Subject = Parameters<typeof createAuthority>[0]["subject"];

async function certificateOf(subject: Subject): Promise<X509Certificate> {
  const now = new Date();
  const o = { keyType: "ecdsa-p256", now, validMs: 3_600_000 } as const;
  const authority = await createAuthority({ ...o, subject: [{ type: "CN", value: "CA" }] });
  return new X509Certificate((await authority.issue({ ...o, subject, usage: "client", names: [] })).cert);
}

Deno.test("callerOf() takes the common name for the user and the organisations for the groups", async () => {
  const certificate = await certificateOf([
    { type: "O", value: "system:masters" },
    { type: "O", value: "nodes" },
    { type: "CN", value: "kube-apiserver-kubelet-client" },
  ]);
  const caller = callerOf(certificate)!;
  assert.equal(caller.name, "kube-apiserver-kubelet-client");
  assert.deepEqual(caller.groups, ["system:masters", "nodes"]);
  assert.equal(caller.notAfter, certificate.validToDate.getTime());
});

Deno.test("callerOf() is not led on by a line break in another part of the subject", async () => {
  const certificate = await certificateOf([
    { type: "O", value: "x\nCN=kube-apiserver-kubelet-client" },
    { type: "CN", value: "eve" },
  ]);
  const caller = callerOf(certificate)!;
  assert.deepEqual([caller.name, caller.groups], ["eve", ["x\nCN=kube-apiserver-kubelet-client"]]);
});

Deno.test("callerOf() names nobody without a common name, or with several", async () => {
  assert.equal(callerOf(await certificateOf([{ type: "O", value: "system:masters" }])), undefined);
  const two = [{ type: "CN", value: "eve" }, { type: "CN", value: "kube-apiserver-kubelet-client" }] as const;
  assert.equal(callerOf(await certificateOf([...two])), undefined);
});

Deno.test("isAllowed() wants a listed user or a listed group, whole and in its case", () => {
  const allowed = { users: ["api"], groups: ["monitoring"] };
  assert.ok(isAllowed({ name: "api", groups: [] }, allowed));
  assert.ok(isAllowed({ name: "prometheus", groups: ["x", "monitoring"] }, allowed));
  for (const name of ["API", "api2", "monitoring", ""]) assert.ok(!isAllowed({ name, groups: ["api"] }, allowed), name);
  assert.ok(!isAllowed({ name: "api", groups: [] }, { users: [], groups: [] }));
});
