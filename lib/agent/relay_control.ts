// SPDX-License-Identifier: Apache-2.0
/** The relay's control service: what caa may ask of it, on the wire as `peerctl.relay.v1.Relay`. */

import { Relay } from "../proto/gen/relay_pb.ts";
import type { UnaryHandler } from "../ttrpc/server.ts";
import { implementService } from "../ttrpc/typed.ts";
import { credentialsOf } from "./relay_open_request.ts";
import { RELAY_PROTOCOL } from "./relay_protocol.ts";
import type { RelaySandboxes } from "./relay_sandboxes.ts";

export interface ControlOptions {
  readonly sandboxes: RelaySandboxes;
  readonly slot: string;
  readonly stay: boolean;
  readonly build: string;
}

/** The service name and its handlers, for a TTRPC server. */
export function relayControlService(options: ControlOptions): [string, ReadonlyMap<string, UnaryHandler>] {
  const { sandboxes, slot, stay, build } = options;
  const startedUnixMs = BigInt(Date.now());
  return implementService(Relay, {
    hello: () =>
      Promise.resolve({
        protocol: RELAY_PROTOCOL,
        build,
        pid: BigInt(Deno.pid),
        slot,
        stay,
        draining: sandboxes.isDraining,
        sandboxes: sandboxes.size,
      }),
    async open(request, { signal }) {
      await sandboxes.open(request, signal);
      return {};
    },
    update: (request) => Promise.resolve({ updated: sandboxes.update(request.sandboxId, credentialsOf(request)) }),
    close: async ({ sandboxId }) => ({ known: await sandboxes.close(sandboxId) }),
    list: ({ sandboxId }) => {
      const all = sandboxes.list();
      return Promise.resolve({ sandboxes: sandboxId === "" ? all : all.filter((one) => one.sandboxId === sandboxId) });
    },
    stats() {
      const { connections, toGuestBytes, toHostBytes, requests } = sandboxes.traffic();
      return Promise.resolve({
        sandboxes: sandboxes.size,
        connections,
        toGuestBytes: BigInt(toGuestBytes),
        toHostBytes: BigInt(toHostBytes),
        requests: BigInt(requests),
        startedUnixMs,
        rssBytes: BigInt(Deno.memoryUsage().rss),
      });
    },
    drain: () => Promise.resolve({ sandboxes: sandboxes.drain() }),
  });
}
