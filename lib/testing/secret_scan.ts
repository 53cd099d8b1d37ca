// SPDX-License-Identifier: Apache-2.0
/** Looks for secrets where nobody may find them: in logs, in files that others may read, and on command lines. */

import { join } from "node:path";
import { listProcesses } from "./processes.ts";

/** Shortest text that counts as part of a secret, in characters: shorter ones turn up by chance. */
const MIN_SECRET = 12;

/** What is never in the open, whoever's it is. */
const NEVER = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

const LOG_FILE = /\.log(\.\d+)?$/;

export interface SecretScan {
  /** Adds a text that must not be seen, by the name it has in findings; of a PEM text each line of its body. */
  add(what: string, secret: string): void;
  /** Adds every private key in files below `dir`, and says of each that is not 0600 in a 0700 directory. */
  addKeysBelow(dir: string): string[];
  /** What a text shows. */
  inText(where: string, text: string): string[];
  /** What logs and files that are not private show, below `dir`. */
  inFiles(dir: string): string[];
  /** What command lines and environments show of processes whose command line names `dir`. */
  inProcesses(dir: string): string[];
  /** How much was looked at, so that a test can tell that there was something to see. */
  readonly seen: { readonly files: number; readonly processes: number };
}

/** Creates a scan that knows no secret yet but looks for private keys. */
export function createSecretScan(): SecretScan {
  const secrets = new Map<string, string>();
  const seen = { files: 0, processes: 0 };

  function add(what: string, secret: string): void {
    const lines = secret.includes("-----BEGIN") ? bodyOf(secret) : [secret];
    for (const line of lines) if (line.length >= MIN_SECRET) secrets.set(line, what);
  }

  function inText(where: string, text: string): string[] {
    const found = new Set<string>();
    if (NEVER.test(text)) found.add(`${where} shows a private key`);
    for (const [secret, what] of secrets) if (text.includes(secret)) found.add(`${where} shows ${what}`);
    return [...found];
  }

  return {
    seen,
    add,
    inText,
    addKeysBelow(dir) {
      const problems: string[] = [];
      for (const { path, mode, dirMode } of walk(dir)) {
        const text = Deno.readTextFileSync(path);
        const [key] = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?-----END [A-Z ]*PRIVATE KEY-----/
          .exec(text.replaceAll("\\n", "\n")) ?? [];
        if (key === undefined) continue;
        add(`the key of ${path}`, key);
        if (mode !== 0o600 || dirMode !== 0o700) {
          problems.push(`${path} holds a key: mode ${mode.toString(8)} in a directory of ${dirMode.toString(8)}`);
        }
      }
      return problems;
    },
    inFiles(dir) {
      return walk(dir).flatMap(({ path, isOpen }) => {
        if (!isOpen && !LOG_FILE.test(path)) return [];
        seen.files++;
        return inText(path, Deno.readTextFileSync(path));
      });
    },
    inProcesses(dir) {
      return listProcesses().filter(({ commandLine }) => commandLine.includes(dir)).flatMap((process) => {
        seen.processes++;
        const { pid, commandLine, environment } = process;
        return [
          ...inText(`the command line of ${pid}`, commandLine),
          ...inText(`the environment of ${pid}`, environment.join("\n")),
        ];
      });
    },
  };
}

/** The lines between the first and the last of a PEM text. */
function bodyOf(pem: string): string[] {
  return pem.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("-----"));
}

interface SeenFile {
  readonly path: string;
  readonly mode: number;
  readonly dirMode: number;
  /** Others may read it, through every directory from the first one on. */
  readonly isOpen: boolean;
}

/** Every plain file below `dir`, whose own mode does not count: it is the test's. */
function walk(dir: string, dirMode = 0o700, mayEnter = true): SeenFile[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name }) => {
    const path = join(dir, name);
    try {
      const { mode, isDirectory, isFile } = Deno.lstatSync(path);
      const bits = (mode ?? 0) & 0o777;
      if (isDirectory) return walk(path, bits, mayEnter && (bits & 0o011) !== 0);
      return isFile ? [{ path, mode: bits, dirMode, isOpen: mayEnter && (bits & 0o044) !== 0 }] : [];
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return []; // ended meanwhile
      throw error;
    }
  });
}
