// SPDX-License-Identifier: Apache-2.0
/** Encodes the frames of one turn of the event loop into as few buffers as sensible, straight from their messages. */

import { Buffer } from "node:buffer";
import { type FrameHeader, HEADER_BYTES, writeHeader } from "./frame.ts";
import type { Outlet } from "./outlet.ts";

/** A buffer takes further frames until it has this many bytes; so a large frame is copied once and never again. */
const BATCH_BYTES = 64 << 10;

/** Writes the `header.length` payload bytes of a frame into `target` at `offset`. */
export type PayloadWriter = (target: Uint8Array, offset: number) => void;

export interface FrameWriter {
  /**
   * Queues a frame. `writePayload` runs once, before the event loop goes on; what it reads must not change until then.
   * The caller has checked the length.
   */
  write(header: FrameHeader, writePayload: PayloadWriter): void;
  /** Sends what is queued, ends the writing side, and calls back when the kernel has all of it. */
  end(flushed: () => void): void;
}

/** Creates a writer in front of `outlet`. */
export function createFrameWriter(outlet: Pick<Outlet, "write" | "end">): FrameWriter {
  let headers: FrameHeader[] = [];
  let payloads: PayloadWriter[] = [];
  let bytes = 0;
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    if (bytes > 0) send();
  }

  function send(): void {
    // Every byte is written below, so nothing of the pool that allocUnsafe takes from can leak out.
    const batch = Buffer.allocUnsafe(bytes);
    let offset = 0;
    for (let i = 0; i < headers.length; i++) {
      const header = headers[i]!;
      writeHeader(batch, offset, header);
      payloads[i]!(batch, offset + HEADER_BYTES);
      offset += HEADER_BYTES + header.length;
    }
    headers = [];
    payloads = [];
    bytes = 0;
    outlet.write(batch);
  }

  return {
    write(header, writePayload) {
      headers.push(header);
      payloads.push(writePayload);
      bytes += HEADER_BYTES + header.length;
      if (bytes >= BATCH_BYTES) send();
      else if (!scheduled) {
        scheduled = true;
        queueMicrotask(flush);
      }
    },
    end(flushed) {
      flush();
      outlet.end(flushed);
    },
  };
}
