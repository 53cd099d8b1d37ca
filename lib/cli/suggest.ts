// SPDX-License-Identifier: Apache-2.0
/** Finds the known word that a mistyped one was probably meant to be. */

/** Longest word that is compared, in UTF-16 units: the comparison takes time in its square. */
const MAX_WORD = 64;

/** Returns the known word nearest to `word`, if it is near: one edit in three letters, or one begins with the other. */
export function suggest(word: string, known: readonly string[]): string | undefined {
  if (word === "" || word.length > MAX_WORD) return undefined;
  let best: string | undefined, bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  if (best !== undefined) return best;
  const longer = known.filter((candidate) => candidate.startsWith(word));
  return word.length > 1 && longer.length === 1 ? longer[0] : undefined;
}

/** Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 1; j <= b.length; j++) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i++) {
    const row = rows[i]!, above = rows[i - 1]!;
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
      }
    }
  }
  return rows[a.length]![b.length]!;
}
