// SPDX-License-Identifier: Apache-2.0
/** The policies that come with peerctl, as texts: they are there also where this repository is not. */

import denyExec from "./policies/deny-exec.rego" with { type: "text" };
import execCommands from "./policies/exec-commands.rego" with { type: "text" };
import namespaces from "./policies/namespaces.rego" with { type: "text" };
import readOnly from "./policies/read-only.rego" with { type: "text" };

export interface ReadyPolicy {
  /** Its file's name without the ending. */
  readonly name: string;
  readonly summary: string;
  readonly text: string;
}

export const READY_POLICIES: readonly ReadyPolicy[] = [
  { name: "deny-exec", summary: "deny exec, attach, run and port-forward", text: denyExec },
  { name: "exec-commands", summary: "allow exec of listed commands only", text: execCommands },
  { name: "namespaces", summary: "allow requests for pods of listed namespaces only", text: namespaces },
  { name: "read-only", summary: "allow reading only, and no stream", text: readOnly },
];
