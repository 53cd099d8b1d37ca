// SPDX-License-Identifier: Apache-2.0
/** What the worker end of the agent path changes in a CreateContainer. */

import type { Logger } from "@logtape/logtape";
import type { Rewriters } from "../ttrpc/splice.ts";

export interface WorkerRewriteOptions {
  /** Where Kata keeps what a CSI driver published for it; default /run/kata-containers/shared/direct-volumes. */
  readonly directVolumesDir?: string;
  readonly log: Logger;
}

export function createWorkerRewriters(_options: WorkerRewriteOptions): Rewriters {
  throw new Error("not written yet");
}
