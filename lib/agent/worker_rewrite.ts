// SPDX-License-Identifier: Apache-2.0
/** What the worker end of the agent path changes in a CreateContainer: annotations about GPUs and volumes. */

import type { Logger } from "@logtape/logtape";
import type { Rewriters } from "../ttrpc/splice.ts";
import { Code, RpcError } from "../ttrpc/status.ts";
import {
  ALL_NVIDIA_GPUS,
  CDI_ANNOTATION,
  CLOUD_VOLUMES_ANNOTATION,
  DEFAULT_GPUS_ANNOTATION,
  SANDBOX_UID_ANNOTATION,
  TARGET_PATH_ANNOTATION,
} from "./oci_annotations.ts";
import {
  type CloudVolume,
  DIRECT_VOLUMES_DIR,
  hasDirectVolume,
  isCsiVolumePath,
  listCloudVolumes,
} from "./direct_volumes.ts";
import { type ContainerRequest, openContainerRequest } from "./oci_edit.ts";

/** The storage driver by which the agent pulls an image inside the pod VM. */
const GUEST_PULL_DRIVER = "image_guest_pull";

export interface WorkerRewriteOptions {
  /** Where Kata keeps what a CSI driver published for it; default {@link DIRECT_VOLUMES_DIR}. */
  readonly directVolumesDir?: string;
  readonly log: Logger;
}

/**
 * Rewrites CreateContainer; a request to which nothing has to be added passes byte for byte, and so does one without
 * an OCI spec, which the agent refuses.
 *
 * Without volumes of a CSI driver the answer is synchronous, so that the request keeps its place among the others.
 */
export function createWorkerRewriters(options: WorkerRewriteOptions): Rewriters {
  const { directVolumesDir = DIRECT_VOLUMES_DIR, log } = options;

  function rewriteCreateContainer(payload: Uint8Array): Uint8Array | Promise<Uint8Array> {
    const request = openContainerRequest(payload);
    if (request === undefined) return payload;
    if (!request.mounts.some((mount) => isCsiVolumePath(mount.source))) return finish(request);
    return rewriteWithVolumes(request);
  }

  async function rewriteWithVolumes(request: ContainerRequest): Promise<Uint8Array> {
    await addTargetPaths(request, directVolumesDir);
    const podUid = request.annotations.get(SANDBOX_UID_ANNOTATION) ?? "";
    const volumes = await listCloudVolumes({ dir: directVolumesDir, podUid, log });
    return finish(request, volumes);
  }

  function finish(request: ContainerRequest, volumes: readonly CloudVolume[] = []): Uint8Array {
    const { containerId, mounts, annotations, storageDrivers, devices } = request;
    const counts = { mounts: mounts.length, annotations: annotations.size, storages: storageDrivers.length, devices };
    log.debug("Container requested", { containerId, ...counts });
    if (!storageDrivers.includes(GUEST_PULL_DRIVER)) {
      log.warn("Container requested without an image pull in the pod VM", { containerId });
    }
    addGpus(request);
    addCloudVolumes(request, volumes);
    return request.encode();
  }

  return new Map([["grpc.AgentService/CreateContainer", rewriteCreateContainer]]);
}

/**
 * Lists the mounts that something in the pod VM will mount. Upstream begins the list with a comma unless the first
 * mount of all is the first listed; the reader drops empty entries either way, so ours does not.
 */
async function addTargetPaths(request: ContainerRequest, directVolumesDir: string): Promise<void> {
  const paths: string[] = [];
  for (const { source } of request.mounts) {
    if (!isCsiVolumePath(source) || !await hasDirectVolume(directVolumesDir, source)) continue;
    if (source.includes(",")) {
      throw new RpcError(Code.failedPrecondition, `Cannot create container: the volume path "${source}" has a comma`);
    }
    paths.push(source);
  }
  if (paths.length === 0) return;
  const known = request.annotations.get(TARGET_PATH_ANNOTATION) ?? "";
  request.setAnnotation(TARGET_PATH_ANNOTATION, (known === "" ? paths : [known, ...paths]).join(","));
}

/** Any value counts, also "0": the annotation is only there when the pod asked (as upstream has it). */
function addGpus({ annotations, setAnnotation }: ContainerRequest): void {
  const asked = (annotations.get(DEFAULT_GPUS_ANNOTATION) ?? "") !== "";
  if (asked && annotations.get(CDI_ANNOTATION) !== ALL_NVIDIA_GPUS) setAnnotation(CDI_ANNOTATION, ALL_NVIDIA_GPUS);
}

/** The keys of one volume in the annotation; the order is upstream's. */
interface VolumeEntry {
  readonly mount_point: string;
  readonly fs_type: string;
  /** The disk's place among those attached, from 0, as text. */
  readonly lun: string;
  readonly disk_id: string;
  readonly encrypt_type?: string;
  readonly key_id?: string;
}

/** A volume of the pod that this container does not mount still has its place, for its disk is attached. */
function addCloudVolumes(request: ContainerRequest, volumes: readonly CloudVolume[]): void {
  const entries = volumes.flatMap((volume, index): [string, VolumeEntry][] => {
    const mount = request.mounts.find((candidate) => candidate.source === volume.path);
    return mount === undefined ? [] : [[`vol-${index}`, volumeEntry(volume, mount.destination, index)]];
  });
  if (entries.length === 0) return;
  entries.sort(([a], [b]) => a < b ? -1 : 1);
  request.setAnnotation(CLOUD_VOLUMES_ANNOTATION, JSON.stringify(Object.fromEntries(entries)));
}

function volumeEntry(volume: CloudVolume, mountPoint: string, index: number): VolumeEntry {
  return {
    mount_point: mountPoint,
    fs_type: volume.fsType,
    lun: String(index),
    disk_id: volume.diskId,
    ...(volume.encryptType !== "" && { encrypt_type: volume.encryptType }),
    ...(volume.keyId !== "" && { key_id: volume.keyId }),
  };
}
