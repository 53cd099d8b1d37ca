// SPDX-License-Identifier: Apache-2.0
/** The relays of one worker node as caa sees them: found by scanning, started when none answers, sandboxes spread over them. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Logger } from "@logtape/logtape";
import type { TlsCredentials } from "../net/tls.ts";
import type { OpenRequestSchema, Sandbox } from "../proto/gen/relay_pb.ts";
import type { RelayStarter } from "./relay_spawn.ts";

export type RelayMode = "auto" | "spawn" | "wait";
export type OpenInit = MessageInitShape<typeof OpenRequestSchema> & { readonly sandboxId: string };
export type RelaySandbox = Sandbox;

export interface RelayPoolOptions {
  /** The relay directory, beside caa's socket. */
  readonly dir: string;
  /** Over how many relays sandboxes are spread. */
  readonly count: number;
  readonly mode: RelayMode;
  /** Not used in mode `wait`. */
  readonly starter: RelayStarter;
  /** A relay ended, or its process died, while it carried these sandboxes. */
  onRelayLost?(slot: string, sandboxIds: readonly string[]): void;
  readonly build: string;
  readonly log: Logger;
}

export interface RelayPool {
  /** Opens the path to one pod VM; resolves after the agent answered over it. Undone when `signal` aborts. */
  open(sandbox: OpenInit, signal: AbortSignal): Promise<void>;
  /** Ends a path, one that is still opening included; true if a relay knew it. */
  close(sandboxId: string): Promise<boolean>;
  /** Gives new credentials to every sandbox that uses TLS, or to those that `select` picks. */
  update(credentials: TlsCredentials, select?: (sandbox: RelaySandbox) => boolean): Promise<void>;
  list(): Promise<RelaySandbox[]>;
  /** What an operator should know, for /readyz. */
  warnings(): string[];
  /** Drops the control connections; the relays go on. */
  stop(): Promise<void>;
}

export function createRelayPool(_options: RelayPoolOptions): RelayPool {
  throw new Error("not written yet");
}
