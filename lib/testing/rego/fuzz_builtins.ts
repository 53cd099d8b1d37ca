// SPDX-License-Identifier: Apache-2.0
/** Compares single calls of builtins with random arguments, one for each seed, in OPA and lib/rego. */

import { builtins } from "../../rego/builtins/table.ts";
import { parseJson } from "../../rego/json.ts";
import { compile, type Policy } from "../../rego/policy.ts";
import type { RegoObject, Value } from "../../rego/values.ts";
import { type Agreement, agreement, askOpaQuestion, askPolicy, type Reply } from "./differential.ts";
import { makeArguments } from "./fuzz_arguments.ts";
import { createChoices } from "./fuzz_random.ts";
import type { OpaProcess } from "./opa_process.ts";

/** Calls on their way to OPA at the same time. */
const IN_FLIGHT = 64;

/** Share of arguments that may be of any type. */
const WRONG_ARGUMENTS = 0.06;

/** A call; `args` are Rego texts. */
export interface BuiltinCall {
  readonly name: string;
  readonly args: readonly string[];
}

export interface CallDifference {
  readonly seed: number;
  readonly call: BuiltinCall;
  readonly agreement: Agreement;
  readonly opa: Reply;
  readonly ours: Reply;
}

export interface CallReport {
  readonly counts: Readonly<Record<Agreement, number>>;
  /** Calls that both answered with a value. */
  readonly answered: number;
  readonly differences: readonly CallDifference[];
}

/** Those that answer the same for the same arguments, in every run. */
function comparable(only?: string): readonly string[] {
  return [...builtins.values()]
    .filter(({ name, nondeterministic, args }) =>
      !nondeterministic && args.length > 0 && !/^(internal\.|trace$|io\.jwt\.encode)/.test(name)
    )
    .map(({ name }) => name)
    .filter((name) => only === undefined || name.startsWith(only));
}

function makeCall(seed: number, names: readonly string[]): BuiltinCall {
  const c = createChoices(seed);
  const name = c.pick(names);
  return { name, args: makeArguments(c, builtins.get(name)!, WRONG_ARGUMENTS) };
}

/** The query that asks both: the arguments come as the input, so that no type checker sees them. */
function callQuery({ name, args }: BuiltinCall): { query: string; inputTerm: string } {
  return {
    query: `x = ${name}(${args.map((_, i) => `input[${i}]`).join(", ")})`,
    inputTerm: `[${args.join(", ")}]`,
  };
}

/** True for what OPA v1.22.0 answers wrongly, or otherwise on purpose. */
function isOpaFault({ name, args }: BuiltinCall): boolean {
  // It takes `1_0` for a number, and hands it on as JSON that no one reads.
  if (name === "to_number") return args[0] === '"1_0"';
  // Its abbreviation is another one in CLDR: see opa_faults.ts.
  if (name === "time.format") return args.join().includes("Australia/Lord_Howe");
  // Years, months or days beyond the machine word go round to the other end of time.
  return name === "time.add_date" && args.slice(1).some((count) => Math.abs(Number(count)) > 2 ** 31);
}

/** Runs the seeds from `seed` to `seed + count - 1`; `only` is how the names of builtins begin. */
export async function fuzzBuiltins(
  o: {
    opa: OpaProcess;
    seed: number;
    count: number;
    only?: string | undefined;
    onProgress?: (done: number) => void;
  },
): Promise<CallReport> {
  const counts: Record<Agreement, number> = { same: 0, refused: 0, stopped: 0, accepted: 0, excused: 0, different: 0 };
  const differences: CallDifference[] = [];
  const names = comparable(o.only);
  const policy = compile([], parseJson("{}") as RegoObject, { strictBuiltinErrors: true });
  let answered = 0;
  for (let first = o.seed; first < o.seed + o.count; first += IN_FLIGHT) {
    const size = Math.min(IN_FLIGHT, o.seed + o.count - first);
    const calls = Array.from({ length: size }, (_, i) => makeCall(first + i, names));
    const asked = calls.map((call) => {
      const { query, inputTerm } = callQuery(call);
      return askOpaQuestion(o.opa, {
        policy: "package fuzz",
        data: "{}",
        input: undefined,
        inputTerm,
        query,
        strict: true,
      });
    });
    for (const [i, call] of calls.entries()) {
      const ours = askCall(policy, call);
      const opa = await asked[i]!;
      const agreed = agreement(opa, ours);
      const verdict = agreed === "different" && isOpaFault(call) ? "excused" : agreed;
      counts[verdict]++;
      if (opa.kind === "rows" && ours.kind === "rows") answered++;
      if (verdict === "different") differences.push({ seed: first + i, call, agreement: verdict, opa, ours });
    }
    o.onProgress?.(first + size - o.seed);
  }
  return { counts, answered, differences };
}

function askCall(policy: Policy, call: BuiltinCall): Reply {
  const { query, inputTerm } = callQuery(call);
  return askPolicy(() => policy, query, () => policy.evaluate(`t = ${inputTerm}`)[0]?.bindings.get("t") as Value);
}
