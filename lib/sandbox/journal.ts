// SPDX-License-Identifier: Apache-2.0
/** Remembers on disk what caa is about to do and what came of it, so that a restart can go on or take it back. */

import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { createPrivateDir } from "../os/private_dir.ts";

/** Number of the tables' layout (PRAGMA user_version). A journal of a later one is refused, not misread. */
const LAYOUT = 1;

/**
 * After so many writes the write-ahead log goes into the database and is emptied. Small, for both usually are on a
 * tmpfs; and emptied, for a log that stays could, when damaged, give old pages next to new ones.
 */
const WRITES_PER_CHECKPOINT = 16;

const DAMAGE_HINT =
  "move journal.db, journal.db-wal and journal.db-shm elsewhere and start caa: it takes over what a relay carries, and " +
  "deletes the other instances of this node after -orphan-grace";

/** What SQLite says of a file that is not, or no longer, what we wrote. */
const DAMAGE = /not a database|malformed|already exists|no such (table|column)|unsupported file format/;

/** Longest error text put into a row, in characters: it is for a person to read. */
export const MAX_ERROR_LENGTH = 1000;

/**
 * How far a sandbox is. What is about to be done is written before it is done: `starting` stands before the
 * instance is created and until its agent has answered, `stopping` before the agent path is closed.
 */
export type SandboxState = "created" | "starting" | "running" | "stopping" | "failed";

export interface SandboxRow {
  readonly id: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly networkNamespacePath: string;
  readonly agentSocket: string;
  /** JSON of what CreateVM asked for: sizes and image. Never user data, never initdata. */
  readonly spec: string;
  readonly state: SandboxState;
  readonly provider: string;
  /** Sent with the create call; empty before the first start. */
  readonly idempotencyKey: string;
  /** Empty as long as the provider has not answered. */
  readonly instanceId: string;
  readonly lastError: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** When `state` became what it is, in milliseconds since 1970. */
  readonly changedMs: number;
}

/** An instance that has to go, whatever becomes of its sandbox. */
export interface DeletionRow {
  readonly sandboxId: string;
  /** Empty when only the provider knows it: it is found by the sandbox id then. */
  readonly instanceId: string;
  readonly provider: string;
  readonly attempts: number;
  readonly lastError: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly nextMs: number;
}

/** Every method that writes throws {PeerctlError} kind "limit" when the disk is full, else "config". */
export interface Journal extends Disposable {
  /** True when there was no journal before this one: nothing may be concluded from what is not in it. */
  readonly isNew: boolean;
  sandboxes(): SandboxRow[];
  deletions(): DeletionRow[];
  putSandbox(row: SandboxRow): void;
  removeSandbox(id: string): void;
  putDeletion(row: DeletionRow): void;
  removeDeletion(row: Pick<DeletionRow, "sandboxId" | "instanceId">): void;
  /** Runs several writes as one: all of them are there afterwards, or none. */
  together(writes: () => void): void;
}

const TABLES = `
  CREATE TABLE sandbox (
    id TEXT PRIMARY KEY, podName TEXT NOT NULL, podNamespace TEXT NOT NULL, networkNamespacePath TEXT NOT NULL,
    agentSocket TEXT NOT NULL, spec TEXT NOT NULL, state TEXT NOT NULL, provider TEXT NOT NULL,
    idempotencyKey TEXT NOT NULL, instanceId TEXT NOT NULL, lastError TEXT NOT NULL,
    createdMs INTEGER NOT NULL, changedMs INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE deletion (
    sandboxId TEXT NOT NULL, instanceId TEXT NOT NULL, provider TEXT NOT NULL, attempts INTEGER NOT NULL,
    lastError TEXT NOT NULL, createdMs INTEGER NOT NULL, nextMs INTEGER NOT NULL,
    PRIMARY KEY (sandboxId, instanceId)
  ) STRICT;
  PRAGMA user_version = ${LAYOUT};`;

const SANDBOX_COLUMNS = [
  "id",
  "podName",
  "podNamespace",
  "networkNamespacePath",
  "agentSocket",
  "spec",
  "state",
  "provider",
  "idempotencyKey",
  "instanceId",
  "lastError",
  "createdMs",
  "changedMs",
] as const satisfies readonly (keyof SandboxRow)[];

