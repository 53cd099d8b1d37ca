// SPDX-License-Identifier: Apache-2.0
/** Reads what the kata shim says about a pod in the annotations of CreateVM. */

import { PeerctlError } from "../errors.ts";
import type { InstanceSpec } from "../provider/provider.ts";

/** Annotation keys, as the kata runtime writes them (kata-containers `src/runtime/pkg/hypervisors`, containerd CRI). */
const KEY = {
  podName: "io.kubernetes.cri.sandbox-name",
  podNamespace: "io.kubernetes.cri.sandbox-namespace",
  instanceType: "io.katacontainers.config.hypervisor.machine_type",
  image: "io.katacontainers.config.hypervisor.image",
  vcpus: "io.katacontainers.config.hypervisor.default_vcpus",
  memoryMiB: "io.katacontainers.config.hypervisor.default_memory",
  gpus: "io.katacontainers.config.hypervisor.default_gpus",
  initdata: "io.katacontainers.config.hypervisor.cc_init_data",
} as const;

/** Longest pod name or namespace accepted, in characters: a DNS subdomain (RFC 1123), as Kubernetes limits names. */
const MAX_NAME_LENGTH = 253;

export interface PodRequest {
  readonly podName: string;
  readonly podNamespace: string;
  readonly spec: InstanceSpec;
  /** The pod's own initdata as TOML text; empty when the pod brings none. */
  readonly initdata: string;
}

/**
 * Reads a CreateVM annotation map.
 *
 * @throws {PeerctlError} kind "config" when the pod's name or namespace is missing or no Kubernetes name.
 */
export function readPodRequest(annotations: Readonly<Record<string, string>>): PodRequest {
  return {
    podName: requireName(podNameOf(annotations[KEY.podName] ?? ""), KEY.podName),
    podNamespace: requireName(annotations[KEY.podNamespace] ?? "", KEY.podNamespace),
    spec: {
      instanceType: annotations[KEY.instanceType] ?? "",
      image: annotations[KEY.image] ?? "",
      vcpus: readCount(annotations[KEY.vcpus]),
      memoryMiB: readCount(annotations[KEY.memoryMiB]),
      gpus: readCount(annotations[KEY.gpus]),
    },
    initdata: annotations[KEY.initdata] ?? "",
  };
}

/** CRI-O puts `k8s_<pod>_<namespace>_<uid>_<attempt>` where containerd puts the bare pod name. */
function podNameOf(value: string): string {
  const parts = value.split("_");
  return parts[0] === "k8s" ? parts[1] ?? "" : value;
}

function requireName(value: string, key: string): string {
  if (value === "") {
    throw new PeerctlError("config", `Cannot create pod VM: annotation "${key}" is missing or empty`, {
      hint: "the container runtime must pass this annotation on to the remote hypervisor",
    });
  }
  if (value.length > MAX_NAME_LENGTH || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(value)) {
    throw new PeerctlError("config", `Cannot create pod VM: annotation "${key}" holds no Kubernetes name`);
  }
  return value;
}

/** Empty, zero and unreadable values all mean "the provider's default", as in the Go adaptor. */
function readCount(value: string | undefined): number {
  if (value === undefined || !/^[0-9]{1,9}$/.test(value)) return 0;
  return Number(value);
}
