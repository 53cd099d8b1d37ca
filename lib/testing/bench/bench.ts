// SPDX-License-Identifier: Apache-2.0
/** What a bench is: a file `NAME_bench.ts` in this folder whose default export is a {@link Bench}. */

import type { PeerTool } from "../peers.ts";

/** The subject that all others are compared with. */
export const OURS = "peerctl";

export interface Bench {
  /** One line for the list of benches. */
  readonly summary: string;
  /** What must be on PATH; the bench fails when it is not. */
  readonly needs: readonly PeerTool[];
  /** Left out of a run that names no bench, because it takes so long. */
  readonly onlyByName?: boolean;
  /**
   * Measures every subject in turn, and adds what it found.
   *
   * @throws when a single reply was wrong: what was measured is worth nothing then.
   */
  run(o: BenchRun): Promise<void>;
}

export interface BenchRun {
  /** How often each subject is measured. */
  readonly rounds: number;
  /** How long a measurement lasts, in seconds, if the user said so; what that is depends on the bench. */
  readonly seconds: number | undefined;
  /** True: just enough to see that everything works. */
  readonly quick: boolean;
  /** Environment variables for peerctl's processes, such as DENO_V8_FLAGS. */
  readonly env: Readonly<Record<string, string>>;
  /** Says on stderr what is going on. */
  note(text: string): void;
  add(row: RowKind, subject: string, value: number): void;
  /** Adds a sentence to the report. */
  remark(text: string): void;
}

/** What a row of the table shows; rows of the same line and unit are one. */
export interface RowKind {
  readonly line: string;
  readonly unit: string;
  readonly better: "more" | "less";
  /** What ours has to be as a multiple of the other's: at least for more, at most for less. */
  readonly goal?: number;
  /** What ours must be at most, by itself. */
  readonly limit?: number;
}

export interface Row extends RowKind {
  /** By subject, one value for each round. */
  readonly values: ReadonlyMap<string, readonly number[]>;
}
