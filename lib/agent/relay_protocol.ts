// SPDX-License-Identifier: Apache-2.0
/** The numbers that caa and a relay must agree on; PROTOCOL.md has the rest. */

/** Version of the control protocol: raised only when an older peer would misunderstand, never for an added field. */
export const RELAY_PROTOCOL = 1;

/** Most sandboxes of one relay: so many answers of `List`, labels included, stay below TTRPC's 4 MiB. */
export const MAX_RELAY_SANDBOXES = 1000;

/** Most bytes of all labels of one sandbox together, names included. */
export const MAX_LABEL_BYTES = 3072;
