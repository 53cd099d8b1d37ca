// SPDX-License-Identifier: Apache-2.0
/** Gives back the memory of program code that only the start of a process needed. */

/** madvise(2): the pages go; the next access reads them from the file again. */
const MADV_DONTNEED = 4;

/** The first line of a mapping in /proc/self/smaps (proc_pid_smaps(5)): addresses, rights and, if it has one, its file. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ +(\/.*)?$/;

/** Pages of the mapping that are its own and no longer the file's, in KiB. */
const CHANGED = /^Anonymous: +(\d+) kB$/;

interface Mapping {
  readonly address: bigint;
  readonly bytes: bigint;
}

/**
 * Takes the pages of executable and libraries out of this process; those that are used again come back one by one, from
 * the page cache. Half of them do not: parsing, compiling and loading are over (measured: 35 MiB before, 17 to 20 after).
 *
 * Only mappings that cannot be written and never were are touched. Where libc or /proc cannot be reached nothing happens.
 *
 * @returns how many mappings were given back.
 */
export function releaseStartupPages(): number {
  let libc;
  try {
    libc = Deno.dlopen("libc.so.6", { madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" } });
  } catch {
    return 0;
  }
  try {
    return fileMappings(Deno.readTextFileSync("/proc/self/smaps")).filter(({ address, bytes }) =>
      libc.symbols.madvise(Deno.UnsafePointer.create(address), bytes, MADV_DONTNEED) === 0
    ).length;
  } catch {
    return 0;
  } finally {
    libc.close();
  }
}

/** Mappings of files that cannot be written and of which no page was changed. */
export function fileMappings(smaps: string): Mapping[] {
  const found: Mapping[] = [];
  let current: Mapping | undefined;
  for (const line of smaps.split("\n")) {
    const [, begin, end, rights, file] = MAPPING.exec(line) ?? [];
    if (begin !== undefined && end !== undefined) {
      const address = BigInt(`0x${begin}`);
      const isReadOnly = /^r-[-x]p$/.test(rights!) && file !== undefined;
      current = isReadOnly ? { address, bytes: BigInt(`0x${end}`) - address } : undefined;
    } else if (current !== undefined && Number(CHANGED.exec(line)?.[1] ?? NaN) === 0) found.push(current);
  }
  return found;
}
