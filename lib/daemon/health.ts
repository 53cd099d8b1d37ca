// SPDX-License-Identifier: Apache-2.0
/** Answers the probes of a kubelet or a person: /startup, /healthz and /readyz, in JSON; and /metrics, where there are some. */

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";

/** The outcome of one check; `reason` says what is missing when it is not ok. */
export interface Check {
  readonly ok: boolean;
  readonly reason?: string;
}

/** A check with more to show: counts, warnings. Never secrets: anyone on the machine can read it. */
export interface DetailedCheck extends Check {
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  startup(): Promise<Check>;
  ready(): Promise<DetailedCheck>;
  /** The text that Prometheus reads at /metrics; without it there is no such path. */
  metrics?(): string;
  readonly log: Logger;
}

export interface Health {
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

/**
 * Serves GET (and HEAD) of three paths on `host`, which should be a loopback address; port 0 lets the system choose.
 *
 * - /startup: 200 once `startup` is ok, 500 before (upstream's startup probe answers so).
 * - /healthz: 200 as long as the process answers at all.
 * - /readyz: 200 when `ready` is ok, 503 otherwise, with its details.
 *
 * @throws {PeerctlError} kind "config" when the port cannot be listened on.
 */
export async function startHealth(o: HealthOptions): Promise<Health> {
  const routes: Readonly<Record<string, { readonly failure: number; check(): Promise<DetailedCheck> }>> = {
    "/startup": { failure: 500, check: () => o.startup() },
    "/healthz": { failure: 500, check: () => Promise.resolve({ ok: true }) },
    "/readyz": { failure: 503, check: () => o.ready() },
  };
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const metrics = path === "/metrics" ? o.metrics : undefined;
    if (route === undefined && metrics === undefined) {
      return answer(response, 404, { ok: false, reason: "no such path" });
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return answer(response, 405, { ok: false, reason: "only GET and HEAD" });
    }
    if (route === undefined) {
      response.writeHead(200, {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "cache-control": "no-store",
      });
      return void response.end(metrics?.());
    }
    settled(route.check).then((check) => {
      if (!check.ok) o.log.debug("Probe not passed", { path, reason: check.reason });
      answer(response, check.ok ? 200 : route.failure, check);
    });
  });
  await listen(server, o);
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A check that throws is one that did not pass. */
async function settled(check: () => Promise<DetailedCheck>): Promise<DetailedCheck> {
  try {
    return await check();
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

function answer(response: ServerResponse, status: number, check: DetailedCheck): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(check)}\n`);
}

function listen(server: Server, o: HealthOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new PeerctlError("config", `Cannot answer probes on ${o.host}:${o.port}`, { cause }));
    });
    server.listen(o.port, o.host, resolve);
  });
}
