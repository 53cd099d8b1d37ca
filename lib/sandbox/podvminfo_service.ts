// SPDX-License-Identifier: Apache-2.0
/** Tells other programs on the worker node which VM a pod runs in. */

import { PodVMInfo } from "../proto/gen/podvminfo_pb.ts";
import type { UnaryHandler } from "../ttrpc/server.ts";
import { implementService } from "../ttrpc/typed.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** Serves `sandboxes` as `podvminfo.PodVMInfo` (cloud-api-adaptor `proto/podvminfo`). */
export function podVmInfoService(sandboxes: Sandboxes): [string, ReadonlyMap<string, UnaryHandler>] {
  return implementService(PodVMInfo, {
    async getInfo(request, context) {
      const pod = { name: request.PodName, namespace: request.PodNamespace, wait: request.Wait };
      return { VMID: await sandboxes.instanceOf(pod, context.signal) };
    },
  });
}
