// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the tests, the black-box ones a second time against a built peerctl, shows their output as it comes, and ends with
 * one line of totals: `N passed, N failed, N skipped`.
 */

import { existsSync, readFileSync } from "node:fs";
import { withBuiltPeerctl } from "./built_peerctl.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** How long the tests may take together, in milliseconds: far more than they do, so that one that hangs is an end too. */
const TIMEOUT_MS = 30 * 60_000;

/** Colour codes, which deno test writes when it thinks a terminal reads. */
// deno-lint-ignore no-control-regex -- the escape character is what is looked for.
const COLOURS = /\u001b\[[0-9;]*m/g;

/** What deno test says at its end; steps stand in brackets and belong to their tests. */
const SUMMARY =
  /^(?:ok|FAILED) \| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored(?: \(\d+ steps?\))?)?/;

/** What requirePeer says about tests it has to skip. */
const SKIP_REASON = /^Tests with .* are skipped: .*$/;

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Reads the totals from a line of deno test, or returns undefined when it is another line. */
export function readTotals(line: string): Totals | undefined {
  const [, passed, failed, skipped] = SUMMARY.exec(line.replaceAll(COLOURS, "")) ?? [];
  if (passed === undefined) return undefined;
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped ?? 0) };
}

/** What a run is asked to take. */
export interface Selection {
  /** `--unit`: without black-box tests of commands (cmd/) and tests against peer programs (`*_peer_test.ts`). */
  readonly isUnit: boolean;
  /** Words of which a test file's path must have one: `deno task test rego`. */
  readonly words: readonly string[];
  /** For deno test: its flags, and paths that exist. */
  readonly passed: readonly string[];
  /** True when a path is among them: then the tests are those that lie there. */
  readonly hasPaths: boolean;
}

/** Sorts the arguments; `isPath` says which words are paths and left to deno test. */
export function readSelection(args: readonly string[], isPath: (word: string) => boolean): Selection {
  const words: string[] = [], passed: string[] = [];
  let hasPaths = false;
  args.forEach((arg, i) => {
    if (arg === "--unit") return;
    const isValue = args[i - 1] === "--filter";
    if (arg.startsWith("-") || isValue) passed.push(arg);
    else if (isPath(arg)) {
      passed.push(arg);
      hasPaths = true;
    } else words.push(arg);
  });
  return { isUnit: args.includes("--unit"), words, passed, hasPaths };
}

/** The test files chosen; none means that deno test looks for all of them itself. */
export function selectFiles(files: readonly string[], { isUnit, words }: Selection): string[] {
  if (!isUnit && words.length === 0) return [];
  return files.filter((path) =>
    (words.length === 0 || words.some((word) => path.includes(word))) &&
    (!isUnit || (path.startsWith("lib/") && !path.endsWith("_peer_test.ts")))
  );
}

/**
 * Those of all files that are run against a built peerctl too: every black-box test that needs no peer program and starts
 * peerctl itself, by lib/testing/peerctl.ts. (What a loop of its own starts, as the kill loop, takes minutes.)
 */
export function selectBuiltFiles(
  files: readonly string[],
  selection: Selection,
  read: (path: string) => string,
): string[] {
  if (selection.isUnit || selection.hasPaths) return [];
  return files.filter((path) =>
    path.startsWith("cmd/") && !path.endsWith("_peer_test.ts") &&
    (selection.words.length === 0 || selection.words.some((word) => path.includes(word))) &&
    read(path).includes("/testing/peerctl.ts")
  );
}

async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${ROOT}${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await testFiles(path));
    else if (path.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

async function main(args: readonly string[]): Promise<number> {
  const selection = readSelection(args, (word) => existsSync(`${ROOT}${word}`));
  const all = [...await testFiles("cmd"), ...await testFiles("lib")];
  const files = selectFiles(all, selection);
  if (files.length === 0 && selection.words.length > 0) {
    console.log(
      `There is no test file with ${selection.words.join(" or ")} in its path.\n0 passed, 1 failed, 0 skipped`,
    );
    return 1;
  }
  const reasons = new Set<string>();
  const totals = [await runDenoTest([...selection.passed, ...files], {}, reasons)];
  const again = selectBuiltFiles(all, selection, (path) => readFileSync(`${ROOT}${path}`, "utf8"));
  if (again.length > 0) {
    try {
      await withBuiltPeerctl(async (env) => {
        console.log("Now the black-box tests with peerctl in one file:");
        totals.push(await runDenoTest([...selection.passed, ...again], env, reasons));
      });
    } catch (error) {
      console.log("peerctl in one file cannot be built, so it is not tested:", error);
      totals.push({ passed: 0, failed: 1, skipped: 0 });
    }
  }
  for (const reason of reasons) console.log(reason);
  const sum = (key: keyof Totals) => totals.reduce((total, each) => total + each[key], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return sum("failed") > 0 ? 1 : 0;
}

/** Runs deno test with more environment and adds to `reasons` why tests were skipped. */
async function runDenoTest(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  reasons: Set<string>,
): Promise<Totals> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--frozen", "--no-prompt", ...args],
    cwd: ROOT,
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = () => child.kill("SIGKILL");
  const timer = setTimeout(() => {
    console.log(`The tests did not end within ${TIMEOUT_MS / 60_000} minutes; the last one named above hangs.`);
    end();
  }, TIMEOUT_MS);
  // Ctrl-C reaches deno test by itself; whoever ends only this process means the tests.
  Deno.addSignalListener("SIGTERM", end);
  let totals: Totals | undefined;
  const readLine = (line: string) => {
    totals = readTotals(line) ?? totals;
    const text = line.replaceAll(COLOURS, "");
    if (SKIP_REASON.test(text)) reasons.add(text);
  };
  const [status] = await Promise.all([
    child.status,
    passOn(child.stdout, Deno.stdout, readLine),
    passOn(child.stderr, Deno.stderr, readLine),
  ]);
  clearTimeout(timer);
  Deno.removeSignalListener("SIGTERM", end);
  if (totals === undefined) console.log("The tests did not run to their end; see above.");
  const { passed, failed, skipped } = totals ?? { passed: 0, failed: 1, skipped: 0 };
  // A test file that cannot be loaded fails the run without being a failed test.
  return { passed, failed: !status.success && failed === 0 ? 1 : failed, skipped };
}

/** Copies a child's stream to ours as it comes, and hands over each line. */
async function passOn(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  target: { writable: WritableStream<Uint8Array> },
  onLine: (line: string) => void,
): Promise<void> {
  const writer = target.writable.getWriter();
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    await writer.write(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    lines.forEach(onLine);
  }
  onLine(rest);
  writer.releaseLock();
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
