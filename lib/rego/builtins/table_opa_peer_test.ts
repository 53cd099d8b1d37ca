// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { peerPath, requirePeer } from "../../testing/peers.ts";
import type { Type } from "./builtin.ts";
import { deprecatedBuiltins, refusalOf } from "./refused.ts";
import { builtins } from "./table.ts";

const OPA_DIR = new URL("../../../testdata/peers/opa", import.meta.url).pathname;

/** Made by the compiler, or only there for OPA's own tests. */
const PART_OF_THE_LANGUAGE = [
  "assign",
  "eq",
  "print",
  "rego.metadata.chain",
  "rego.metadata.rule",
  "walk",
  "internal.test_case",
];

interface OpaType {
  readonly type: string;
  readonly of?: OpaType | readonly OpaType[];
}

interface OpaBuiltin {
  readonly name: string;
  readonly decl: { readonly args?: readonly OpaType[]; readonly result?: OpaType };
  readonly nondeterministic?: boolean;
}

async function opaBuiltins(): Promise<readonly OpaBuiltin[]> {
  const command = new Deno.Command(peerPath("go"), {
    args: ["list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa"],
    cwd: OPA_DIR,
    env: { GOTOOLCHAIN: "local", GOFLAGS: "-mod=mod" },
  });
  const { success, stdout, stderr } = await command.output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const folder = new TextDecoder().decode(stdout).trim();
  const { builtins: list } = JSON.parse(await Deno.readTextFile(`${folder}/capabilities.json`));
  return list as readonly OpaBuiltin[];
}

/** The kinds of values that may be there, sorted. */
function kinds(type: OpaType | Type): readonly string[] {
  const of = (type as OpaType).of;
  if ("kind" in type ? type.kind === "or" : type.type === "any" && Array.isArray(of)) {
    return [...new Set((of as readonly (OpaType | Type)[]).flatMap(kinds))].sort();
  }
  return ["kind" in type ? type.kind : type.type];
}

Deno.test({
  name: "builtins has every builtin of OPA that is not refused, with the same arguments",
  ...requirePeer("go"),
  async fn() {
    const known = await opaBuiltins();
    assert.ok(known.length > 200);
    const found: Record<string, unknown> = {};
    const wanted: Record<string, unknown> = {};
    for (const { name, decl, nondeterministic } of known) {
      if (PART_OF_THE_LANGUAGE.includes(name)) continue;
      const builtin = builtins.get(name);
      if (refusalOf(name) !== undefined || deprecatedBuiltins.has(name)) continue;
      assert.ok(builtin, `${name} is missing`);
      found[name] = {
        args: builtin.args.map(kinds),
        result: decl.result === undefined ? undefined : kinds(builtin.result),
        nondeterministic: builtin.nondeterministic ?? false,
      };
      wanted[name] = {
        args: (decl.args ?? []).map(kinds),
        result: decl.result === undefined ? undefined : kinds(decl.result),
        nondeterministic: nondeterministic ?? false,
      };
    }
    assert.deepEqual(found, wanted);
    const names = new Set(known.map(({ name }) => name));
    for (const name of builtins.keys()) assert.ok(names.has(name), `OPA has no ${name}`);
  },
});
