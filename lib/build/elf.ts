// SPDX-License-Identifier: Apache-2.0
/** Reads from an ELF executable or library what it is for and what it needs (System V ABI, gABI 4.1 chapters 4 and 5). */

import { PeerctlError } from "../errors.ts";

export interface ElfFacts {
  /** e_machine: 62 is x86_64, 183 is aarch64. */
  readonly machine: number;
  /** The dynamic loader; undefined for a static program or a library. */
  readonly interpreter: string | undefined;
  /** Names of libraries, such as "libc.so.6". */
  readonly libraries: readonly string[];
  /** Versions of the C library that it names, such as "GLIBC_2.34": what a program needs, or what a libc offers. */
  readonly glibcVersions: readonly string[];
}

/** Of the file header: class 64 bits, least significant byte first, as both of our targets are. */
const ELFCLASS64 = 2, ELFDATA2LSB = 1;
const HEADER_BYTES = 64, PROGRAM_HEADER_BYTES = 56, DYNAMIC_BYTES = 16;
const PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3;
const DT_NEEDED = 1, DT_STRTAB = 5, DT_STRSZ = 10;

/** @throws {PeerctlError} kind "state" when `bytes` is no 64-bit little-endian ELF file, or a broken one; `what` names it. */
export function readElf(bytes: Uint8Array, what: string): ElfFacts {
  if (!isElf(bytes) || bytes[4] !== ELFCLASS64 || bytes[5] !== ELFDATA2LSB) {
    throw new PeerctlError("state", `Cannot read ${what}: it is no program for a 64-bit little-endian machine`);
  }
  try {
    return parse(bytes);
  } catch (cause) {
    throw new PeerctlError("state", `Cannot read ${what}: its ELF headers point out of the file`, { cause });
  }
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.byteLength >= HEADER_BYTES && bytes[0] === 0x7f && latin1(bytes.subarray(1, 4)) === "ELF";
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

function parse(bytes: Uint8Array): ElfFacts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const first = u64(32), count = view.getUint16(56, true);
  const segments: Segment[] = Array.from({ length: count }, (_, i) => {
    const at = first + i * PROGRAM_HEADER_BYTES;
    return { type: view.getUint32(at, true), offset: u64(at + 8), address: u64(at + 16), fileSize: u64(at + 32) };
  });
  const content = ({ offset, fileSize }: { readonly offset: number; readonly fileSize: number }) => {
    if (offset + fileSize > bytes.byteLength) throw new RangeError(`offset ${offset}, ${fileSize} bytes`);
    return bytes.subarray(offset, offset + fileSize);
  };
  const interp = segments.find(({ type }) => type === PT_INTERP);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  const facts = {
    machine: view.getUint16(18, true),
    interpreter: interp && textAt(content(interp), 0),
    libraries: [],
    glibcVersions: [],
  };
  if (dynamic === undefined) return facts;
  const entries = Array.from(
    { length: Math.floor(content(dynamic).byteLength / DYNAMIC_BYTES) },
    (_, i) => [u64(dynamic.offset + i * DYNAMIC_BYTES), u64(dynamic.offset + i * DYNAMIC_BYTES + 8)] as const,
  );
  const valueOf = (tag: number) => entries.find(([each]) => each === tag)?.[1];
  const address = valueOf(DT_STRTAB) ?? 0;
  const home = segments.find((one) =>
    one.type === PT_LOAD && one.address <= address && address < one.address + one.fileSize
  );
  if (home === undefined) throw new RangeError("no segment holds the names");
  const names = content({ offset: home.offset + address - home.address, fileSize: valueOf(DT_STRSZ) ?? 0 });
  return {
    ...facts,
    libraries: entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => textAt(names, at)),
    glibcVersions: latin1(names).split("\0").filter((name) => /^GLIBC_[0-9.]+$/.test(name)),
  };
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  if (end < 0) throw new RangeError(`no end of the name at ${at}`);
  return latin1(bytes.subarray(at, end));
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
