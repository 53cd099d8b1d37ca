// SPDX-License-Identifier: Apache-2.0
/** What `systemctl enable` would make of unit files, and what a file of /etc/default becomes. */

import { PeerctlError } from "../errors.ts";
import type { LinkPiece } from "./bake_lay.ts";

/** Where units of an image lie that take the place of a distribution's (systemd.unit(5)). */
const UNITS_DIR = "/etc/systemd/system";

/** Settings of [Install] that are understood, and the folder of links that each stands for. */
const FOLDERS: Readonly<Record<string, string>> = { WantedBy: "wants", RequiredBy: "requires" };

export interface UnitFile {
  /** "agent-protocol-forwarder.path". */
  readonly name: string;
  readonly text: string;
}

/**
 * The links that enable a unit; none for one without an [Install] section.
 *
 * @throws {PeerctlError} kind "state" for a setting of [Install] that is not understood.
 */
export function enablingLinks({ name, text }: UnitFile): LinkPiece[] {
  const links: LinkPiece[] = [];
  let section = "";
  for (const line of text.split("\n").map((each) => each.trim())) {
    section = /^\[(.+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (section !== "Install" || key === undefined) continue;
    const folder = FOLDERS[key];
    if (folder === undefined) throw new PeerctlError("state", `Cannot enable "${name}": ${key}= is not understood`);
    for (const target of value!.split(/\s+/)) {
      links.push({ kind: "link", path: `${UNITS_DIR}/${target}.${folder}/${name}`, target: `${UNITS_DIR}/${name}` });
    }
  }
  return links;
}

/** An assignment, with the lines that a backslash continues it on. */
const TLS_ASSIGNMENT = /^TLS_OPTIONS=(?:.*\\\n)*.*$/gm;

/** The text of an environment file with TLS_OPTIONS set, and all else as it was. */
export function withTlsOptions(text: string, options: string): string {
  const line = `TLS_OPTIONS="${options}"`;
  if (text.search(TLS_ASSIGNMENT) >= 0) return text.replace(TLS_ASSIGNMENT, () => line);
  return `${text.replace(/(?<=[^\n])$/, "\n")}${line}\n`;
}
