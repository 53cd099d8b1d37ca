// SPDX-License-Identifier: Apache-2.0
/** uuid.rfc4122 and uuid.parse: random identifiers, and what an identifier says about itself (RFC 9562). */

import { fromBigInt } from "../numbers.ts";
import { keyOf, ObjectBuilder, type Value } from "../values.ts";
import { anyType, type BuiltinContext, family, objectType, stringType } from "./builtin.ts";
import { stringOperand } from "./operands.ts";

export const uuids = family(
  {
    name: "uuid.rfc4122",
    args: [stringType],
    result: stringType,
    nondeterministic: true,
    call(context, args) {
      const key = `uuid.rfc4122:${String(keyOf(args[0] as Value))}`;
      const known = context.cache.get(key);
      if (typeof known === "string") return known;
      const fresh = randomUuid(context);
      context.cache.set(key, fresh);
      return fresh;
    },
  },
  {
    name: "uuid.parse",
    args: [stringType],
    result: objectType(stringType, anyType),
    call(_context, args) {
      const bytes = parseUuid(stringOperand(args, 1));
      return bytes === undefined ? undefined : describe(bytes);
    },
  },
);

function randomUuid(context: BuiltinContext): string {
  const bytes = Uint8Array.from(context.random(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads the plain form, with `urn:uuid:` before it, in braces, or as 32 digits. */
function parseUuid(text: string): Uint8Array | undefined {
  let body = text;
  if (text.length === 45) {
    if (!/^urn:uuid:/i.test(text)) return undefined;
    body = text.slice(9);
  } else if (text.length === 38) body = text.slice(1, 37);
  const dashed = /^([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(body);
  const digits = dashed ? dashed.slice(1).join("") : body;
  if (!/^[0-9a-f]{32}$/i.test(digits) || (!dashed && text.length !== 32)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Hundreds of nanoseconds from 1582-10-15, where UUID time begins, to 1970. */
const GREGORIAN_OFFSET = 122_192_928_000_000_000n;

const DOMAINS = ["Person", "Group", "Org"];

function describe(bytes: Uint8Array): Value {
  const at = (index: number) => bytes[index] as number;
  const version = at(6) >> 4;
  const builder = new ObjectBuilder();
  builder.set("version", version);
  builder.set("variant", variantOf(at(8)));
  if (version !== 1 && version !== 2) return builder.build();
  const field = (from: number, to: number) => BigInt(`0x${hex(bytes.subarray(from, to))}`);
  const ticks = field(0, 4) | (field(4, 6) << 32n) | ((field(6, 8) & 0xfffn) << 48n);
  builder.set("time", fromBigInt(BigInt.asIntN(64, (ticks - GREGORIAN_OFFSET) * 100n)));
  builder.set("nodeid", hex(bytes.subarray(10)).replace(/..(?=.)/g, "$&-"));
  builder.set("macvariables", `${at(10) & 2 ? "local" : "global"}:${at(10) & 1 ? "multicast" : "unicast"}`);
  builder.set("clocksequence", Number(field(8, 10) & 0x3fffn));
  if (version === 2) {
    builder.set("id", Number(field(0, 4)));
    builder.set("domain", DOMAINS[at(9)] ?? `Domain${at(9)}`);
  }
  return builder.build();
}

function variantOf(byte: number): string {
  if ((byte & 0xc0) === 0x80) return "RFC4122";
  if ((byte & 0xe0) === 0xc0) return "Microsoft";
  return (byte & 0xe0) === 0xe0 ? "Future" : "Reserved";
}
