// SPDX-License-Identifier: Apache-2.0
/** Random numbers that are the same again for the same seed, so that a failed run can be repeated. */

export interface SeededRandom {
  /** At least 0 and less than 1. */
  next(): number;
  /** A whole number, at least 0 and less than `end`. */
  below(end: number): number;
  /** One of `choices`, each as likely as its weight says. */
  pick<T>(choices: readonly (readonly [choice: T, weight: number])[]): T;
}

/** Creates one from a whole number. Not for secrets: SplitMix64 (Steele, Lea, Flood 2014) only looks random. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = BigInt.asUintN(64, BigInt(seed));
  function next(): number {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    // The top 53 bits fill a double.
    return Number((mixed ^ (mixed >> 31n)) >> 11n) / 2 ** 53;
  }
  return {
    next,
    below: (end) => Math.floor(next() * end),
    pick(choices) {
      let at = next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      const found = choices.find(([, weight]) => (at -= weight) < 0) ?? choices.at(-1);
      if (found === undefined) throw new TypeError("There is nothing to pick from");
      return found[0];
    },
  };
}
