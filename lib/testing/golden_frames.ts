// SPDX-License-Identifier: Apache-2.0
/** The golden TTRPC frames of testdata/, by name. */

import frames from "../../testdata/ttrpc/golden_frames.json" with { type: "json" };

export interface GoldenFrame {
  readonly name: string;
  /** What the bytes mean. */
  readonly what: string;
  readonly bytes: Uint8Array;
}

/** Every golden frame, in the order of the file. */
export const goldenFrames: readonly GoldenFrame[] = frames.map(({ name, what, hex }) => ({
  name,
  what,
  bytes: Uint8Array.fromHex(hex),
}));

/** The bytes of one golden frame; those called "…header" are the header alone. */
export function goldenFrame(name: string): Uint8Array {
  const found = goldenFrames.find((frame) => frame.name === name);
  if (found === undefined) throw new RangeError(`no golden frame is called "${name}"`);
  return found.bytes;
}
