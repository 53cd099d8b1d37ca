// SPDX-License-Identifier: Apache-2.0
/** Keeps the stream ids of one spliced connection in an order that the server accepts (PROTOCOL.md, "Splice"). */

import { Code, RpcError } from "./status.ts";

/** Largest stream id: it is a u32. */
const MAX_STREAM_ID = 0xffff_ffff;

export interface StreamIds {
  /** False as long as every id passes unchanged. */
  readonly renumbered: boolean;
  /**
   * Notes the id of a Request from the client, in order of arrival. True if it is odd and above all before it; false if
   * it is not, but may go to the server, which judges it.
   *
   * @throws {RpcError} INVALID_ARGUMENT when the server can no longer see what is wrong with the id.
   */
  arrive(id: number): boolean;
  /**
   * Says under which id the Request goes to the server; it must be sent right away. `inOrder` is what `arrive` said.
   *
   * @throws {RpcError} INVALID_ARGUMENT as in `arrive`; RESOURCE_EXHAUSTED when the server has no id left.
   */
  send(id: number, inOrder: boolean): number;
  /** The server's id for a stream of the client; undefined when none is open. */
  toServer(id: number): number | undefined;
  /** The client's id for a stream of the server; undefined when none is open. */
  toClient(id: number): number | undefined;
  /** Forgets a stream that the server has ended. */
  finish(serverId: number): void;
}

/** Creates the ids of a new connection. `onRenumber` is called once, when ids stop passing unchanged. */
export function createStreamIds(onRenumber: () => void): StreamIds {
  let highestSeen = 0;
  let highestSent = 0;
  /** Up to here, and for even ids, both sides use the same number; undefined while they always do. */
  let lastShared: number | undefined;
  const serverIds = new Map<number, number>();
  const clientIds = new Map<number, number>();

  function isShared(id: number): boolean {
    return lastShared === undefined || id <= lastShared || id % 2 === 0;
  }

  return {
    get renumbered() {
      return lastShared !== undefined;
    },
    arrive(id) {
      if (id % 2 === 1 && id > highestSeen) {
        highestSeen = id;
        return true;
      }
      // Below the highest id that the server has had, or even: it refuses by itself. Otherwise it would take a used id.
      if (lastShared === undefined && (id % 2 === 0 || id <= highestSent)) return false;
      throw notIncreasing(id);
    },
    send(id, inOrder) {
      if (lastShared === undefined) {
        if (!inOrder) return id;
        if (id > highestSent) return highestSent = id;
        lastShared = highestSent;
        onRenumber();
      }
      if (!inOrder) throw notIncreasing(id);
      if (highestSent > MAX_STREAM_ID - 2) {
        throw new RpcError(Code.resourceExhausted, "this connection has used up its stream ids");
      }
      highestSent += 2;
      serverIds.set(id, highestSent);
      clientIds.set(highestSent, id);
      return highestSent;
    },
    toServer: (id) => serverIds.get(id) ?? (isShared(id) ? id : undefined),
    toClient: (id) => clientIds.get(id) ?? (isShared(id) ? id : undefined),
    finish(serverId) {
      const id = clientIds.get(serverId);
      if (id === undefined) return;
      clientIds.delete(serverId);
      serverIds.delete(id);
    },
  };
}

function notIncreasing(id: number): RpcError {
  return new RpcError(
    Code.invalidArgument,
    `stream id ${id} must be odd and above every id used before on this connection`,
  );
}