const DELETION_COLUMNS = [
  "sandboxId",
  "instanceId",
  "provider",
  "attempts",
  "lastError",
  "createdMs",
  "nextMs",
] as const satisfies readonly (keyof DeletionRow)[];

/**
 * Opens the journal in `dir`, which is made 0700 if it is missing. What was committed before a crash is there: a
 * commit is on disk when the method returns (WAL, synchronous=FULL).
 *
 * @throws {PeerctlError} kind "config" when it cannot be opened, is damaged or of a later layout, "limit" when the disk
 * is full. Nothing is guessed from a damaged journal.
 */
export async function openJournal(dir: string): Promise<Journal> {
  const path = join(dir, "journal.db");
  await createPrivateDir(dir);
  const database = attempt(path, "open", () => {
    const opened = new DatabaseSync(path);
    try {
      opened.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;");
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  });
  try {
    const isNew = attempt(path, "read", () => prepareTables(database, path));
    return journalOf(database, path, isNew);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the tables of a new journal; true if it was new. */
function prepareTables(database: DatabaseSync, path: string): boolean {
  const layout = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (layout > LAYOUT) {
    throw new PeerctlError("config", `Cannot use journal "${path}": it was written by a later version of peerctl`, {
      hint: "go back to that version",
    });
  }
  const [fault] = database.prepare("PRAGMA quick_check(1)").all().map((row) => String(row["quick_check"]));
  if (fault !== "ok") throw new Error(`the database is malformed: ${fault}`);
  if (layout === LAYOUT) return false;
  database.exec(`BEGIN; ${TABLES} COMMIT;`);
  return true;
}

function journalOf(database: DatabaseSync, path: string, isNew: boolean): Journal {
  const putSandbox = database.prepare(upsert("sandbox", SANDBOX_COLUMNS));
  const putDeletion = database.prepare(upsert("deletion", DELETION_COLUMNS));
  const removeSandbox = database.prepare("DELETE FROM sandbox WHERE id = ?");
  const removeDeletion = database.prepare("DELETE FROM deletion WHERE sandboxId = ? AND instanceId = ?");
  const allSandboxes = database.prepare("SELECT * FROM sandbox ORDER BY createdMs, id");
  const allDeletions = database.prepare("SELECT * FROM deletion ORDER BY createdMs, sandboxId, instanceId");
  let writes = 0;

  function write(what: () => unknown): void {
    attempt(path, "write", what);
    if (++writes < WRITES_PER_CHECKPOINT || database.isTransaction) return;
    writes = 0;
    try {
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // The log stays and grows; what was written is in it. The next round tries again.
    }
  }

  return {
    isNew,
    sandboxes: () => attempt(path, "read", () => allSandboxes.all() as unknown as SandboxRow[]),
    deletions: () => attempt(path, "read", () => allDeletions.all() as unknown as DeletionRow[]),
    putSandbox: (row) => write(() => putSandbox.run(...SANDBOX_COLUMNS.map((column) => row[column]))),
    removeSandbox: (id) => write(() => removeSandbox.run(id)),
    putDeletion: (row) => write(() => putDeletion.run(...DELETION_COLUMNS.map((column) => row[column]))),
    removeDeletion: ({ sandboxId, instanceId }) => write(() => removeDeletion.run(sandboxId, instanceId)),
    together(run) {
      write(() => database.exec("BEGIN IMMEDIATE"));
      try {
        run();
        write(() => database.exec("COMMIT"));
      } catch (error) {
        // A full disk may have ended the transaction already.
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
    },
    [Symbol.dispose]() {
      if (database.isOpen) database.close();
    },
  };
}

function upsert(table: string, columns: readonly string[]): string {
  return `INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
}

function attempt<T>(path: string, action: "open" | "read" | "write", run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof PeerctlError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const isFull = /disk is full|disk I\/O error/.test(why);
    throw new PeerctlError(isFull ? "limit" : "config", `Cannot ${action} journal "${path}": ${why}`, {
      cause,
      ...(isFull && { hint: "make room on that file system; pods that run go on meanwhile" }),
      ...(DAMAGE.test(why) && { hint: DAMAGE_HINT }),
    });
  }
}
