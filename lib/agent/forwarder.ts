// SPDX-License-Identifier: Apache-2.0
/** The guest end of the agent path: takes connections from worker nodes and joins each to one to the agent. */

import type { Logger } from "@logtape/logtape";
import type { TlsCredentials, TlsProfile } from "../net/tls.ts";
import type { Rewriters } from "../ttrpc/splice.ts";

export interface ForwarderOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Path of the agent's unix socket; it may appear later. */
  readonly agentSocket: string;
  /** Absent: no TLS. */
  readonly tls?: {
    readonly credentials: TlsCredentials;
    readonly profile: TlsProfile;
    readonly requireClientCert: boolean;
  };
  readonly rewriters: Rewriters;
  readonly log: Logger;
  readonly agentDialTimeoutMs?: number;
}

export interface Forwarder {
  readonly address: { readonly host: string; readonly port: number };
  /** Resolves when it has stopped. */
  readonly closed: Promise<void>;
  /** New connections are made with these. */
  update(credentials: TlsCredentials): void;
  stop(): Promise<void>;
}

export function startForwarder(_options: ForwarderOptions): Promise<Forwarder> {
  throw new Error("not written yet");
}
