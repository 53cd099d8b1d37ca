// SPDX-License-Identifier: Apache-2.0
/** What is known of a request before it is judged, and the document that a policy sees of it. */

import { objectOf, type Value } from "../rego/values.ts";
import type { Caller } from "./callers.ts";
import { type Action, routeOf, verbOf } from "./kubelet_routes.ts";
import { Refusal } from "./refusal.ts";
import { parseRequestTarget } from "./request_target.ts";
import type { UpgradeKind } from "./upgrade_headers.ts";

/** Methods that are forwarded; no route of a kubelet has another. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A form in a body: kubelets up to 1.23 read the command of `run` from it before the query. */
const FORM_CONTENT_TYPE = /^\s*(application\/x-www-form-urlencoded|multipart\/form-data)\b/i;

export interface RequestFacts {
  readonly method: string;
  readonly path: string;
  readonly rawPath: string;
  readonly query: ReadonlyMap<string, readonly string[]>;
  readonly user: Caller;
  readonly verb: string;
  readonly subresource: string;
  readonly action: Action;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly command: readonly string[];
  /** The port of a port-forward over websocket; SPDY names its ports inside the stream. */
  readonly port: number | null;
  readonly upgrade: UpgradeKind;
  /** The client's IP address. */
  readonly remote: string;
}

export interface FactsSource {
  readonly method: string;
  /** As it stands in the request line or `:path`. */
  readonly target: string;
  readonly contentType: string | undefined;
  readonly upgrade: UpgradeKind;
  readonly caller: Caller;
  readonly remote: string;
}

/**
 * Collects the facts.
 *
 * @throws {Refusal} 400 for a request that cannot be read in one way only, 405 for a method no kubelet has.
 */
export function readFacts(o: FactsSource): RequestFacts {
  if (!METHODS.has(o.method)) throw new Refusal(405, "no kubelet route has this method");
  const target = parseRequestTarget(o.target);
  const route = routeOf(target);
  if (route.action === "run" && o.contentType !== undefined && FORM_CONTENT_TYPE.test(o.contentType)) {
    throw new Refusal(400, "the body is a form, which could name another command than the query");
  }
  return {
    method: o.method,
    path: target.path,
    rawPath: target.rawPath,
    query: target.query,
    user: o.caller,
    verb: verbOf(o.method),
    ...route,
    command: commandOf(route.action, target.query),
    port: route.action === "port_forward" && o.upgrade === "websocket" ? portOf(target.query) : null,
    upgrade: o.upgrade,
    remote: o.remote,
  };
}

/** The facts as a policy's `input`. */
export function inputDocument(facts: RequestFacts): Value {
  return objectOf([
    ["method", facts.method],
    ["path", facts.path],
    ["raw_path", facts.rawPath],
    ["query", objectOf(facts.query)],
    ["user", objectOf([["name", facts.user.name], ["groups", facts.user.groups]])],
    ["verb", facts.verb],
    ["subresource", facts.subresource],
    ["action", facts.action],
    ["namespace", facts.namespace],
    ["pod", facts.pod],
    ["uid", facts.uid],
    ["container", facts.container],
    ["command", facts.command],
    ["port", facts.port],
    ["upgrade", facts.upgrade],
    ["remote", facts.remote],
  ]);
}

/** The command as a kubelet reads it: exec takes each `command`, run splits its one `cmd` at blanks. */
function commandOf(action: Action, query: RequestFacts["query"]): readonly string[] {
  if (action === "exec") return query.get("command") ?? [];
  if (action !== "run") return [];
  const [cmd = "", ...more] = query.get("cmd") ?? [];
  // Kubelets take the first; a policy must not have to know.
  if (more.length > 0) throw new Refusal(400, "the query has more than one cmd");
  return cmd === "" ? [] : cmd.split(" ");
}

/** Kubelets take several ports, in several parameters and behind commas; one is all that a policy sees. */
function portOf(query: RequestFacts["query"]): number | null {
  const [text, ...more] = query.get("port") ?? [];
  if (text === undefined) return null;
  if (more.length > 0 || !/^[0-9]{1,5}$/.test(text)) throw new Refusal(400, "the query must have one port");
  const port = Number(text);
  if (port < 1 || port > 65535) throw new Refusal(400, "the query has a port that does not exist");
  return port;
}
