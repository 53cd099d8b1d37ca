// SPDX-License-Identifier: Apache-2.0
/** A stand-in for the kata-agent: answers its API on a unix socket and runs containers as plain child processes. */

import type { Logger } from "@logtape/logtape";
import { listenUnix } from "../../../net/unix_socket.ts";
import { createTtrpcServer } from "../../../ttrpc/server.ts";
import { VM_MARKER_NAME } from "../process_identity.ts";
import { createAgentServices } from "./agent_service.ts";
import { createContainers } from "./containers.ts";
import { createCopiedFiles } from "./copied_files.ts";

export interface StandInAgentOptions {
  readonly socketPath: string;
  /** Holds what CopyFile brings; made 0700 if missing. */
  readonly dir: string;
  /** Value of the pod VM's marker, put into the environment of all it runs, so that its starter finds them. */
  readonly marker?: string | undefined;
  readonly log: Logger;
}

export interface StandInAgent {
  /** Resolves when `stop` is done. */
  readonly closed: Promise<void>;
  /** Ends every process it runs, then stops serving. */
  stop(): Promise<void>;
}

/**
 * Starts the stand-in, and says so.
 *
 * @throws {PeerctlError} when the socket or the folder cannot be used.
 */
export async function startStandInAgent(options: StandInAgentOptions): Promise<StandInAgent> {
  const { socketPath, dir, marker, log } = options;
  const containers = createContainers({ addedEnv: marker === undefined ? {} : { [VM_MARKER_NAME]: marker } });
  const files = await createCopiedFiles(dir);
  const server = createTtrpcServer({ services: createAgentServices({ containers, files, log }), log });
  const listener = await listenUnix({ path: socketPath, onConnection: (socket) => server.serve(socket) });
  log.warn("Stand-in agent: not a kata-agent; runs processes without isolation", { socket: socketPath });

  const closed = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  async function stop(): Promise<void> {
    await listener.close();
    try {
      await containers.end();
    } finally {
      server.close();
    }
  }
  return {
    closed: closed.promise,
    stop() {
      stopping ??= stop();
      stopping.then(closed.resolve, closed.reject);
      return stopping;
    },
  };
}
