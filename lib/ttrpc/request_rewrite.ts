// SPDX-License-Identifier: Apache-2.0
/** Finds out, from as few bytes as possible, whether a request has a rewriter, and exchanges the payload of one that has. */

import { Buffer } from "node:buffer";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type FrameHeader, HEADER_BYTES, writeHeader } from "./frame.ts";

/** Envelope field numbers (ttrpc request.proto). */
const Field = { service: 1, method: 2, payload: 3, timeoutNanos: 4 } as const;

/** Tags of the two fields that every known client writes first: number << 3 | length-delimited. */
const SERVICE_TAG = Field.service << 3 | WireType.LengthDelimited;
const METHOD_TAG = Field.method << 3 | WireType.LengthDelimited;

/** Lengths below this are one byte of a varint. */
const LONG_LENGTH = 0x80;

/**
 * Whether a request names a method of the set: `more` when too few bytes are there, `unclear` when its envelope does
 * not begin with a service and a method in the plainest encoding and has to be decoded whole.
 */
export type Match = "yes" | "no" | "more" | "unclear";

export interface MethodMatcher {
  /** Looks at the envelope at `bytes[start]`, which is `length` bytes long when complete. */
  match(bytes: Uint8Array, start: number, length: number): Match;
}

/** Creates a matcher for names in the form `package.Service/Method`. */
export function createMethodMatcher(names: Iterable<string>): MethodMatcher {
  const prefixes = [...names].map(encodePrefix);
  const longest = Math.max(0, ...prefixes.map((prefix) => prefix.byteLength));

  return {
    match(bytes, start, length) {
      const available = Math.min(length, bytes.byteLength - start);
      for (const prefix of prefixes) {
        if (length < prefix.byteLength || !startsAlike(bytes, start, available, prefix)) continue;
        return available < prefix.byteLength ? "more" : "yes";
      }
      return judgeShape(bytes, start, available, length, longest);
    },
  };
}

/** Says what an envelope is that begins with none of the prefixes: `no` if it names another method plainly. */
function judgeShape(bytes: Uint8Array, start: number, available: number, length: number, longest: number): Match {
  if (length < 2) return "no";
  if (available < 2) return "more";
  const serviceLength = bytes[start + 1]!;
  if (bytes[start] !== SERVICE_TAG || serviceLength >= LONG_LENGTH) return "unclear";
  const method = 2 + serviceLength;
  if (method + 2 > Math.min(length, longest)) return "no";
  if (available < method + 2) return "more";
  return bytes[start + method] !== METHOD_TAG || bytes[start + method + 1]! >= LONG_LENGTH ? "unclear" : "no";
}

function startsAlike(bytes: Uint8Array, start: number, available: number, prefix: Uint8Array): boolean {
  const compared = Math.min(available, prefix.byteLength);
  for (let i = 0; i < compared; i++) {
    if (bytes[start + i] !== prefix[i]) return false;
  }
  return true;
}

function encodePrefix(name: string): Uint8Array {
  const slash = name.indexOf("/");
  return new BinaryWriter()
    .tag(Field.service, WireType.LengthDelimited).string(name.slice(0, slash))
    .tag(Field.method, WireType.LengthDelimited).string(name.slice(slash + 1))
    .finish();
}

/** What matters of a request frame, and where its payload lies. */
export interface RequestParts {
  /** `package.Service/Method` */
  readonly name: string;
  /** A view of the frame; empty when the envelope has none. */
  readonly payload: Uint8Array;
  readonly timeoutNanos: bigint;
  /** Offsets in the frame of the whole payload field, tag included; both at its end when there is none. */
  readonly from: number;
  readonly to: number;
}

/** Reads the envelope of a whole request frame; undefined when it does not decode. */
export function readRequestParts(frame: Uint8Array): RequestParts | undefined {
  const reader = new BinaryReader(frame.subarray(HEADER_BYTES));
  let service = "";
  let method = "";
  let payload: Uint8Array = new Uint8Array(0);
  let timeoutNanos = 0n;
  let from = frame.byteLength;
  let to = from;
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [number, wireType] = reader.tag();
      if (number === Field.service && wireType === WireType.LengthDelimited) service = reader.string();
      else if (number === Field.method && wireType === WireType.LengthDelimited) method = reader.string();
      else if (number === Field.timeoutNanos && wireType === WireType.Varint) timeoutNanos = BigInt(reader.int64());
      else if (number === Field.payload && wireType === WireType.LengthDelimited) {
        payload = reader.bytes();
        from = HEADER_BYTES + start;
        to = HEADER_BYTES + reader.pos;
      } else reader.skip(wireType, number);
    }
  } catch {
    return undefined;
  }
  return { name: `${service}/${method}`, payload, timeoutNanos, from, to };
}

/**
 * Returns the frame with another payload; all else in it stays byte for byte. The new length is in its header, which
 * may be over the limit.
 */
export function replacePayload(
  frame: Uint8Array,
  header: FrameHeader,
  parts: RequestParts,
  payload: Uint8Array,
): Uint8Array {
  const field = new BinaryWriter().tag(Field.payload, WireType.LengthDelimited).bytes(payload).finish();
  const replaced = Buffer.concat([frame.subarray(0, parts.from), field, frame.subarray(parts.to)]);
  writeHeader(replaced, 0, { ...header, length: replaced.byteLength - HEADER_BYTES });
  return replaced;
}
