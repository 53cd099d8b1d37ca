// SPDX-License-Identifier: Apache-2.0
/** Composes what a pod VM is given at boot from what is known of its pod. */

import { encodeInitdata } from "../guest/initdata.ts";
import { buildUserData } from "../guest/user_data.ts";
import type { SandboxTls } from "./agent_tls.ts";
import type { PodRequest } from "./annotations.ts";

export interface PodUserDataOptions {
  /** Initdata for pods that bring none, as base64 of gzipped TOML; empty for none. */
  readonly defaultInitdata: string;
  /** Whether the pod VM makes itself an encrypted scratch disk. */
  readonly scratchSpace: boolean;
}

/** Answers the user data of one pod VM. It holds a private key: it is never logged. */
export function composePodUserData(pod: PodRequest, tls: SandboxTls, options: PodUserDataOptions): string {
  const initdata = pod.initdata === "" ? options.defaultInitdata : encodeInitdata(pod.initdata);
  return buildUserData({
    apfConfig: {
      "pod-network": null,
      "pod-namespace": pod.podNamespace,
      "pod-name": pod.podName,
      ...tls.apf,
    },
    ...(initdata !== "" && { initdata }),
    scratchSpace: options.scratchSpace,
  });
}
