// SPDX-License-Identifier: Apache-2.0
/** `peerctl policy test`: runs the tests of policies and shows which lines they reach. */

import { defineCommand } from "../lib/cli/command.ts";
import { ExitCode } from "../lib/cli/exit_code.ts";
import { stringFlag, type ValuesOf } from "../lib/cli/flags.ts";
import type { Output } from "../lib/cli/output.ts";
import { PeerctlError } from "../lib/errors.ts";
import { type Coverage, coveragePercent, type FileCoverage, lineRanges } from "../lib/rego/coverage.ts";
import { loadPolicyFiles } from "../lib/rego/policy_files.ts";
import { runPolicyTests, type TestResult, type TestState } from "../lib/rego/policy_tests.ts";
import { limitFlags, limitsOf, pathArguments } from "./policy_flags.ts";
import { jsonLocation, located, reportingErrors, type Sources, sourcesOf } from "./policy_report.ts";

const NANOSECONDS_PER_MILLISECOND = 1e6;

const SHOWN_STATES: Readonly<Record<TestState, string>> = {
  pass: "passed",
  fail: "FAILED",
  skip: "skipped",
  error: "ERROR",
};

const flags = {
  run: stringFlag("run", { placeholder: "REGEXP", help: "run only tests whose reference matches" }),
  ...limitFlags,
};

export const policyTestCommand = defineCommand({
  name: "policy test",
  summary: "run the tests of policies and show which lines they reach",
  description: `Runs every rule whose name begins with test_, each by itself and without input (set it with "with"). A
test fails when it is undefined or false; its line is shown. Then it shows for each policy which lines no test reached.`,
  flags,
  positional: pathArguments,
  goStyle: false,
  examples: [{ text: "All tests of a folder", command: "policy test policies/" }],
  run: ({ args, values, output }) => testPolicy(args, values, output),
});

async function testPolicy(paths: readonly string[], values: ValuesOf<typeof flags>, output: Output): Promise<number> {
  const pattern = compilePattern(values.run);
  const files = loadPolicyFiles(paths);
  const sources = sourcesOf(files.modules);
  return await reportingErrors(sources, output, () => {
    const { results, coverage, covered } = runPolicyTests(files, {
      limits: limitsOf(values),
      select: (ref) => pattern.test(ref),
    });
    // A wrong path in a pipeline must not look like success.
    if (results.length === 0) {
      throw new PeerctlError("config", `Cannot test ${paths.join(", ")}: there is no test in it`, {
        hint: "tests are rules whose name begins with test_",
      });
    }
    const report = coverage.report(covered);
    if (output.format === "json") output.json({ results: results.map(jsonResult), coverage: jsonCoverage(report) });
    else showText(results, report, sources, output);
    return results.some(({ state }) => state === "fail" || state === "error") ? ExitCode.failed : ExitCode.done;
  });
}

function compilePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new PeerctlError("usage", `Cannot use --run ${JSON.stringify(text)}: it is not a regular expression`, {
      cause,
    });
  }
}

function showText(
  results: readonly TestResult[],
  report: ReadonlyMap<string, FileCoverage>,
  sources: Sources,
  output: Output,
): void {
  for (const { package: place, name, location, state, failed, error, printed, milliseconds } of results) {
    output.result(`${place}.${name}: ${SHOWN_STATES[state]} (${milliseconds.toFixed(1)} ms)`);
    if (state === "pass" || state === "skip") continue;
    for (const line of printed) output.result(`    print: ${line}`);
    if (error !== undefined) {
      for (const { code, message, location: at } of error.diagnostics) {
        output.result(located(`${code}: ${message}`, at ?? location, sources));
      }
    } else if (failed.length === 0) output.result(located("it is undefined or false", location, sources));
    for (const at of failed) output.result(located("this is undefined or false", at, sources));
  }
  const counts = Map.groupBy(results, ({ state }) => state);
  const number = (state: TestState) => counts.get(state)?.length ?? 0;
  output.result(
    `${number("pass")} passed, ${number("fail") + number("error")} failed, ${number("skip")} skipped\n`,
  );
  const rows = [...report].map(([file, lines]) => [
    file,
    `${coveragePercent([lines])} %`,
    lineRanges(lines.notCovered).map(([first, last]) => first === last ? `${first}` : `${first}-${last}`).join(", "),
  ]);
  output.table([
    ["FILE", "COVERED", "LINES NOT REACHED"],
    ...rows,
    ["all", `${coveragePercent(report.values())} %`, ""],
  ]);
}

/** As `opa test --format json` has it; `failed` and `error` are ours. */
function jsonResult(test: TestResult): Record<string, unknown> {
  return {
    location: jsonLocation(test.location),
    package: test.package,
    name: test.name,
    duration: Math.round(test.milliseconds * NANOSECONDS_PER_MILLISECOND),
    ...(test.state === "pass" ? {} : { [test.state]: test.error === undefined ? true : test.error.message }),
    ...(test.failed.length === 0 ? {} : { failed: test.failed.map(jsonLocation) }),
    ...(test.printed.length === 0 ? {} : { output: test.printed }),
  };
}

/** As `opa test --coverage --format json` has it. */
function jsonCoverage(report: ReturnType<Coverage["report"]>): Record<string, unknown> {
  const ranges = (lines: readonly number[]) =>
    lineRanges(lines).map(([first, last]) => ({ start: { row: first }, end: { row: last } }));
  const files = [...report].map(([file, { covered, notCovered }]) => [file, {
    covered: ranges(covered),
    not_covered: ranges(notCovered),
    covered_lines: covered.length,
    not_covered_lines: notCovered.length,
    coverage: coveragePercent([{ covered, notCovered }]),
  }]);
  return { files: Object.fromEntries(files), coverage: coveragePercent(report.values()) };
}
