// SPDX-License-Identifier: Apache-2.0
/** The two protobuf messages that a TTRPC frame carries, Request and Response, to and from bytes (PROTOCOL.md, "Envelope"). */

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { PeerctlError } from "../errors.ts";
import type { RpcStatus, StatusDetail } from "./status.ts";
import {
  delimited,
  delimitedSize,
  int32Size,
  int64Size,
  messageSize,
  textSize,
  varint,
  writeBytes,
  writeInt32,
  writeInt64,
  writePrefix,
  writeText,
} from "./wire.ts";

/** One metadata entry; a header with several values repeats its key, in order. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface RequestEnvelope {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  /** Time the caller is willing to wait, in ns from now; 0 is no limit, negative is over already. int64. */
  readonly timeoutNanos: bigint;
  readonly metadata: readonly KeyValue[];
}

export interface ResponseEnvelope {
  /** Missing means OK (Go form); a status with code 0 does too (Rust form). */
  readonly status?: RpcStatus;
  readonly payload: Uint8Array;
}

/** Field numbers of containerd/ttrpc request.proto and googleapis google/rpc/status.proto, google/protobuf/any.proto. */
const RequestField = { service: 1, method: 2, payload: 3, timeoutNano: 4, metadata: 5 } as const;
const KeyValueField = { key: 1, value: 2 } as const;
const ResponseField = { status: 1, payload: 2 } as const;
const StatusField = { code: 1, message: 2, details: 3 } as const;
const AnyField = { typeUrl: 1, value: 2 } as const;

const EMPTY: Uint8Array = new Uint8Array(0);

/** Encodes a Request; fields with their default value are left out, as proto3 does. */
export function encodeRequest(request: RequestEnvelope): Uint8Array {
  const bytes = new Uint8Array(requestSize(request));
  writeRequest(bytes, 0, request);
  return bytes;
}

/** Bytes that {@link writeRequest} will write. */
export function requestSize(request: RequestEnvelope): number {
  let size = textSize(request.service) + textSize(request.method) + delimitedSize(request.payload.byteLength) +
    int64Size(request.timeoutNanos);
  for (const entry of request.metadata) size += messageSize(keyValueSize(entry));
  return size;
}

/** Encodes a Request into `target`, which has room for {@link requestSize} bytes at `offset`. */
export function writeRequest(target: Uint8Array, offset: number, request: RequestEnvelope): void {
  let at = writeText(target, offset, RequestField.service, request.service);
  at = writeText(target, at, RequestField.method, request.method);
  at = writeBytes(target, at, RequestField.payload, request.payload);
  at = writeInt64(target, at, RequestField.timeoutNano, request.timeoutNanos);
  for (const entry of request.metadata) {
    at = writePrefix(target, at, RequestField.metadata, keyValueSize(entry));
    at = writeText(target, at, KeyValueField.key, entry.key);
    at = writeText(target, at, KeyValueField.value, entry.value);
  }
}

/**
 * Decodes a Request. `payload` is a view of `bytes`; unknown fields are dropped, broken UTF-8 becomes U+FFFD.
 *
 * @throws {PeerctlError} kind "peer" when `bytes` are not a protobuf message.
 */
export function decodeRequest(bytes: Uint8Array): RequestEnvelope {
  let service = "";
  let method = "";
  let payload = EMPTY;
  let timeoutNanos = 0n;
  const metadata: KeyValue[] = [];
  readFields("request", bytes, (key, reader) => {
    switch (key) {
      case delimited(RequestField.service):
        service = reader.string();
        return true;
      case delimited(RequestField.method):
        method = reader.string();
        return true;
      case delimited(RequestField.payload):
        payload = reader.bytes();
        return true;
      case varint(RequestField.timeoutNano):
        timeoutNanos = BigInt(reader.int64());
        return true;
      case delimited(RequestField.metadata):
        metadata.push(decodeKeyValue(reader.bytes()));
        return true;
    }
    return false;
  });
  return { service, method, payload, timeoutNanos, metadata };
}

/** Encodes a Response: no status gives the Go form of success, `{ code: 0, message: "" }` the Rust form. */
export function encodeResponse(response: ResponseEnvelope): Uint8Array {
  const bytes = new Uint8Array(responseSize(response));
  writeResponse(bytes, 0, response);
  return bytes;
}

