// SPDX-License-Identifier: Apache-2.0
/** What the guest end of the agent path changes in CreateContainer and CreateSandbox, and makes ready for it. */

import { isAbsolute } from "node:path";
import type { Logger } from "@logtape/logtape";
import type { RewriteContext, Rewriters } from "../ttrpc/splice.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import { waitForMountPoint } from "./mount_wait.ts";
import { CLOUD_VOLUMES_ANNOTATION, TARGET_PATH_ANNOTATION } from "./oci_annotations.ts";
import { type ContainerRequest, type OciMount, openContainerRequest } from "./oci_edit.ts";
import { bodiesOf, joinFields, splitMessage } from "./wire_edit.ts";

/** How long a container waits for what is to be mounted, in ms (cloud-api-adaptor `pkg/forwarder/interceptor`). */
const MOUNT_WAIT_MS = 3 * 60_000;

/** Most volumes one container may wait for; a pod has a handful. */
const MAX_TARGET_PATHS = 256;

/** `dns` of a CreateSandboxRequest (lib/proto/agent.proto). */
const DNS_FIELD = 2;

export interface GuestRewriteOptions {
  /** The network namespace that containers join, for example /run/netns/podns. */
  readonly networkNamespacePath: string;
  readonly log: Logger;
  /** Default /proc/self/mountinfo. */
  readonly mountInfoPath?: string;
  /** Default 3 minutes, in ms. */
  readonly mountWaitMs?: number;
}

/**
 * CreateContainer is given the pod's network namespace, after its bind sources exist and are mounted where they should
 * be; without an OCI spec it passes as it is, and the agent refuses it. CreateSandbox loses its `dns`, or the agent
 * would replace the pod VM's own resolv.conf.
 */
export function createGuestRewriters(options: GuestRewriteOptions): Rewriters {
  const { networkNamespacePath, log, mountInfoPath = "/proc/self/mountinfo", mountWaitMs = MOUNT_WAIT_MS } = options;

  function rewriteCreateContainer(payload: Uint8Array, context: RewriteContext): Uint8Array | Promise<Uint8Array> {
    const request = openContainerRequest(payload);
    if (request === undefined) return payload;
    refuseCloudVolumes(request);
    request.setNetworkNamespace(networkNamespacePath);
    const binds = request.mounts.filter((mount) => mount.type === "bind");
    const awaited = targetPaths(request);
    const encoded = request.encode();
    return binds.length + awaited.length === 0 ? encoded : makeReady(binds, awaited, context).then(() => encoded);
  }

  async function makeReady(binds: OciMount[], awaited: string[], { signal }: RewriteContext): Promise<void> {
    await Promise.all(binds.map((mount) => makeBindSource(mount.source, log)));
    if (awaited.length === 0) return;
    const limit = new AbortController();
    const timer = setTimeout(
      () => limit.abort(new DOMException("the mount wait is over", "TimeoutError")),
      mountWaitMs,
    );
    try {
      for (const path of awaited) await waitForMount(path, AbortSignal.any([signal, limit.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  async function waitForMount(path: string, signal: AbortSignal): Promise<void> {
    const since = performance.now();
    log.info("Container waits for a volume", { path });
    try {
      await waitForMountPoint({ path, mountInfoPath, signal });
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name !== "TimeoutError") throw cause;
      const waited = `${Math.round(performance.now() - since) / 1000} s`;
      throw new RpcError(
        Code.deadlineExceeded,
        `Cannot create container: nothing is mounted at "${path}" after ${waited}`,
        {
          cause,
        },
      );
    }
  }

  return new Map([
    ["grpc.AgentService/CreateContainer", rewriteCreateContainer],
    ["grpc.AgentService/CreateSandbox", withoutDns],
  ]);
}

function withoutDns(payload: Uint8Array): Uint8Array {
  const fields = splitMessage(payload);
  if (bodiesOf(fields, DNS_FIELD).length === 0) return payload;
  return joinFields(fields.filter((field) => field.number !== DNS_FIELD));
}

/** Without its volume the container would write to the VM's own disk, and lose it with the VM. */
function refuseCloudVolumes({ annotations }: ContainerRequest): void {
  if ((annotations.get(CLOUD_VOLUMES_ANNOTATION) ?? "") === "") return;
  throw new RpcError(
    Code.failedPrecondition,
    "Cannot create container: it has cloud volumes, which this forwarder does not mount; remove the volumes from the pod",
  );
}

function targetPaths({ annotations }: ContainerRequest): string[] {
  const paths = (annotations.get(TARGET_PATH_ANNOTATION) ?? "").split(",").filter((path) => path !== "");
  const relative = paths.find((path) => !isAbsolute(path));
  if (relative !== undefined) throw badTargetPaths(`"${relative}" is not an absolute path`);
  const distinct = [...new Set(paths)];
  if (distinct.length > MAX_TARGET_PATHS) throw badTargetPaths(`${distinct.length} paths, limit ${MAX_TARGET_PATHS}`);
  return distinct;
}

function badTargetPaths(why: string): RpcError {
  return new RpcError(Code.invalidArgument, `Cannot create container: annotation ${TARGET_PATH_ANNOTATION}: ${why}`);
}

/** A failure is only logged: the agent's own mount fails then, and says so. */
async function makeBindSource(source: string, log: Logger): Promise<void> {
  if (!isAbsolute(source)) return;
  try {
    await Deno.stat(source);
  } catch (missing) {
    if (!(missing instanceof Deno.errors.NotFound)) return;
    try {
      await Deno.mkdir(source, { recursive: true, mode: 0o755 });
    } catch (error) {
      log.warn("Bind source not created", { source, error });
    }
  }
}
