// SPDX-License-Identifier: Apache-2.0
/** How long the proxy waits, and for what. */

/** All in milliseconds. */
export interface Timeouts {
  /** Connecting to the kubelet, with the handshake. */
  readonly connectMs: number;
  /** From a client's first byte to the end of its headers. */
  readonly headersMs: number;
  /** Until the kubelet answers; logs that follow, run and checkpoint may take LONG_ANSWER_MS. */
  readonly responseMs: number;
  /** A connection without a request. */
  readonly idleMs: number;
  /** A stream without a byte. */
  readonly streamIdleMs: number;
  /** For what is under way, once the proxy stops. */
  readonly drainMs: number;
}
