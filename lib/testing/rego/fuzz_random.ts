// SPDX-License-Identifier: Apache-2.0
/** A source of choices that gives the same ones for the same seed, so that a difference found can be found again. */

export interface Choices {
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  /** True with probability p. */
  chance(p: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Between min and max results of `make`, both included. */
  some<T>(min: number, max: number, make: (i: number) => T): T[];
}

/** mulberry32: 32 bits of state are enough to tell some billions of seeds apart. */
export function createChoices(seed: number): Choices {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  // Neighbouring seeds begin alike; the first numbers are thrown away.
  for (let i = 0; i < 4; i++) next();
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    chance: (p) => next() < p,
    pick: (from) => from[below(from.length)]!,
    some: (min, max, make) => Array.from({ length: min + below(max - min + 1) }, (_, i) => make(i)),
  };
}
