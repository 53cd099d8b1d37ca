// SPDX-License-Identifier: Apache-2.0
/** Says which protocol a request asks to go on with, and refuses what could be read in two ways. */

import { Refusal } from "./refusal.ts";

export type UpgradeKind = "websocket" | "spdy" | "none";

/**
 * Reads the Connection and Upgrade headers of an http/1.1 request; each is undefined when it is absent, and joined
 * with commas when it came several times.
 *
 * @throws {Refusal} 400 when only one of the two asks for an upgrade, or for another protocol than a kubelet's.
 */
export function readUpgrade(connection: string | undefined, upgrade: string | undefined): UpgradeKind {
  const asks = (connection ?? "").toLowerCase().split(",").some((token) => token.trim() === "upgrade");
  if (upgrade === undefined && !asks) return "none";
  // Servers differ in whether an Upgrade without Connection counts.
  if (upgrade === undefined || !asks) throw new Refusal(400, "Connection and Upgrade do not agree");
  switch (upgrade.trim().toLowerCase()) {
    case "websocket":
      return "websocket";
    case "spdy/3.1":
      return "spdy";
  }
  throw new Refusal(400, "only websocket and SPDY/3.1 can be upgraded to");
}
