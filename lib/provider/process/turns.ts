// SPDX-License-Identifier: Apache-2.0
/** Lets those who want the same thing have it one after the other. */

export interface Turns {
  /** Runs `work` when all earlier work under this key has ended, well or not. */
  take<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<void>>();
  return {
    take(key, work) {
      const mine = (last.get(key) ?? Promise.resolve()).then(work);
      const settled = mine.then(() => {}, () => {}).then(() => {
        if (last.get(key) === settled) last.delete(key);
      });
      last.set(key, settled);
      return mine;
    },
  };
}
