// SPDX-License-Identifier: Apache-2.0
/**
 * Takes a protobuf message apart into its fields and puts it together again, so that one field can be edited while
 * every other byte, known or not, stays what and where it was.
 */

import { Code, RpcError } from "../ttrpc/status.ts";

/** Wire types of the protobuf encoding (protobuf.dev/programming-guides/encoding). */
const WireType = { varint: 0, fixed64: 1, delimited: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Most fields taken apart in one message; an OCI spec has some hundreds. Bounds memory: a field can be two bytes. */
const MAX_FIELDS = 65_536;

/** Deepest nesting of groups skipped; nothing on this path uses groups. */
const MAX_GROUP_DEPTH = 32;

/** Longest varint: 64 bits in groups of seven. */
const MAX_VARINT_BYTES = 10;

/** One occurrence of a field, as it lies in the message. */
export interface WireField {
  readonly number: number;
  /** Tag, length and value. */
  readonly raw: Uint8Array;
  /** The value of a length-delimited field (text, bytes, message); undefined for the other wire types. */
  readonly body: Uint8Array | undefined;
}

/**
 * Takes a message apart; the fields are views into it.
 *
 * @throws {RpcError} INVALID_ARGUMENT when it is not protobuf, or has too many fields.
 */
export function splitMessage(message: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  while (at < message.length) {
    if (fields.length === MAX_FIELDS) throw malformed(`more than ${MAX_FIELDS} fields in one message`);
    const start = at;
    const [tag, afterTag] = readTag(message, at);
    if (tag.type === WireType.delimited) {
      const [length, bodyStart] = readVarint(message, afterTag);
      at = checkEnd(message, bodyStart + length);
      fields.push({ number: tag.number, raw: message.subarray(start, at), body: message.subarray(bodyStart, at) });
    } else {
      at = skipValue(message, afterTag, tag);
      fields.push({ number: tag.number, raw: message.subarray(start, at), body: undefined });
    }
  }
  return fields;
}

/** Puts a message together. */
export function joinFields(fields: readonly WireField[]): Uint8Array {
  const message = new Uint8Array(fields.reduce((length, field) => length + field.raw.length, 0));
  let at = 0;
  for (const { raw } of fields) {
    message.set(raw, at);
    at += raw.length;
  }
  return message;
}

/** Makes a length-delimited field: of a text, or of a message that was put together. */
export function delimitedField(number: number, value: string | Uint8Array): WireField {
  const body = typeof value === "string" ? new TextEncoder().encode(value) : value;
  const head = [...varint(number << 3 | WireType.delimited), ...varint(body.length)];
  const raw = new Uint8Array(head.length + body.length);
  raw.set(head);
  raw.set(body, head.length);
  return { number, raw, body: raw.subarray(head.length) };
}

/**
 * The bodies of all occurrences of a field that is text or a message.
 *
 * @throws {RpcError} INVALID_ARGUMENT when one has another wire type: decoders do not agree on what that means.
 */
export function bodiesOf(fields: readonly WireField[], number: number): Uint8Array[] {
  return fields.filter((field) => field.number === number).map((field) => {
    if (field.body === undefined) throw malformed(`field ${number} has another wire type than its own`);
    return field.body;
  });
}

/**
 * The place in `fields` of a message that may occur once, or undefined.
 *
 * @throws {RpcError} INVALID_ARGUMENT when it occurs twice: some decoders merge the two, others take the last, and an
 * edit must mean the same to whoever judges the message and to whoever obeys it. No encoder writes it.
 */
export function indexOfSingle(fields: readonly WireField[], number: number): number | undefined {
  const places = fields.flatMap((field, index) => field.number === number ? [index] : []);
  bodiesOf(fields, number);
  if (places.length > 1) throw malformed(`field ${number} occurs ${places.length} times, should occur once`);
  return places[0];
}

/** The text of a string field: its last occurrence, or "" if there is none, as every decoder has it. */
export function textOf(fields: readonly WireField[], number: number): string {
  const body = bodiesOf(fields, number).at(-1);
  if (body === undefined) return "";
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw malformed(`field ${number} is not UTF-8`);
  }
}

interface Tag {
  readonly number: number;
  readonly type: number;
}

function readTag(message: Uint8Array, at: number): [Tag, number] {
  const [tag, end] = readVarint(message, at);
  const number = Math.floor(tag / 8);
  // Field numbers are 29 bits.
  if (number < 1 || number >= 1 << 29) throw malformed(`field number ${number}`);
  return [{ number, type: tag % 8 }, end];
}

/** Values above 2^53 lose their low bits: lengths and tags that long are out of range anyway, others are only skipped. */
function readVarint(message: Uint8Array, start: number): [value: number, end: number] {
  let value = 0;
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = message[start + i];
    if (byte === undefined) throw truncated();
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return [value, start + i + 1];
  }
  throw malformed(`a number of more than ${MAX_VARINT_BYTES} bytes`);
}

function skipValue(message: Uint8Array, start: number, tag: Tag): number {
  const groups: number[] = [];
  let at = start;
  let current = tag;
  for (;;) {
    switch (current.type) {
      case WireType.varint:
        at = readVarint(message, at)[1];
        break;
      case WireType.fixed64:
        at = checkEnd(message, at + 8);
        break;
      case WireType.delimited: {
        const [length, bodyStart] = readVarint(message, at);
        at = checkEnd(message, bodyStart + length);
        break;
      }
      case WireType.fixed32:
        at = checkEnd(message, at + 4);
        break;
      case WireType.startGroup:
        if (groups.length === MAX_GROUP_DEPTH) throw malformed(`groups nested deeper than ${MAX_GROUP_DEPTH}`);
        groups.push(current.number);
        break;
      case WireType.endGroup:
        if (groups.pop() !== current.number) throw malformed("a group that ends but did not start");
        break;
      default:
        throw malformed(`wire type ${current.type}`);
    }
    if (groups.length === 0) return at;
    [current, at] = readTag(message, at);
  }
}

function checkEnd(message: Uint8Array, end: number): number {
  if (end > message.length) throw truncated();
  return end;
}

function varint(value: number): number[] {
  const bytes = [];
  for (let rest = value;; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push(rest % 128 | 0x80);
  }
}

const truncated = () => malformed("it ends in the middle of a field");

function malformed(why: string): RpcError {
  return new RpcError(Code.invalidArgument, `Cannot read protobuf message: ${why}`);
}
