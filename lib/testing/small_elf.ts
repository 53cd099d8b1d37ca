// SPDX-License-Identifier: Apache-2.0
/** Writes ELF files that hold nothing but what they need and offer, for tests of programs and of trees to run them in. */

export interface SmallElf {
  /** e_machine; 62, x86_64, if absent. */
  readonly machine?: number;
  readonly interpreter?: string;
  readonly libraries?: readonly string[];
  readonly glibcVersions?: readonly string[];
}

const HEADER_BYTES = 64, PROGRAM_HEADER_BYTES = 56, DYNAMIC_BYTES = 16;
const PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3;
const DT_NEEDED = 1, DT_STRTAB = 5, DT_STRSZ = 10;

/** Where the file would lie in memory: not where it does on disk, so that the two cannot be taken for each other. */
const BASE_ADDRESS = 0x400000;

/** Lays out header, three program headers, the interpreter's name, the dynamic section and the names, in this order. */
export function smallElf(o: SmallElf): Uint8Array<ArrayBuffer> {
  const { machine = 62, interpreter = "", libraries = [], glibcVersions = [] } = o;
  const names = new TextEncoder().encode(`\0${[...libraries, ...glibcVersions].map((name) => `${name}\0`).join("")}`);
  const interp = new TextEncoder().encode(`${interpreter}\0`);
  const entries: [number, number][] = [];
  let at = 1;
  for (const name of libraries) {
    entries.push([DT_NEEDED, at]);
    at += name.length + 1;
  }
  const interpAt = HEADER_BYTES + 3 * PROGRAM_HEADER_BYTES;
  const dynamicAt = interpAt + interp.byteLength;
  const dynamicBytes = (entries.length + 2) * DYNAMIC_BYTES;
  const namesAt = dynamicAt + dynamicBytes;
  entries.push([DT_STRTAB, BASE_ADDRESS + namesAt], [DT_STRSZ, names.byteLength]);

  const bytes = new Uint8Array(namesAt + names.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(18, machine, true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setUint16(56, 3, true);
  const segments: [number, number, number][] = [
    [PT_LOAD, 0, bytes.byteLength],
    [interpreter === "" ? 0 : PT_INTERP, interpAt, interp.byteLength],
    [PT_DYNAMIC, dynamicAt, dynamicBytes],
  ];
  segments.forEach(([type, offset, size], i) => {
    const header = HEADER_BYTES + i * PROGRAM_HEADER_BYTES;
    view.setUint32(header, type, true);
    view.setBigUint64(header + 8, BigInt(offset), true);
    view.setBigUint64(header + 16, BigInt(BASE_ADDRESS + offset), true);
    view.setBigUint64(header + 32, BigInt(size), true);
  });
  bytes.set(interp, interpAt);
  entries.forEach(([tag, value], i) => {
    view.setBigUint64(dynamicAt + i * DYNAMIC_BYTES, BigInt(tag), true);
    view.setBigUint64(dynamicAt + i * DYNAMIC_BYTES + 8, BigInt(value), true);
  });
  bytes.set(names, namesAt);
  return bytes;
}
