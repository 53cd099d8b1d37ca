// SPDX-License-Identifier: Apache-2.0
/** A time limit that is set and cleared for each message, at hardly any cost: its one timer looks when it fires. */

export interface Deadline {
  /** Starts or moves the limit, `ms` milliseconds from now. */
  set(ms: number, onLate: () => void): void;
  clear(): void;
  /** For good: no timer is left. */
  close(): void;
}

export function createDeadline(): Deadline {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let firesAt = Infinity;
  let lateAt = Infinity;
  let late: (() => void) | undefined;
  let isClosed = false;

  function fire(): void {
    timer = undefined;
    firesAt = Infinity;
    if (late === undefined) return;
    const left = lateAt - performance.now();
    if (left > 0) return start(left);
    const onLate = late;
    late = undefined;
    onLate();
  }

  function start(ms: number): void {
    clearTimeout(timer);
    firesAt = performance.now() + ms;
    timer = setTimeout(fire, ms);
  }

  return {
    set(ms, onLate) {
      if (isClosed) return;
      lateAt = performance.now() + ms;
      late = onLate;
      // One that fires earlier looks again then.
      if (lateAt < firesAt) start(ms);
    },
    clear() {
      late = undefined;
    },
    close() {
      isClosed = true;
      late = undefined;
      clearTimeout(timer);
    },
  };
}
