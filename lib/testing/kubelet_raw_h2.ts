// SPDX-License-Identifier: Apache-2.0
/** Sends one h2 request whose headers no client library would send, and tells what came back. */

import { Buffer } from "node:buffer";
import { once } from "node:events";
import type { TLSSocket } from "node:tls";

/** Frame types and flags: RFC 9113 section 6. */
const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7;
const END_STREAM = 1, END_HEADERS = 4;

export interface RawAnswer {
  /** The text of the answer's body; "" when there was none. */
  readonly body: string;
  /** How it ended: an answer, a reset stream, or a connection that was closed. */
  readonly end: "answered" | "stream reset" | "connection closed";
}

/** Sends `headers` as they are, with `body` if there is one, and waits for the end of the stream or the connection. */
export async function rawH2Request(
  socket: TLSSocket,
  headers: readonly (readonly [string, string])[],
  body?: string,
): Promise<RawAnswer> {
  socket.write(Buffer.concat([
    rawH2Opening(headers, body === undefined),
    ...(body === undefined ? [] : [frame(DATA, END_STREAM, 1, Buffer.from(body))]),
  ]));
  let text = "";
  let rest = Buffer.alloc(0);
  const { promise, resolve } = Promise.withResolvers<RawAnswer>();
  const done = (end: RawAnswer["end"]) => resolve({ body: text, end });
  socket.on("data", (chunk: Uint8Array) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      const [type, flags, payload] = [rest[3]!, rest[4]!, rest.subarray(9, 9 + length)];
      if (type === DATA) text += payload.toString();
      if (type === RST_STREAM) done("stream reset");
      if (type === GOAWAY && payload.readUInt32BE(4) !== 0) done("connection closed");
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) done("answered");
      rest = rest.subarray(9 + length);
    }
  });
  socket.on("close", () => done("connection closed"));
  const answer = await promise;
  if (!socket.destroyed) {
    const closed = once(socket, "close");
    socket.destroy();
    await closed;
  }
  return answer;
}

/** The first bytes of a connection, with the headers of stream 1; `isWhole`: it has no body. */
export function rawH2Opening(headers: readonly (readonly [string, string])[], isWhole: boolean): Buffer {
  const block = Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), literal(name), literal(value)]));
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS | (isWhole ? END_STREAM : 0), 1, block),
  ]);
}

/** Part of the body of stream 1, behind which more is to come. */
export function rawH2Data(text: string): Buffer {
  return frame(DATA, 0, 1, Buffer.from(text));
}

/** Resets stream 1, with "no error". */
export function rawH2Reset(): Buffer {
  return frame(RST_STREAM, 0, 1, Buffer.alloc(4));
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A string without Huffman coding (RFC 7541 section 5.2), shorter than 254 bytes. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([Buffer.from(bytes.length < 127 ? [bytes.length] : [127, bytes.length - 127]), bytes]);
}
