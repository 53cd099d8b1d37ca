// SPDX-License-Identifier: Apache-2.0
/** One request and the way to its answer, whichever protocol carries them. */

import type { RawHeaders } from "./forwarded_headers.ts";

/** Where a body goes. */
export interface BodySink {
  onData(chunk: Uint8Array): void;
  /** It is complete. */
  onEnd(): void;
  /** What was read in one go has been handed over: time to write. */
  onFlush(): void;
}

export interface RequestHead {
  readonly method: string;
  /** As it stands in the request line or `:path`. */
  readonly target: string;
  readonly rawHeaders: RawHeaders;
  /** "1.0", "1.1" or "2.0". */
  readonly httpVersion: string;
  readonly isHttp2: boolean;
}

export interface Exchange extends RequestHead {
  /** The client waits for 100 before it sends its body. */
  readonly expectsContinue: boolean;
  sendContinue(): void;
  /** Hands the body over as it comes; it waits until then. */
  readBody(sink: BodySink): void;
  pauseBody(): void;
  resumeBody(): void;
  /** Begins the answer. `closes`: it is the last on an http/1.1 connection. */
  begin(status: number, headers: readonly string[], closes: boolean): void;
  write(chunk: Uint8Array): void;
  /** Sends what was written; false when the client is to be waited for, until `onDrain`. */
  flush(): boolean;
  onDrain: (() => void) | undefined;
  /** Called when the client goes away before the answer is complete. */
  onLost: (() => void) | undefined;
  /** The answer is complete. */
  end(): void;
  /** The answer will never be complete, and must not look as if it were. */
  breakOff(): void;
}
