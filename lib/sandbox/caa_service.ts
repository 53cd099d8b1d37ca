// SPDX-License-Identifier: Apache-2.0
/** Tells `peerctl caa status` how things are, and takes what `peerctl caa forget` says. */

import { checkSandboxId } from "../agent/sandbox_id.ts";
import { Caa } from "../proto/gen/caa_pb.ts";
import type { UnaryHandler } from "../ttrpc/server.ts";
import { implementService } from "../ttrpc/typed.ts";
import type { Reaper } from "./reaper.ts";
import type { CaaStatus } from "./status.ts";

export interface CaaServiceOptions {
  readonly build: string;
  status(): CaaStatus;
  readonly reaper: Pick<Reaper, "forget">;
}

/** The service name and its handlers, for the TTRPC server of the hypervisor socket: who may create VMs may ask this. */
export function caaService(options: CaaServiceOptions): [string, ReadonlyMap<string, UnaryHandler>] {
  return implementService(Caa, {
    status() {
      const { provider, nowMs, sandboxes, deletions, orphans, warnings } = options.status();
      return Promise.resolve({
        build: options.build,
        provider,
        nowUnixMs: BigInt(nowMs),
        sandboxes: sandboxes.map(({ createdMs, changedMs, ...one }) => ({
          ...one,
          createdUnixMs: BigInt(createdMs),
          changedUnixMs: BigInt(changedMs),
        })),
        deletions: deletions.map(({ nextMs, ...one }) => ({ ...one, nextUnixMs: BigInt(nextMs) })),
        orphans: orphans.map(({ seenMs, deleteMs, ...one }) => ({
          ...one,
          seenUnixMs: BigInt(seenMs),
          deleteUnixMs: BigInt(deleteMs),
        })),
        warnings: [...warnings],
      });
    },
    // deno-lint-ignore require-await -- what it throws becomes the reply.
    async forget({ sandboxId }) {
      checkSandboxId(sandboxId);
      return { forgotten: options.reaper.forget(sandboxId) };
    },
  });
}
