// SPDX-License-Identifier: Apache-2.0
/** Serves the kata remote hypervisor API: CreateVM, StartVM, StopVM, Version. */

import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import type { UnaryHandler } from "../ttrpc/server.ts";
import { implementService } from "../ttrpc/typed.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** What Version answers; the Go adaptor's constant, which no shim reads. */
const VERSION = "0.0.0";

/** Serves `sandboxes` as `hypervisor.Hypervisor` (kata-containers `protocols/hypervisor/hypervisor.proto`). */
export function hypervisorService(sandboxes: Sandboxes): [string, ReadonlyMap<string, UnaryHandler>] {
  return implementService(Hypervisor, {
    async createVM(request) {
      return { agentSocketPath: await sandboxes.create(request) };
    },
    async startVM(request, context) {
      await sandboxes.start(request.id, context.signal);
      return {};
    },
    // Not tied to the call's deadline: runtime-rs gives one second and the VM has to go all the same.
    async stopVM(request) {
      await sandboxes.stop(request.id);
      return {};
    },
    version: () => Promise.resolve({ version: VERSION }),
  });
}
