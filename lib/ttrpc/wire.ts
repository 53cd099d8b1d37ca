// SPDX-License-Identifier: Apache-2.0
/** Writes protobuf fields into a buffer of the caller's, whose size it has told before: no buffer of its own, no copy. */

import { Buffer } from "node:buffer";
import { WireType } from "@bufbuild/protobuf/wire";

/** Bytes of a tag: every field number of the envelope messages is under 16. */
const TAG_BYTES = 1;

/** Bytes of a negative int64 or int32, which is sign-extended to 64 bits and written seven at a time. */
const NEGATIVE_VARINT_BYTES = 10;

/** Up to this many characters a loop over ASCII beats the call into TextEncoder (measured: 14 against 113 ns for 17). */
const SHORT_TEXT = 64;

const textEncoder = new TextEncoder();

/** The tag of a length-delimited field: text, bytes or a message. */
export function delimited(field: number): number {
  return (field << 3) | WireType.LengthDelimited;
}

/** The tag of a varint field. */
export function varint(field: number): number {
  return (field << 3) | WireType.Varint;
}

/** Bytes of a field whose content has `length` bytes; 0 when that is empty, as proto3 leaves it out. */
export function delimitedSize(length: number): number {
  return length === 0 ? 0 : messageSize(length);
}

/** Bytes of an embedded message of `length` bytes, which is written even when empty. */
export function messageSize(length: number): number {
  return TAG_BYTES + varintSize(length) + length;
}

/** Bytes of a text field. */
export function textSize(text: string): number {
  return delimitedSize(Buffer.byteLength(text));
}

/** Bytes of an int64 field. */
export function int64Size(value: bigint): number {
  if (value === 0n) return 0;
  return TAG_BYTES + (value < 0n ? NEGATIVE_VARINT_BYTES : varintSize(value));
}

/** Bytes of an int32 field. */
export function int32Size(value: number): number {
  if (value === 0) return 0;
  return TAG_BYTES + (value < 0 ? NEGATIVE_VARINT_BYTES : varintSize(value));
}

/** Writes tag and length of `length` bytes that the caller writes next; returns the offset for them. */
export function writePrefix(target: Uint8Array, offset: number, field: number, length: number): number {
  target[offset] = delimited(field);
  return writeVarint(target, offset + TAG_BYTES, length);
}

/** Writes a text field unless it is empty; returns the offset after it. */
export function writeText(target: Uint8Array, offset: number, field: number, text: string): number {
  if (text === "") return offset;
  const size = Buffer.byteLength(text);
  const start = writePrefix(target, offset, field, size);
  if (size === text.length && size <= SHORT_TEXT) {
    for (let i = 0; i < size; i++) target[start + i] = text.charCodeAt(i);
  } else {
    textEncoder.encodeInto(text, target.subarray(start, start + size));
  }
  return start + size;
}

/** Writes a bytes field unless it is empty; returns the offset after it. */
export function writeBytes(target: Uint8Array, offset: number, field: number, bytes: Uint8Array): number {
  if (bytes.byteLength === 0) return offset;
  const start = writePrefix(target, offset, field, bytes.byteLength);
  target.set(bytes, start);
  return start + bytes.byteLength;
}

/** Writes an int64 field unless it is 0; returns the offset after it. */
export function writeInt64(target: Uint8Array, offset: number, field: number, value: bigint): number {
  if (value === 0n) return offset;
  target[offset] = varint(field);
  if (value > 0n && value <= Number.MAX_SAFE_INTEGER) return writeVarint(target, offset + TAG_BYTES, Number(value));
  return writeVarint64(target, offset + TAG_BYTES, value);
}

/** Writes an int32 field unless it is 0; returns the offset after it. */
export function writeInt32(target: Uint8Array, offset: number, field: number, value: number): number {
  return writeInt64(target, offset, field, BigInt(value));
}

/** Bytes of a varint; `value` is a whole number from 0 to 2^63 - 1, compared as it is: no rounding to a double. */
function varintSize(value: number | bigint): number {
  let size = 1;
  for (let limit = 0x80; value >= limit; limit *= 0x80) size++;
  return size;
}

/** Writes a whole number from 0 to 2^53 - 1. */
function writeVarint(target: Uint8Array, offset: number, value: number): number {
  while (value > 0x7f) {
    target[offset++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  target[offset++] = value;
  return offset;
}

function writeVarint64(target: Uint8Array, offset: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    target[offset++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  target[offset++] = Number(rest);
  return offset;
}
