// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readPodRequest } from "./annotations.ts";
import { instanceNameFor } from "./names.ts";

const containerd = {
  "io.kubernetes.cri.sandbox-name": "web",
  "io.kubernetes.cri.sandbox-namespace": "default",
};
const prefix = "io.katacontainers.config.hypervisor.";

Deno.test("readPodRequest() reads the pod's name as containerd and as CRI-O give it", () => {
  assert.equal(readPodRequest(containerd).podName, "web");
  const crio = { ...containerd, "io.kubernetes.cri.sandbox-name": "k8s_web-1_default_0af3_0" };
  assert.equal(readPodRequest(crio).podName, "web-1");
});

Deno.test("readPodRequest() takes empty, zero and unreadable sizes for none", () => {
  for (const text of ["", "0", "-1", "two", "1.5", "99999999999"]) {
    const { spec } = readPodRequest({ ...containerd, [`${prefix}default_vcpus`]: text });
    assert.equal(spec.vcpus, 0, JSON.stringify(text));
  }
  const { spec, initdata } = readPodRequest({
    ...containerd,
    [`${prefix}machine_type`]: "m6a.large",
    [`${prefix}image`]: "ami-1",
    [`${prefix}default_vcpus`]: "2",
    [`${prefix}default_memory`]: "4096",
    [`${prefix}default_gpus`]: "1",
    [`${prefix}cc_init_data`]: 'version = "0.1.0"',
  });
  assert.deepEqual(spec, { instanceType: "m6a.large", image: "ami-1", vcpus: 2, memoryMiB: 4096, gpus: 1 });
  assert.equal(initdata, 'version = "0.1.0"');
});

Deno.test("readPodRequest() refuses names that Kubernetes would refuse", () => {
  for (const name of ["../web", "We b", "-web", "web\n", "k8s", "a".repeat(254)]) {
    const broken = { ...containerd, "io.kubernetes.cri.sandbox-name": name };
    assert.throws(() => readPodRequest(broken), { kind: "config" }, JSON.stringify(name));
  }
});

Deno.test("instanceNameFor() makes one DNS label of pod and sandbox id", () => {
  assert.equal(instanceNameFor("web", "0123456789abcdef"), "podvm-web-01234567");
  assert.equal(instanceNameFor("Web.example", "AB_cd"), "podvm-web-example-ab-cd");
  const long = instanceNameFor("a".repeat(253), "0123456789abcdef");
  assert.equal(long.length, 63);
  assert.ok(long.endsWith("-01234567"));
});
