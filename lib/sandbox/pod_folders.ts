// SPDX-License-Identifier: Apache-2.0
/** One private folder per sandbox under the pods directory, where the kata shim looks for the agent's socket. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { checkSocketPath, createPrivateDir } from "../net/unix_socket.ts";

/** File name of the socket, as the Go adaptor calls it (facts: CreateVMResponse.agentSocketPath). */
const AGENT_SOCKET = "agent.ttrpc";

export interface PodFolders {
  /** The path the shim is told. @throws {PeerctlError} kind "config" when no socket can have that path. */
  agentSocket(sandboxId: string): string;
  make(sandboxId: string): Promise<void>;
  /** Removes the folder and what is in it; one that does not exist is fine. */
  remove(sandboxId: string): Promise<void>;
}

/** The caller has checked every sandbox id: it is a plain name, never a path. */
export function createPodFolders(podsDir: string): PodFolders {
  return {
    agentSocket(sandboxId) {
      const path = join(podsDir, sandboxId, AGENT_SOCKET);
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
    make: (sandboxId) => createPrivateDir(join(podsDir, sandboxId)),
    async remove(sandboxId) {
      try {
        await Deno.remove(join(podsDir, sandboxId), { recursive: true });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    },
  };
}