/** Bytes that {@link writeResponse} will write. */
export function responseSize(response: ResponseEnvelope): number {
  const { status, payload } = response;
  return (status === undefined ? 0 : messageSize(statusSize(status))) + delimitedSize(payload.byteLength);
}

/** Encodes a Response into `target`, which has room for {@link responseSize} bytes at `offset`. */
export function writeResponse(target: Uint8Array, offset: number, response: ResponseEnvelope): void {
  const { status, payload } = response;
  const at = status === undefined ? offset : writeStatus(target, offset, status);
  writeBytes(target, at, ResponseField.payload, payload);
}

/**
 * Decodes a Response. `payload` and the values of details are views of `bytes`.
 *
 * @throws {PeerctlError} kind "peer" when `bytes` are not a protobuf message.
 */
export function decodeResponse(bytes: Uint8Array): ResponseEnvelope {
  let status: RpcStatus | undefined;
  let payload = EMPTY;
  readFields("response", bytes, (key, reader) => {
    switch (key) {
      case delimited(ResponseField.status):
        status = decodeStatus(reader.bytes(), status);
        return true;
      case delimited(ResponseField.payload):
        payload = reader.bytes();
        return true;
    }
    return false;
  });
  return status === undefined ? { payload } : { status, payload };
}

function keyValueSize({ key, value }: KeyValue): number {
  return textSize(key) + textSize(value);
}

function anySize({ typeUrl, value }: StatusDetail): number {
  return textSize(typeUrl) + delimitedSize(value.byteLength);
}

function statusSize({ code, message, details = [] }: RpcStatus): number {
  let size = int32Size(code) + textSize(message);
  for (const detail of details) size += messageSize(anySize(detail));
  return size;
}

function writeStatus(target: Uint8Array, offset: number, status: RpcStatus): number {
  let at = writePrefix(target, offset, ResponseField.status, statusSize(status));
  at = writeInt32(target, at, StatusField.code, status.code);
  at = writeText(target, at, StatusField.message, status.message);
  for (const detail of status.details ?? []) {
    at = writePrefix(target, at, StatusField.details, anySize(detail));
    at = writeText(target, at, AnyField.typeUrl, detail.typeUrl);
    at = writeBytes(target, at, AnyField.value, detail.value);
  }
  return at;
}

/** A status that comes twice is merged, as protobuf says of every embedded message: `before` is the first one. */
function decodeStatus(bytes: Uint8Array, before: RpcStatus | undefined): RpcStatus {
  let code = before?.code ?? 0;
  let message = before?.message ?? "";
  const details: StatusDetail[] = [...before?.details ?? []];
  readFields("status", bytes, (key, reader) => {
    switch (key) {
      case varint(StatusField.code):
        code = reader.int32();
        return true;
      case delimited(StatusField.message):
        message = reader.string();
        return true;
      case delimited(StatusField.details):
        details.push(decodeAny(reader.bytes()));
        return true;
    }
    return false;
  });
  return details.length === 0 ? { code, message } : { code, message, details };
}

function decodeAny(bytes: Uint8Array): StatusDetail {
  let typeUrl = "";
  let value = EMPTY;
  readFields("status detail", bytes, (key, reader) => {
    switch (key) {
      case delimited(AnyField.typeUrl):
        typeUrl = reader.string();
        return true;
      case delimited(AnyField.value):
        value = reader.bytes();
        return true;
    }
    return false;
  });
  return { typeUrl, value };
}

function decodeKeyValue(bytes: Uint8Array): KeyValue {
  let key = "";
  let value = "";
  readFields("metadata", bytes, (field, reader) => {
    switch (field) {
      case delimited(KeyValueField.key):
        key = reader.string();
        return true;
      case delimited(KeyValueField.value):
        value = reader.string();
        return true;
    }
    return false;
  });
  return { key, value };
}

/**
 * Walks the fields of a message. `take` gets each tag as one number (see `varint` and `delimited`), reads the value and
 * returns true, or returns false and the field is skipped; so a known number with a foreign wire type counts as unknown.
 */
function readFields(what: string, bytes: Uint8Array, take: (key: number, reader: BinaryReader) => boolean): void {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (!take((field << 3) | wireType, reader)) reader.skip(wireType, field);
    }
  } catch (cause) {
    if (cause instanceof PeerctlError) throw cause;
    throw new PeerctlError("peer", `Cannot decode TTRPC ${what}: ${(cause as Error).message}`, { cause });
  }
}
