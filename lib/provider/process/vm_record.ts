// SPDX-License-Identifier: Apache-2.0
/** Keeps what is known of one pod VM in its folder, from before its first process until after its last. */

import { join } from "node:path";
import * as v from "valibot";
import { PeerctlError } from "../../errors.ts";
import { writePrivateFile } from "../../os/private_file.ts";

/** Version of the record's form; a record of another version is not touched. */
const VERSION = 1;

const RECORD_FILE = "instance.json";

const schema = v.object({
  version: v.literal(VERSION),
  id: v.string(),
  name: v.string(),
  sandboxId: v.string(),
  podName: v.string(),
  podNamespace: v.string(),
  idempotencyKey: v.string(),
  /** Whose it is. */
  installationId: v.string(),
  nodeName: v.string(),
  /** The loopback address that is its own, 127.x.y.z. */
  address: v.string(),
  /** Value of the marker in the environment of all its processes. */
  marker: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  bootId: v.string(),
  pidNamespace: v.string(),
  /** Empty until they were started. */
  processes: v.array(
    v.object({
      role: v.picklist(["agent", "forwarder"]),
      pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
      startTime: v.string(),
    }),
  ),
});

export type VmRecord = v.InferOutput<typeof schema>;

/** The version of every record that is written. */
export const RECORD_VERSION = VERSION;

/**
 * Reads the record in a pod VM's folder; undefined when there is none.
 *
 * @throws {PeerctlError} kind "state" when there is one that cannot be read or understood.
 */
export async function readRecord(folder: string): Promise<VmRecord | undefined> {
  const path = join(folder, RECORD_FILE);
  try {
    const result = v.safeParse(schema, JSON.parse(await Deno.readTextFile(path)));
    if (result.success) return result.output;
    const [issue] = result.issues;
    throw new TypeError(`${v.getDotPath(issue) ?? "it"} is not what it should be`);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new PeerctlError("state", `Cannot read pod VM record "${path}"`, {
      hint: "end the processes that use this folder, then remove it",
      cause,
    });
  }
}

/** Writes the record, readable by us alone: it holds the marker. */
export async function writeRecord(folder: string, record: VmRecord): Promise<void> {
  await writePrivateFile(join(folder, RECORD_FILE), JSON.stringify(record, undefined, 2) + "\n");
}

/** Removes a pod VM's folder, its record last: what a crash leaves behind can still be named and deleted. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    for await (const { name } of Deno.readDir(folder)) {
      if (name !== RECORD_FILE) await Deno.remove(join(folder, name), { recursive: true });
    }
    await Deno.remove(folder, { recursive: true });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return;
    throw new PeerctlError("state", `Cannot remove pod VM folder "${folder}"`, { cause });
  }
}
