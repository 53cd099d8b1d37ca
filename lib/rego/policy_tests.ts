// SPDX-License-Identifier: Apache-2.0
/** Runs the rules of a policy that are tests: those whose name begins with `test_`. */

import { type Coverage, createCoverage } from "./coverage.ts";
import { type Limits, RegoError, type RegoLocation } from "./limits.ts";
import { compile, type Policy, type RuleInfo, type Tracer } from "./policy.ts";
import type { PolicyFiles } from "./policy_files.ts";
import { createTraceRecorder, type TraceNode } from "./trace_tree.ts";

/** The last part of a test's reference: `data.a.test_x`, `data.a["test_x"]`; `todo_` skips it. */
const TEST_REF = /^(.*?)(?:\.|\[")((?:todo_)?test_[A-Za-z0-9_]*)(?:"\])?$/;

export type TestState = "pass" | "fail" | "skip" | "error";

export interface TestResult {
  /** "data.a". */
  readonly package: string;
  /** "test_x". */
  readonly name: string;
  /** Of the rule; with several rules of one name, of the first. */
  readonly location: RegoLocation;
  readonly state: TestState;
  /** Of a test that fails: the last expressions of its bodies that were false or undefined, one of each rule. */
  readonly failed: readonly RegoLocation[];
  readonly error: RegoError | undefined;
  /** What it printed. */
  readonly printed: readonly string[];
  readonly milliseconds: number;
}

export interface TestReport {
  readonly policy: Policy;
  readonly results: readonly TestResult[];
  readonly coverage: Coverage;
  /** The rules that tests are to cover: those that are no tests themselves. */
  readonly covered: readonly RuleInfo[];
}

/**
 * Compiles `files` and runs each test by itself, without input.
 *
 * A test passes when it has a value other than false.
 *
 * @throws {RegoError} when the policy cannot be compiled.
 */
export function runPolicyTests(
  files: PolicyFiles,
  o: { readonly limits?: Partial<Limits>; readonly select?: (ref: string) => boolean } = {},
): TestReport {
  const coverage = createCoverage();
  const recorder = createTraceRecorder();
  let printed: string[] = [];
  const tracer: Tracer = {
    enter: recorder.enter,
    leave(ref, location, defined) {
      recorder.leave(ref, location, defined);
      coverage.leave(ref, location, defined);
    },
    expression(location, ok) {
      recorder.expression(location, ok);
      coverage.expression(location, ok);
    },
  };
  const policy = compile(files.modules, files.data, {
    ...(o.limits === undefined ? {} : { limits: o.limits }),
    tracer,
    print: (line) => printed.push(line),
  });
  const results: TestResult[] = [];
  for (const [ref, rules] of testRules(policy.rules)) {
    if (o.select?.(ref) === false) continue;
    const [, place = "", name = ""] = TEST_REF.exec(ref)!;
    printed = [];
    const outcome = name.startsWith("todo_")
      ? { state: "skip" as const, error: undefined, milliseconds: 0 }
      : runTest(policy, ref);
    const { roots } = recorder.take();
    results.push({
      package: place,
      name,
      location: rules[0]!.location,
      ...outcome,
      failed: outcome.state === "fail" ? failures(ref, roots) : [],
      printed,
    });
  }
  return { policy, results, coverage, covered: policy.rules.filter((rule) => !isTest(rule)) };
}

function testRules(rules: readonly RuleInfo[]): Map<string, RuleInfo[]> {
  return Map.groupBy(rules.filter(({ ref }) => TEST_REF.test(ref)), ({ ref }) => ref);
}

/** Rules of files named *_test.rego serve the tests. */
function isTest({ ref, location }: RuleInfo): boolean {
  return TEST_REF.test(ref) || location.file.endsWith("_test.rego");
}

function runTest(policy: Policy, ref: string): Pick<TestResult, "state" | "error" | "milliseconds"> {
  const started = performance.now();
  try {
    const value = policy.prepare(ref).decide();
    const state = value === undefined || value === false ? "fail" : "pass";
    return { state, error: undefined, milliseconds: performance.now() - started };
  } catch (error) {
    if (!(error instanceof RegoError)) throw error;
    return { state: "error", error, milliseconds: performance.now() - started };
  }
}

function failures(ref: string, roots: readonly TraceNode[]): RegoLocation[] {
  return roots.filter((node) => node.ref === ref).flatMap((node) => node.failed.slice(-1));
}
