// SPDX-License-Identifier: Apache-2.0
/** Finds what nobody owns any more in the directory of a caa that has no pods, and among the machine's processes. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isSlotTaken, listSlots } from "../agent/relay_slot.ts";
import { VM_MARKER_NAME } from "../provider/process/process_identity.ts";
import { listProcesses } from "./processes.ts";

/** Relative paths that a caa without pods may have below its directory; a trailing slash says directory. */
const OWNED = [
  /^h\.sock$/,
  /^pods\/$/,
  /^pods\/\.(lock|installation-id)$/,
  /^pods\/\.(journal|process|tls)\/$/,
  /^pods\/\.journal\/journal\.db(-wal|-shm)?$/,
  /^pods\/\.tls\/(ca|client)\.(crt|key)$/,
  /^relay\/$/,
  /^relay\/\d+\/$/,
  /^relay\/\d+\/(lock|relay\.log(\.1)?)$/,
];

/** The control socket of a relay, which is owned as long as the relay lives. */
const CONTROL_SOCKET = /^relay\/(\d+)\/control\.sock$/;

export interface Installation {
  /** Holds h.sock, pods and relay. */
  readonly dir: string;
  /** The caa that runs. */
  readonly caaPid: number | undefined;
  /** Markers of all its pod VMs so far, as in their records. */
  readonly markers: ReadonlySet<string>;
}

/** One line for each thing without an owner: processes, sockets, files, folders, journal rows. */
export async function findLeftovers(installation: Installation): Promise<string[]> {
  return [
    ...await findProcesses(installation),
    ...await findFiles(installation.dir),
    ...journalRows(installation.dir).map((row) => `journal row ${row}`),
  ];
}

/** Pod VMs that the provider has and the journal does not know, for a caa whose pods may be in any state. */
export async function findUnknownInstances(dir: string): Promise<string[]> {
  const known = readJournal(dir, [
    "SELECT id AS sandbox FROM sandbox WHERE state <> 'created'",
    "SELECT sandboxId AS sandbox FROM deletion",
  ]);
  const unknown: string[] = [];
  const stateDir = join(dir, "pods/.process");
  for (const { name } of Deno.readDirSync(stateDir)) {
    const text = await Deno.readTextFile(join(stateDir, name, "instance.json")).catch(() => undefined);
    // Without a record it is a folder and no pod VM yet, or none any more.
    if (text === undefined) continue;
    const { sandboxId } = JSON.parse(text);
    if (!known.some(({ sandbox }) => sandbox === sandboxId)) unknown.push(`instance ${name} of sandbox ${sandboxId}`);
  }
  return unknown;
}

async function findProcesses({ dir, caaPid, markers }: Installation): Promise<string[]> {
  const taken: string[] = [];
  for (const slot of await listSlots(join(dir, "relay"))) {
    if (await isSlotTaken(join(dir, "relay"), slot)) taken.push(slot);
  }
  const found: string[] = [];
  for (const { pid, commandLine, environment } of listProcesses()) {
    const isOurs = commandLine.includes(dir) ||
      environment.some((entry) => markers.has(entry.slice(`${VM_MARKER_NAME}=`.length)));
    if (!isOurs || pid === caaPid) continue;
    // A relay lives as long as a caa wants it; it has no pods if its list is empty, which the journal is compared with.
    if (taken.some((slot) => commandLine.includes(`relay -dir ${dir}/relay -slot ${slot} `))) continue;
    found.push(`process ${pid}: ${commandLine}`);
  }
  return found;
}

async function findFiles(dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const path of walk(dir, "")) {
    const slot = CONTROL_SOCKET.exec(path)?.[1];
    const isOwned = slot === undefined
      ? OWNED.some((pattern) => pattern.test(path))
      : await isSlotTaken(join(dir, "relay"), slot);
    if (!isOwned) found.push(`file ${path}`);
  }
  return found;
}

function* walk(dir: string, below: string): Generator<string> {
  for (const { name, isDirectory } of entriesOf(join(dir, below))) {
    yield `${below}${name}${isDirectory ? "/" : ""}`;
    if (isDirectory) yield* walk(dir, `${below}${name}/`);
  }
}

function journalRows(dir: string): string[] {
  const rows = readJournal(dir, [
    "SELECT 'sandbox' AS kind, id, state AS what FROM sandbox",
    "SELECT 'deletion' AS kind, sandboxId AS id, instanceId AS what FROM deletion",
  ]);
  return rows.map(({ kind, id, what }) => `${kind} ${id} ${what}`);
}

/** Reads beside the caa that has it open. */
function readJournal(dir: string, queries: readonly string[]): Record<string, unknown>[] {
  const database = new DatabaseSync(join(dir, "pods/.journal/journal.db"), { readOnly: true });
  try {
    return queries.flatMap((query) => database.prepare(query).all());
  } finally {
    database.close();
  }
}

/** None of a directory that is gone by now: a relay may end while we look. */
function entriesOf(dir: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(dir)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
