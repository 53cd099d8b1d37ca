// SPDX-License-Identifier: Apache-2.0
/** Writes one JSON line for each decision, behind the requests' backs, to a file that is rotated by size. */

import type { Logger } from "@logtape/logtape";
import { PeerctlError } from "../errors.ts";

/** Most that may wait to be written, in bytes: at a hundred thousand lines a disk has been away for a while. */
const MAX_QUEUED_BYTES = 16 << 20;

/** How long a line may wait for others, in milliseconds, and how much for at most, in UTF-16 units: each write has its price. */
const GATHER_MS = 20;
const GATHER_LENGTH = 64 << 10;

/** Longest path in a line, in UTF-16 units. */
const MAX_PATH = 2_000;

/** Shortest time between two complaints, in milliseconds. */
const COMPLAINT_INTERVAL_MS = 10_000;

/** Nothing of a request but this is written: no query, for it has commands in it, no header and no body. */
export interface AuditEntry {
  /** When the request came. */
  readonly time: Date;
  readonly requestId: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly remote: string;
  readonly method: string;
  readonly action: string;
  /** As it came, without the query. */
  readonly path: string;
  readonly decision: "allow" | "deny" | "refuse" | "error";
  /** What decided. */
  readonly rule: string;
  readonly upgrade: string;
  /** Sent to the client; 101 for a stream, 0 when it went away before. */
  readonly status: number;
  /** Until the last byte, in milliseconds. */
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface AuditLog {
  write(entry: AuditEntry): void;
  /** Lines that could not be kept. */
  readonly lost: number;
  /** Opens the file anew with the next line, for whoever has moved it away. */
  reopen(): void;
  /** Resolves when nothing waits to be written. */
  flush(): Promise<void>;
  /** Writes what is waiting and closes. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly path: string;
  /** Size at which the file is put aside, in bytes. */
  readonly maxBytes: number;
  /** How many are kept beside it: path.1 is the youngest. */
  readonly keep: number;
  readonly log: Logger;
}

/**
 * Opens (or goes on with) the file, mode 0600.
 *
 * @throws {PeerctlError} kind "config" when it cannot be opened.
 */
export async function openAuditLog({ path, maxBytes, keep, log }: AuditOptions): Promise<AuditLog> {
  let file: Deno.FsFile | undefined = await open(path).catch((cause) => {
    throw new PeerctlError("config", `Cannot open audit log "${path}"`, { cause });
  });
  let size = (await file.stat()).size;
  let queue: string[] = [];
  let queued = 0;
  let lost = 0;
  let complainedAt = -Infinity;
  let mustReopen = false;
  let writing: Promise<void> | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  const clock = createClockText();

  function complain(message: string, error?: unknown): void {
    if (performance.now() - complainedAt < COMPLAINT_INTERVAL_MS) return;
    complainedAt = performance.now();
    log.error(message, { path, lost, ...(error !== undefined && { error }) });
  }

  async function rotate(): Promise<void> {
    file?.close();
    file = undefined;
    for (let i = keep - 1; i >= 1; i--) await Deno.rename(`${path}.${i}`, `${path}.${i + 1}`).catch(ignoreMissing);
    if (keep > 0) await Deno.rename(path, `${path}.1`).catch(ignoreMissing);
    else await Deno.truncate(path);
  }

  async function writeLines(lines: readonly string[]): Promise<void> {
    const bytes = new TextEncoder().encode(lines.join(""));
    if (mustReopen) {
      mustReopen = false;
      file?.close();
      file = undefined;
    }
    if (file !== undefined && size > 0 && size + bytes.byteLength > maxBytes) await rotate();
    if (file === undefined) {
      file = await open(path);
      size = (await file.stat()).size;
    }
    for (let at = 0; at < bytes.byteLength;) at += await file.write(bytes.subarray(at));
    size += bytes.byteLength;
  }

  async function drain(): Promise<void> {
    const lines = queue;
    queue = [];
    queued = 0;
    try {
      // Never more than a file holds in one go.
      for (let i = 0; i < lines.length; i += LINES_AT_ONCE) await writeLines(lines.slice(i, i + LINES_AT_ONCE));
    } catch (error) {
      lost += lines.length;
      file?.close();
      file = undefined;
      complain("Decisions are missing in the audit log: it cannot be written", error);
    }
    writing = undefined;
    gather();
  }

  /** Lines wait for each other, so that a burst of requests is one write. */
  function gather(): void {
    if (writing !== undefined || queue.length === 0) return;
    if (queued > GATHER_LENGTH) start();
    else gathering ??= setTimeout(start, GATHER_MS);
  }

  function start(): void {
    clearTimeout(gathering);
    gathering = undefined;
    writing = drain();
  }

  async function flush(): Promise<void> {
    while (writing !== undefined || queue.length > 0) {
      if (writing === undefined) start();
      await writing;
    }
  }

  return {
    get lost() {
      return lost;
    },
    write(entry) {
      if (queued > MAX_QUEUED_BYTES) {
        lost++;
        complain("Decisions are missing in the audit log: it is written too slowly");
        return;
      }
      const line = lineOf(entry, clock.text(entry.time));
      queued += line.length;
      queue.push(line);
      gather();
    },
    reopen() {
      mustReopen = true;
    },
    flush,
    async close() {
      await flush();
      file?.close();
      file = undefined;
    },
  };
}

/** Lines written in one go: about 64 KiB. */
const LINES_AT_ONCE = 200;

function open(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { append: true, create: true, mode: 0o600 });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Written part by part, which takes half the time of copying the entry into what JSON.stringify wants (measured). */
function lineOf(e: AuditEntry, time: string): string {
  const path = e.path.length > MAX_PATH ? `${e.path.slice(0, MAX_PATH)}…` : e.path;
  return `{"time":"${time}","request_id":${quoted(e.requestId)},"user":${quoted(e.user)},` +
    `"groups":${e.groups.length === 0 ? "[]" : JSON.stringify(e.groups)},"remote":${quoted(e.remote)},` +
    `"method":${quoted(e.method)},"action":${quoted(e.action)},"decision":${quoted(e.decision)},` +
    `"rule":${quoted(e.rule)},"upgrade":${quoted(e.upgrade)},"status":${e.status},"path":${quoted(path)},` +
    `"duration_ms":${Math.round(e.durationMs * 1000) / 1000},"bytes_in":${e.bytesIn},"bytes_out":${e.bytesOut}}\n`;
}

/** Writes times as Date.toISOString() does, and remembers the last second: most requests of a busy proxy share it. */
function createClockText(): { text(time: Date): string } {
  let second = NaN;
  let prefix = "";
  return {
    text(time) {
      const ms = time.getTime();
      const rest = ms % 1000;
      if (ms - rest !== second) {
        second = ms - rest;
        prefix = time.toISOString().slice(0, -4);
      }
      return `${prefix}${String(rest).padStart(3, "0")}Z`;
    },
  };
}

/** Nothing in these needs an escape. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
