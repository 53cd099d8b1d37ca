// SPDX-License-Identifier: Apache-2.0
/**
 * What a path means to a kubelet: the route it reaches, and what kubelet authorisation calls it.
 *
 * Read in k8s.io/kubernetes v1.35.0, pkg/kubelet/server/server.go and auth.go.
 */

import { Refusal } from "./refusal.ts";
import type { RequestTarget } from "./request_target.ts";

export type Action =
  | "exec"
  | "attach"
  | "run"
  | "port_forward"
  | "logs"
  | "pods"
  | "stats"
  | "metrics"
  | "health"
  | "other";

export interface Route {
  readonly action: Action;
  /** The part of `nodes/…` that kubelet authorisation asks for; what has no name of its own is "proxy". */
  readonly subresource: string;
  /** "" when the path names none. */
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
}

/** Actions that run or reach into a container; denied when no policy says otherwise. */
export const INTRUSIVE_ACTIONS: ReadonlySet<Action> = new Set(["exec", "attach", "run", "port_forward"]);

/** Actions whose connection a kubelet turns into a stream of another protocol. */
export const UPGRADE_ACTIONS: ReadonlySet<Action> = new Set(["exec", "attach", "port_forward"]);

/**
 * Intrusive routes by their first segment in lower case. Kubelets tell cases apart and would not find `/EXEC`; should
 * one, or something before it, not do so, the request is judged as what it then is.
 */
const INTRUSIVE: ReadonlyMap<string, Action> = new Map([
  ["exec", "exec"],
  ["attach", "attach"],
  ["run", "run"],
  ["portforward", "port_forward"],
]);

const BY_FIRST_SEGMENT: ReadonlyMap<string, Action> = new Map([
  ["containerLogs", "logs"],
  ["pods", "pods"],
  ["runningpods", "pods"],
  ["stats", "stats"],
  ["metrics", "metrics"],
  ["healthz", "health"],
]);

/** First segments with a subresource of their own; `log` is the node's log, containers' logs are under `proxy`. */
const SUBRESOURCES: ReadonlyMap<string, string> = new Map([
  ["stats", "stats"],
  ["metrics", "metrics"],
  ["logs", "log"],
  ["checkpoint", "checkpoint"],
  ["statusz", "statusz"],
  ["flagz", "configz"],
]);

/** Verbs of the Kubernetes API by method; kubelets know no other, and HEAD is "" to them. */
const VERBS: ReadonlyMap<string, string> = new Map([
  ["GET", "get"],
  ["POST", "create"],
  ["PUT", "update"],
  ["PATCH", "patch"],
  ["DELETE", "delete"],
]);

/** What follows the first segment of the routes that name a pod; the longer form of most has the pod's uid in it. */
const POD_ROUTES: ReadonlyMap<string, readonly (readonly (keyof Route)[])[]> = new Map([
  ["exec", [["namespace", "pod", "container"], ["namespace", "pod", "uid", "container"]]],
  ["attach", [["namespace", "pod", "container"], ["namespace", "pod", "uid", "container"]]],
  ["run", [["namespace", "pod", "container"], ["namespace", "pod", "uid", "container"]]],
  ["portforward", [["namespace", "pod"], ["namespace", "pod", "uid"]]],
  ["containerlogs", [["namespace", "pod", "container"]]],
  ["checkpoint", [["namespace", "pod", "container"]]],
]);

/** First segments of everything a kubelet of this or the last years serves. */
const KNOWN_ROUTES: readonly string[] = [
  ...["exec", "attach", "run", "portForward", "containerLogs", "checkpoint", "pods", "runningpods", "stats", "metrics"],
  ...["healthz", "logs", "configz", "statusz", "flagz", "debug", "cri", "spec"],
];

/** The verb of kubelet authorisation for a method. */
export function verbOf(method: string): string {
  return VERBS.get(method) ?? "";
}

/**
 * Finds the route.
 *
 * @throws {Refusal} 400 for a slash at the end of a path that names a pod: go-restful 3.9 takes it off, 3.10 takes
 * the name before it for the uid.
 */
export function routeOf({ segments, endsWithSlash }: RequestTarget): Route {
  // Kubelets up to 1.22 served streams under /cri/exec/{token} and so on.
  const [first = "", ...rest] = segments[0] === "cri" ? segments.slice(1) : segments;
  const lower = first.toLowerCase();
  const forms = POD_ROUTES.get(lower);
  if (forms !== undefined && endsWithSlash) throw new Refusal(400, "the path ends with a slash");
  const names: Partial<Record<keyof Route, string>> = {};
  const form = segments[0] === "cri" ? undefined : forms?.find((each) => each.length === rest.length);
  form?.forEach((name, i) => names[name] = rest[i]!);
  const { namespace = "", pod = "", uid = "", container = "" } = names;
  return {
    action: INTRUSIVE.get(lower) ?? BY_FIRST_SEGMENT.get(first) ?? "other",
    subresource: SUBRESOURCES.get(segments[0] ?? "") ?? "proxy",
    namespace,
    pod,
    uid,
    container,
  };
}

/** True when some route of a kubelet begins with `prefix`, or `prefix` with it. */
export function reachesKubeletRoute(prefix: string): boolean {
  const [first = "", ...rest] = prefix.replace(/^\//, "").split("/");
  if (rest.length === 0) return KNOWN_ROUTES.some((name) => name.startsWith(first));
  const isKnown = KNOWN_ROUTES.includes(first);
  // Routes that are a single word, with nothing below them.
  const isLeaf = ["pods", "runningpods", "configz", "statusz", "flagz", "spec"].includes(first);
  return isKnown && !(isLeaf && rest.join("") !== "");
}
