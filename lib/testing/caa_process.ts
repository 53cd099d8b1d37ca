// SPDX-License-Identifier: Apache-2.0
/** Runs `peerctl caa process` with its stand-in agent in a directory of its own, and leaves nothing of it. */

import { join } from "node:path";
import { dialUnix } from "../net/unix_socket.ts";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { PodVMInfo } from "../proto/gen/podvminfo_pb.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { type TypedClient, typedClient } from "../ttrpc/typed.ts";
import { endLeftovers } from "./caa_node.ts";
import { type PeerctlProcess, startPeerctl } from "./peerctl.ts";
import { withTempDir } from "./temp_dir.ts";

/** Its environment: probes on a port that is free. */
export const CAA_ENV: Readonly<Record<string, string>> = { PROBE_PORT: "0" };

/** Its line of log when it is ready. */
export const SERVING = /"message":"Serving"/;

/** The annotations of a pod `default/<name>` that caa cannot do without. */
export function podAnnotations(name: string): Record<string, string> {
  return { "io.kubernetes.cri.sandbox-name": name, "io.kubernetes.cri.sandbox-namespace": "default" };
}

export function caaArgs(dir: string, ...more: string[]): string[] {
  return ["caa", "process", "-socket", join(dir, "h.sock"), "-pods-dir", join(dir, "pods"), ...more];
}

/** Starts caa with everything below `dir` and waits until it serves. */
export async function startCaa(
  dir: string,
  o: { flags?: readonly string[]; mainFile?: string } = {},
): Promise<PeerctlProcess> {
  const caa = startPeerctl(caaArgs(dir, ...o.flags ?? []), {
    env: CAA_ENV,
    ...(o.mainFile !== undefined && { mainFile: o.mainFile }),
  });
  try {
    await caa.waitForLine(SERVING);
  } catch (error) {
    await caa.kill();
    throw error;
  }
  return caa;
}

/** Runs `use` with clients of caa's services over one connection. */
export async function withHypervisor<T>(
  dir: string,
  use: (vm: TypedClient<typeof Hypervisor>, info: TypedClient<typeof PodVMInfo>) => Promise<T>,
): Promise<T> {
  const client = createTtrpcClient(await dialUnix(join(dir, "h.sock")));
  try {
    return await use(typedClient(Hypervisor, client), typedClient(PodVMInfo, client));
  } finally {
    client.close();
    await client.closed;
  }
}

/** A directory for caas; relays and pod VMs that are left in it are killed. */
export function withCaaDir(body: (dir: string) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    try {
      await body(dir);
    } finally {
      await endLeftovers(dir);
    }
  });
}
