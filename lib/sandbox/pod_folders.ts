// SPDX-License-Identifier: Apache-2.0
/** One private folder per sandbox under the pods directory: the agent's socket, and what the pod brought. */

import { join } from "node:path";
import { checkSandboxId } from "../agent/sandbox_id.ts";
import { PeerctlError } from "../errors.ts";
import { writePrivateFile } from "../os/private_file.ts";
import { checkSocketPath } from "../net/unix_socket.ts";
import { createPrivateDir } from "../os/private_dir.ts";
import type { PodRequest } from "./annotations.ts";
import type { SandboxRow } from "./journal.ts";

/** File name of the socket, as the Go adaptor calls it (CreateVMResponse.agentSocketPath). */
const AGENT_SOCKET = "agent.ttrpc";

/** The pod's own initdata, from CreateVM until the pod VM has it: a restart of caa may come in between. */
const INITDATA = "initdata";

export interface PodFolders {
  /** The path the shim is told. @throws {PeerctlError} kind "config" when no socket can have that path. */
  agentSocket(sandboxId: string): string;
  /** Makes the folder and keeps the pod's initdata in it, if there is any. */
  make(sandboxId: string, initdata: string): Promise<void>;
  /** What CreateVM was told of the pod, from its journal row and its folder. */
  readPod(row: SandboxRow): Promise<PodRequest>;
  /** Removes a socket on which nobody listens any more. */
  removeAgentSocket(sandboxId: string): Promise<void>;
  /** Removes the folder and what is in it; one that does not exist is fine. */
  remove(sandboxId: string): Promise<void>;
  /** The sandbox ids that have a folder. */
  list(): Promise<string[]>;
}

/** The caller has checked every sandbox id: it is a plain name, never a path. */
export function createPodFolders(podsDir: string): PodFolders {
  const folderOf = (sandboxId: string) => join(podsDir, sandboxId);
  return {
    agentSocket(sandboxId) {
      const path = join(folderOf(sandboxId), AGENT_SOCKET);
      // The kata shim splits the address it builds from this path at colons and wants exactly two parts.
      if (path.includes(":")) {
        throw new PeerctlError(
          "config",
          `Cannot use agent socket "${path}": the kata shim takes no path with a colon`,
          {
            hint: "choose another -pods-dir",
          },
        );
      }
      checkSocketPath(path, "agent socket");
      return path;
    },
    async make(sandboxId, initdata) {
      await createPrivateDir(folderOf(sandboxId));
      if (initdata !== "") await writePrivateFile(join(folderOf(sandboxId), INITDATA), initdata);
    },
    async readPod({ id, podName, podNamespace, spec }) {
      const initdata = await unlessMissing(Deno.readTextFile(join(folderOf(id), INITDATA)));
      return { podName, podNamespace, spec: JSON.parse(spec), initdata: initdata ?? "" };
    },
    async removeAgentSocket(sandboxId) {
      await unlessMissing(Deno.remove(join(folderOf(sandboxId), AGENT_SOCKET)));
    },
    async remove(sandboxId) {
      await unlessMissing(Deno.remove(folderOf(sandboxId), { recursive: true }));
    },
    async list() {
      const ids: string[] = [];
      for await (const { name, isDirectory } of Deno.readDir(podsDir)) {
        if (isDirectory && isSandboxId(name)) ids.push(name);
      }
      return ids;
    },
  };
}

function isSandboxId(name: string): boolean {
  try {
    checkSandboxId(name);
    return true;
  } catch {
    return false;
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
