// SPDX-License-Identifier: Apache-2.0
/** Judges without a policy: by the route that a request reaches, and by lists of paths. */

import { PeerctlError } from "../errors.ts";
import type { Judge } from "./decision.ts";
import { INTRUSIVE_ACTIONS, reachesKubeletRoute } from "./kubelet_routes.ts";

/** Denies what runs or reaches into a container, whatever the method: kubelets take GET for it as well as POST. */
export const judgeByRoute: Judge = ({ action }) =>
  INTRUSIVE_ACTIONS.has(action)
    ? { allowed: false, status: 403, reason: `${action} is denied when no policy is given`, rule: `route ${action}` }
    : { allowed: true, rule: "route" };

export interface Denylist {
  /** The prefix that denies `path`, or undefined. */
  match(path: string): string | undefined;
  /** Prefixes that no route of a kubelet has: they deny nothing. */
  readonly idle: readonly string[];
}

/**
 * Reads path prefixes. They are compared in lower case with the decoded path, so that a prefix denies at least what it says.
 *
 * @throws {PeerctlError} kind "config" for one that is no path.
 */
export function createDenylist(prefixes: readonly string[]): Denylist {
  for (const prefix of prefixes) {
    if (prefix.startsWith("/") && prefix.length > 1 && !/[?#%\s]/.test(prefix)) continue;
    throw new PeerctlError("config", `Cannot deny the path ${JSON.stringify(prefix)}: it is no path of a kubelet`, {
      hint: 'write decoded path prefixes such as "/exec" or "/containerLogs/kube-system"',
    });
  }
  const lower = prefixes.map((prefix) => prefix.toLowerCase());
  return {
    match(path) {
      const at = lower.findIndex((prefix) => path.toLowerCase().startsWith(prefix));
      return prefixes[at];
    },
    idle: prefixes.filter((prefix) => !reachesKubeletRoute(prefix)),
  };
}

/** Asks the denylist first, then `next`. */
export function judgeWithDenylist(denylist: Denylist, next: Judge): Judge {
  return (facts) => {
    const prefix = denylist.match(facts.path);
    if (prefix === undefined) return next(facts);
    return { allowed: false, status: 403, reason: `paths under ${prefix} are denied`, rule: `denylist ${prefix}` };
  };
}
