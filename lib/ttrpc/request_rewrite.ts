// SPDX-License-Identifier: Apache-2.0
/** Finds out, from as few bytes as possible, whether a request has a rewriter, and exchanges the payload of one that has. */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type FrameHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES, oversizeText, writeHeader } from "./frame.ts";
import { Code, RpcError } from "./status.ts";
import { delimited, messageSize, textSize, varint, writePrefix, writeText } from "./wire.ts";

/** Fields of the envelope that matter here (PROTOCOL.md, "Envelope"). */
const Field = { service: 1, method: 2, payload: 3, timeoutNanos: 4 } as const;

/** Tags of the two fields that every known client writes first. */
const SERVICE_TAG = delimited(Field.service);
const METHOD_TAG = delimited(Field.method);

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

/** What a request of this name begins with, in the plainest encoding. */
function encodePrefix(name: string): Uint8Array {
  const slash = name.indexOf("/");
  const service = name.slice(0, slash);
  const method = name.slice(slash + 1);
  const prefix = new Uint8Array(textSize(service) + textSize(method));
  writeText(prefix, writeText(prefix, 0, Field.service, service), Field.method, method);
  return prefix;
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
      const [field, wireType] = reader.tag();
      switch ((field << 3) | wireType) {
        case delimited(Field.service):
          service = reader.string();
          break;
        case delimited(Field.method):
          method = reader.string();
          break;
        case delimited(Field.payload):
          payload = reader.bytes();
          from = HEADER_BYTES + start;
          to = HEADER_BYTES + reader.pos;
          break;
        case varint(Field.timeoutNanos):
          timeoutNanos = BigInt(reader.int64());
          break;
        default:
          reader.skip(wireType, field);
      }
    }
  } catch {
    return undefined;
  }
  return { name: `${service}/${method}`, payload, timeoutNanos, from, to };
}

/**
 * Returns the frame with another payload; all else in its envelope stays byte for byte.
 *
 * @throws {RpcError} RESOURCE_EXHAUSTED when it would be over the size limit.
 */
export function replacePayload(
  frame: Uint8Array,
  header: FrameHeader,
  parts: RequestParts,
  payload: Uint8Array,
): Uint8Array {
  const { from, to } = parts;
  const size = frame.byteLength - (to - from) + messageSize(payload.byteLength);
  const length = size - HEADER_BYTES;
  if (length > MAX_PAYLOAD_BYTES) throw new RpcError(Code.resourceExhausted, oversizeText(length));
  const replaced = new Uint8Array(size);
  replaced.set(frame.subarray(0, from));
  writeHeader(replaced, 0, { ...header, length });
  const start = writePrefix(replaced, from, Field.payload, payload.byteLength);
  replaced.set(payload, start);
  replaced.set(frame.subarray(to), start + payload.byteLength);
  return replaced;
}
