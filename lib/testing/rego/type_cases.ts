// SPDX-License-Identifier: Apache-2.0
/** Reads the policies of testdata/rego/type_cases.txt, each with what the type checker makes of it. */

const FILE = new URL("../../../testdata/rego/type_cases.txt", import.meta.url);

/** What stands before every policy of the file, which names no package. */
const PACKAGE = "package a\n\n";

/** Begins the line before a policy. */
const MARK = "---- ";

export interface TypeCase {
  readonly policy: string;
  /** `1:8 message` with the place in the policy as it stands in the file; undefined: it is accepted. */
  readonly refusal: string | undefined;
  /** OPA refuses what is accepted here, for a reason that the file gives. */
  readonly isLaxer: boolean;
}

/** Lines that come before those of a policy as it stands in the file. */
export const LINES_BEFORE = PACKAGE.split("\n").length - 1;

/**
 * Each policy follows a line that begins with `---- `: `accepted`, `refused 1:8 message`, or `accepted, OPA refuses it:
 * why`.
 */
export async function loadTypeCases(): Promise<TypeCase[]> {
  const text = await Deno.readTextFile(FILE);
  return text.split(new RegExp(`^${MARK}`, "m")).slice(1).map((each) => {
    const end = each.indexOf("\n");
    const verdict = each.slice(0, end);
    const refusal = /^refused (.*)$/.exec(verdict)?.[1];
    if (refusal === undefined && !verdict.startsWith("accepted")) throw new Error(`not a verdict: ${verdict}`);
    return { policy: PACKAGE + each.slice(end + 1), refusal, isLaxer: verdict.startsWith("accepted, OPA refuses it") };
  });
}
