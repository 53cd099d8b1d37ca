// SPDX-License-Identifier: Apache-2.0
/** Answers the probes of a kubelet or a person: /startup, /healthz and /readyz, in JSON. */

import type { Logger } from "@logtape/logtape";

/** The outcome of one check; `reason` says what is missing when it is not ok. */
export interface Check {
  readonly ok: boolean;
  readonly reason?: string;
}

/** A check with more to show: counts, warnings. Never secrets: anyone on the machine can read it. */
export interface DetailedCheck extends Check {
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface HealthOptions {
  readonly host: string;
  readonly port: number;
  startup(): Promise<Check>;
  ready(): Promise<DetailedCheck>;
  readonly log: Logger;
}

export interface Health {
  readonly address: { readonly host: string; readonly port: number };
  stop(): Promise<void>;
}

export function startHealth(_o: HealthOptions): Promise<Health> {
  throw new Error("not yet");
}
