// SPDX-License-Identifier: Apache-2.0
/** What `peerctl relay` and its subcommands have in common. */

import { stringFlag } from "../lib/cli/flags.ts";

export const dirFlag = stringFlag("dir", {
  default: "/run/peerpod/relay",
  placeholder: "DIR",
  help: "folder of the relays of one caa; for caa it is relay/ beside its -socket",
});
