// SPDX-License-Identifier: Apache-2.0
/** The one way to say that a request is answered with an error and never forwarded. */

/** `reason` is shown to the client: constant words, nothing that the client sent. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}
