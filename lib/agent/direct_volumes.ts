// SPDX-License-Identifier: Apache-2.0
/** Reads what CSI drivers left for Kata on this node: one directory per volume, named after the path it is published at. */

import { join } from "node:path";
import type { Logger } from "@logtape/logtape";
import * as v from "valibot";

/** Where Kata keeps direct volumes on a node. */
export const DIRECT_VOLUMES_DIR = "/run/kata-containers/shared/direct-volumes";

/** Part of the path at which the kubelet publishes a volume of a CSI driver. */
const CSI_VOLUME_PATH = "/volumes/kubernetes.io~csi/";

/** Longest mountInfo.json read, in bytes; a real one is under 1 KiB. */
const MAX_MOUNT_INFO_BYTES = 64 * 1024;

/** Longest file name on Linux, in bytes (NAME_MAX). */
const MAX_NAME_BYTES = 255;

/** A volume that is a disk of the pod VM. */
export interface CloudVolume {
  /** Where the kubelet publishes it: the source of the container's mount. */
  readonly path: string;
  readonly diskId: string;
  readonly fsType: string;
  /** Both "" when the volume is not encrypted. */
  readonly encryptType: string;
  readonly keyId: string;
}

const text = v.nullish(v.string(), "");
const mountInfoSchema = v.object({
  device: text,
  fstype: text,
  metadata: v.nullish(v.object({ "cloud-volume-path": text, "encrypt-type": text, "kbs-key-id": text }), {}),
});

/** Whether a mount's source is published by a CSI driver. */
export const isCsiVolumePath = (path: string): boolean => path.includes(CSI_VOLUME_PATH);

/** Whether a CSI driver left a directory for the volume that is published at `path`. */
export async function hasDirectVolume(dir: string, path: string): Promise<boolean> {
  const name = new TextEncoder().encode(path).toBase64({ alphabet: "base64url" });
  if (name.length > MAX_NAME_BYTES) return false;
  try {
    return (await Deno.stat(join(dir, name))).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/**
 * The cloud volumes of the pod with uid `podUid` (empty: of every pod on the node), in the order of their directory
 * names, which is the order in which the disks are attached. A directory that is no such volume, or cannot be read,
 * takes no place in it.
 */
export async function listCloudVolumes(options: { dir: string; podUid: string; log: Logger }): Promise<CloudVolume[]> {
  const { dir, podUid, log } = options;
  const volumes: CloudVolume[] = [];
  for (const name of await directoryNames(dir)) {
    const path = decodeName(name);
    if (path === undefined || !isCsiVolumePath(path) || (podUid !== "" && !path.includes(`/pods/${podUid}/`))) continue;
    try {
      const volume = await readVolume(join(dir, name, "mountInfo.json"), path);
      if (volume !== undefined) volumes.push(volume);
    } catch (error) {
      log.warn("Volume ignored: its mountInfo.json cannot be used", { volume: path, error });
    }
  }
  return volumes;
}

async function directoryNames(dir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(dir)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

/** Names are in the padded URL alphabet (Go's base64.URLEncoding). */
function decodeName(name: string): string | undefined {
  try {
    const bytes = Uint8Array.fromBase64(name, { alphabet: "base64url", lastChunkHandling: "strict" });
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

async function readVolume(file: string, path: string): Promise<CloudVolume | undefined> {
  const { size } = await Deno.stat(file);
  if (size > MAX_MOUNT_INFO_BYTES) throw new Error(`${size} bytes, limit ${MAX_MOUNT_INFO_BYTES}`);
  const { device, fstype, metadata } = v.parse(mountInfoSchema, JSON.parse(await Deno.readTextFile(file)));
  const diskId = metadata["cloud-volume-path"] || device;
  if (diskId === "") return undefined;
  return {
    path,
    diskId,
    fsType: fstype || "ext4",
    encryptType: metadata["encrypt-type"] ?? "",
    keyId: metadata["kbs-key-id"] ?? "",
  };
}
