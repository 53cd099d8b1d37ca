// SPDX-License-Identifier: Apache-2.0
/** One output of a process, read a piece at a time by calls that wait, as the kata agent's ReadStdout does. */

import { abortable } from "./abortable.ts";

/** Largest piece taken from the pipe at once, in bytes: what a Linux pipe holds. All else waits in the pipe. */
const PIECE_BYTES = 64 * 1024;

/** How long output may still come after the process ended, in milliseconds (kata-agent: 500). */
const DRAIN_MS = 500;

export interface Output {
  /**
   * Waits for output and takes up to `length` bytes of it; empty at the end. Calls are served in their order. What
   * was read for a call that gave up goes to the next one.
   */
  read(length: number, signal: AbortSignal): Promise<Uint8Array>;
  /** Gives it the pipe, once the process runs. */
  attach(pipe: ReadableStream<Uint8Array<ArrayBuffer>>): void;
  /** The process is over: others may hold the pipe open, but are not waited for. */
  processEnded(): void;
  /** Ends it now; calls that wait get the end. */
  release(): Promise<void>;
}

export function createOutput(): Output {
  const attached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<undefined>();
  let reader: ReadableStreamBYOBReader | undefined;
  let buffered: Uint8Array = new Uint8Array();
  let hasEnded = false;
  let isProcessOver = false;
  let startDrain: (() => void) | undefined;
  let pulling: Promise<void> | undefined;
  let turn = Promise.resolve();

  async function pull(length: number): Promise<void> {
    await attached.promise;
    if (!reader || hasEnded) return;
    const drained = Promise.withResolvers<undefined>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    startDrain = () => timer = setTimeout(() => drained.resolve(undefined), DRAIN_MS);
    if (isProcessOver) startDrain();
    try {
      const piece = reader.read(new Uint8Array(Math.min(length, PIECE_BYTES)));
      const result = await Promise.race([piece.catch(() => undefined), drained.promise, released.promise]);
      if (result?.value !== undefined && result.value.byteLength > 0) buffered = result.value;
      else await release();
    } finally {
      clearTimeout(timer);
      startDrain = undefined;
    }
  }

  async function take(length: number, signal: AbortSignal): Promise<Uint8Array> {
    if (buffered.byteLength === 0 && !hasEnded) {
      pulling ??= pull(length).finally(() => pulling = undefined);
      await abortable(pulling, signal);
    }
    const piece = buffered.subarray(0, length);
    buffered = buffered.subarray(length);
    return piece;
  }

  async function release(): Promise<void> {
    hasEnded = true;
    attached.resolve();
    released.resolve(undefined);
    await reader?.cancel().catch(() => {});
  }

  return {
    async read(length, signal) {
      const before = turn;
      const mine = Promise.withResolvers<void>();
      turn = before.then(() => mine.promise);
      try {
        await abortable(before, signal);
        return await take(length, signal);
      } finally {
        mine.resolve();
      }
    },
    attach(pipe) {
      reader = pipe.getReader({ mode: "byob" });
      attached.resolve();
    },
    processEnded() {
      isProcessOver = true;
      attached.resolve(); // it may never have run
      startDrain?.();
    },
    release,
  };
}
