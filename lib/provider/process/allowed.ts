// SPDX-License-Identifier: Apache-2.0
/** Decides whether the provider "process" may be used here: not by mistake in a cluster. */

import { PeerctlError } from "../../errors.ts";

/** What caa logs whenever it runs with this provider. */
export const PROCESS_PROVIDER_WARNING =
  'Provider "process" runs pods as plain processes on this machine, without isolation: for demos and tests only';

/**
 * Refuses to run real pods without isolation because of a slip.
 *
 * @param o `nodeName` is the value of NODE_NAME, which Kubernetes deployments set.
 * @throws {PeerctlError} kind "config" when `nodeName` is set and `allowInCluster` is not.
 */
export function checkProcessProviderAllowed(o: { nodeName: string | undefined; allowInCluster: boolean }): void {
  if (!o.nodeName || o.allowInCluster) return;
  throw new PeerctlError(
    "config",
    `Cannot use provider "process" on node "${o.nodeName}": NODE_NAME is set, and pods would run without isolation`,
    { hint: "choose a cloud provider, or give -allow-process-in-cluster if that is really wanted" },
  );
}
