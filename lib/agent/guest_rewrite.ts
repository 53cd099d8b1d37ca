// SPDX-License-Identifier: Apache-2.0
/** What the guest end of the agent path changes in CreateContainer and CreateSandbox. */

import type { Logger } from "@logtape/logtape";
import type { Rewriters } from "../ttrpc/splice.ts";

export interface GuestRewriteOptions {
  readonly networkNamespacePath: string;
  readonly log: Logger;
  readonly mountInfoPath?: string;
  readonly mountWaitMs?: number;
}

export function createGuestRewriters(_options: GuestRewriteOptions): Rewriters {
  throw new Error("not written yet");
}
