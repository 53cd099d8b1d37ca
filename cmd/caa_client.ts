// SPDX-License-Identifier: Apache-2.0
/** Asks the caa that runs on this machine, over its hypervisor socket, for the subcommands of `peerctl caa`. */

import { resolve } from "node:path";
import { PeerctlError, toPeerctlError } from "../lib/errors.ts";
import { isNobodyThere } from "../lib/net/nobody_there.ts";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { Caa } from "../lib/proto/gen/caa_pb.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { Code, RpcError } from "../lib/ttrpc/status.ts";
import { type TypedClient, typedClient } from "../lib/ttrpc/typed.ts";

/** How long caa may take for one answer, in milliseconds: it answers from memory. */
export const CAA_TIMEOUT_MS = 10_000;

/**
 * Connects, asks and disconnects.
 *
 * @throws {PeerctlError} kind "state" when no caa of this kind runs there; what the answer was otherwise.
 */
export async function askCaa<T>(socket: string, ask: (caa: TypedClient<typeof Caa>) => Promise<T>): Promise<T> {
  const path = resolve(socket);
  const cannot = `Cannot ask caa on "${path}"`;
  let connection;
  try {
    connection = await dialUnix(path, { timeoutMs: CAA_TIMEOUT_MS });
  } catch (error) {
    if (!isNobodyThere(error)) throw error;
    throw new PeerctlError("state", `${cannot}: no caa runs there`, {
      hint: "give the --socket that caa was started with",
    });
  }
  const client = createTtrpcClient(connection);
  try {
    return await ask(typedClient(Caa, client));
  } catch (error) {
    if (!(error instanceof RpcError)) throw toPeerctlError(error);
    const why = error.code === Code.unimplemented ? "who answers there is no caa of this kind" : error.message;
    throw new PeerctlError("state", `${cannot}: ${why}`, { cause: error });
  } finally {
    client.close();
    await client.closed;
  }
}
