// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { peerPath, requirePeer } from "../../testing/peers.ts";
import type { Type } from "./builtin.ts";
import { builtinSignature } from "../types/signatures.ts";
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
  readonly type: "any" | "null" | "boolean" | "number" | "string" | "array" | "object" | "set";
  /** Of a set one type, of any the alternatives. */
  readonly of?: OpaType | readonly OpaType[];
  readonly static?: readonly (OpaType | { readonly key: string; readonly value: OpaType })[];
  readonly dynamic?: OpaType | { readonly key: OpaType; readonly value: OpaType };
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

/** A type of OPA's as a text. */
function opaText(type: OpaType): string {
  switch (type.type) {
    case "array":
      return `array<${(type.static ?? []).map((item) => opaText(item as OpaType)).join()}>[${rest(type.dynamic)}]`;
    case "object": {
      const members = (type.static ?? []) as readonly { key: string; value: OpaType }[];
      return `object<${members.map(({ key, value }) => `${key}: ${opaText(value)}`).sort().join()}>[${
        rest(type.dynamic)
      }]`;
    }
    case "set":
      return `set[${opaText(type.of as OpaType)}]`;
    case "any":
      return type.of ? alternatives((type.of as readonly OpaType[]).map(opaText)) : "any";
    default:
      return type.type;
  }
}

function rest(type: OpaType["dynamic"]): string {
  if (type === undefined) return "";
  return "key" in type ? `${opaText(type.key)}: ${opaText(type.value)}` : opaText(type);
}

/** A type of ours in the same form. */
function ownText(type: Type | undefined): string {
  if (type === undefined) return "";
  switch (type.kind) {
    case "array":
      return `array<${type.items.map(ownText).join()}>[${ownText(type.rest)}]`;
    case "object": {
      const members = [...type.members.values()].map(({ key, value }) => `${key}: ${ownText(value)}`).sort().join();
      return `object<${members}>[${type.rest ? `${ownText(type.rest.key)}: ${ownText(type.rest.value)}` : ""}]`;
    }
    case "set":
      return `set[${ownText(type.of)}]`;
    case "or":
      return alternatives(type.of.map(ownText));
    default:
      return type.kind;
  }
}

/** OPA writes some that have only one. */
function alternatives(texts: readonly string[]): string {
  return texts.length === 1 ? texts[0]! : `(${texts.toSorted().join(" or ")})`;
}

Deno.test({
  name: "builtins has every builtin of OPA that is not refused, with the same types of arguments and result",
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
        args: builtin.args.map(ownText),
        result: decl.result === undefined ? undefined : ownText(builtin.result),
        nondeterministic: builtin.nondeterministic ?? false,
      };
      wanted[name] = {
        args: (decl.args ?? []).map(opaText),
        result: decl.result === undefined ? undefined : opaText(decl.result),
        nondeterministic: nondeterministic ?? false,
      };
    }
    assert.deepEqual(found, wanted);
    const walk = known.find(({ name }) => name === "walk");
    assert.equal(ownText(builtinSignature(builtins, "walk")?.result), opaText(walk!.decl.result!));
    const names = new Set(known.map(({ name }) => name));
    for (const name of builtins.keys()) assert.ok(names.has(name), `OPA has no ${name}`);
  },
});
