// SPDX-License-Identifier: Apache-2.0
/** Names that a sandbox gives to what belongs to it: its instance. */

/** Longest instance name, in characters: one DNS label (RFC 1035 section 2.3.4). */
const MAX_INSTANCE_NAME = 63;

/** How much of the sandbox id goes into the instance name, in characters. */
const SANDBOX_ID_PART = 8;

/**
 * Names the instance of a sandbox: `podvm-<pod>-<first 8 of sandbox id>`, in lower case, everything but
 * letters, digits and dashes made a dash, at most 63 characters. The pod's part is what gets shortened, so that two
 * pods of one long name stay apart.
 */
export function instanceNameFor(podName: string, sandboxId: string): string {
  const id = toLabel(sandboxId.slice(0, SANDBOX_ID_PART));
  const room = MAX_INSTANCE_NAME - "podvm--".length - id.length;
  return `podvm-${toLabel(podName).slice(0, room)}-${id}`.replace(/-+$/, "");
}

function toLabel(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9-]/g, "-");
}
