// SPDX-License-Identifier: Apache-2.0
/** Runs named steps one after the other and keeps how each ended and how long it took. */

export interface StepResult {
  readonly step: string;
  readonly ok: boolean;
  /** Wall time, in milliseconds. */
  readonly ms: number;
  /** What was seen; when the step failed, why. */
  readonly detail: string;
}

export interface Steps {
  readonly results: readonly StepResult[];
  /**
   * Runs one step. `run` answers the value of the step and a few words on what was seen.
   *
   * @throws whatever `run` throws, after it was recorded as failed.
   */
  step<T>(name: string, run: () => Promise<{ value: T; detail: string }>): Promise<T>;
}

/** Creates an empty list; `onStep` hears of every step as it ends. */
export function createSteps(onStep: (result: StepResult) => void): Steps {
  const results: StepResult[] = [];
  function record(result: StepResult): void {
    results.push(result);
    onStep(result);
  }
  return {
    results,
    async step(name, run) {
      const startedAt = performance.now();
      const elapsed = () => Math.round((performance.now() - startedAt) * 10) / 10;
      try {
        const { value, detail } = await run();
        record({ step: name, ok: true, ms: elapsed(), detail });
        return value;
      } catch (error) {
        record({
          step: name,
          ok: false,
          ms: elapsed(),
          detail: error instanceof Error ? error.message : String(error),
        });
        throw error;
      }
    },
  };
}
