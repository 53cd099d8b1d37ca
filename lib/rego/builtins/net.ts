// SPDX-License-Identifier: Apache-2.0
/** net.cidr_*: networks compared, expanded and merged; nothing here reaches the network. */

import { RegoLimitError } from "../limits.ts";
import { isArray, RegoObject, RegoSet, SetBuilder, setOf, type Value } from "../values.ts";
import {
  anyType,
  arrayOrSetType,
  arrayType,
  booleanType,
  builtinError,
  family,
  objectType,
  orType,
  setType,
  stringType,
  tupleType,
} from "./builtin.ts";
import {
  contains,
  containsNetwork,
  formatIp,
  fromWide,
  type IpNetwork,
  parseIp,
  parseNetwork,
  prefixMask,
  wide,
} from "./ip_address.ts";
import { reserveElements, stringOperand } from "./operands.ts";

const MATCHABLE = orType(stringType, arrayType(anyType));
const MATCHED = orType(stringType, arrayType(MATCHABLE), objectType(stringType, MATCHABLE), setType(MATCHABLE));

export const nets = family(
  {
    name: "net.cidr_contains",
    args: [stringType, stringType],
    result: booleanType,
    call: (_context, args) => cidrContains(args[0] as Value, args[1] as Value),
  },
  {
    name: "net.cidr_intersects",
    args: [stringType, stringType],
    result: booleanType,
    call(_context, args) {
      const [a, b] = [networkOf(stringOperand(args, 1)), networkOf(stringOperand(args, 2))];
      return contains(a, b.address) || contains(b, a.address);
    },
  },
  {
    name: "net.cidr_is_valid",
    args: [stringType],
    result: booleanType,
    call(_context, args) {
      const text = args[0] as Value;
      return typeof text === "string" && parseNetwork(text) !== undefined;
    },
  },
  {
    name: "net.cidr_contains_matches",
    args: [MATCHED, MATCHED],
    result: setType(tupleType(anyType, anyType)),
    call(context, args) {
      const matches = new SetBuilder();
      for (const [network, index] of candidates(1, args[0] as Value)) {
        for (const [address, position] of candidates(2, args[1] as Value)) {
          context.charge(1);
          if (!cidrContains(network, address)) continue;
          matches.add([index, position]);
          if (matches.size % 1024 === 0) reserveElements(context, matches.size);
        }
      }
      return matches.build();
    },
  },
  {
    name: "net.cidr_expand",
    args: [stringType],
    result: setType(stringType),
    call(context, args) {
      const network = networkOf(stringOperand(args, 1));
      const count = 1n << BigInt(network.width - network.prefix);
      if (count > BigInt(context.limits.maxElements)) {
        throw new RegoLimitError(
          "maxElements",
          `Cannot expand a network of ${count} addresses: the limit is ${context.limits.maxElements}`,
        );
      }
      reserveElements(context, Number(count));
      const { value, bits } = network.address;
      return setOf(
        Array.from({ length: Number(count) }, (_, index) => formatIp({ value: value + BigInt(index), bits })),
      );
    },
  },
  {
    name: "net.cidr_merge",
    args: [arrayOrSetType(stringType)],
    result: setType(stringType),
    call(context, args) {
      const values = args[0] as Value;
      const list = isArray(values) ? values : values instanceof RegoSet ? values.values() : undefined;
      if (list === undefined) throw builtinError("operand must be an array");
      context.charge(list.length * 2);
      return setOf(mergeRanges(list.map(rangeOf)));
    },
  },
);

function networkOf(text: string): IpNetwork {
  const network = parseNetwork(text);
  if (!network) throw builtinError(`invalid CIDR address: ${text.slice(0, 100)}`);
  return network;
}

/** As OPA, which reads the first operand before it looks at the second. */
function cidrContains(outer: Value, inner: Value): boolean {
  const network = networkOf(stringOperand([outer], 1));
  const text = stringOperand([inner], 1);
  const address = parseIp(text);
  if (address) return contains(network, address);
  const other = parseNetwork(text);
  if (other) return containsNetwork(network, other);
  throw builtinError(`not a valid textual representation of an IP address or CIDR: ${text.slice(0, 100)}`);
}

/** What an operand of cidr_contains_matches offers: each network or address with what names it in the result. */
function* candidates(position: number, operand: Value): Generator<readonly [Value, Value], undefined> {
  const first = (value: Value): Value => {
    const text = isArray(value) ? value[0] : value;
    if (typeof value === "string" || (isArray(value) && text !== undefined)) return text as Value;
    throw builtinError(`operand ${position}: element must be string or non-empty array`);
  };
  if (typeof operand === "string") yield [operand, operand];
  else if (isArray(operand)) { for (const [index, value] of operand.entries()) yield [first(value), index]; }
  else if (operand instanceof RegoSet) { for (const value of operand.values()) yield [first(value), value]; }
  else if (operand instanceof RegoObject) { for (const [key, value] of operand.entries()) yield [first(value), key]; }
  return undefined;
}

/** Addresses from `first` to `last` as 128-bit numbers; `text` is the network they were written as. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
  readonly text: string | undefined;
}

/** A bare IPv4 address stands for the network of its class (RFC 791), as in Go's DefaultMask. */
function rangeOf(value: Value): Range {
  if (typeof value !== "string") throw builtinError("element must be string");
  const address = parseIp(value);
  if (address?.bits === 128) throw builtinError("IPv6 invalid: needs prefix length");
  if (address) {
    const top = Number(address.value >> 24n);
    const prefix = top < 128 ? 8 : top < 192 ? 16 : top < 224 ? 24 : undefined;
    if (prefix === undefined) throw builtinError(`address ${value} has no default mask: needs prefix length`);
    const mask = prefixMask(prefix, 32);
    const hosts = mask ^ 0xffff_ffffn;
    const first = wide({ value: address.value & mask, bits: 32 });
    return { first, last: first | hosts, text: `${formatIp(address)}/${prefix}` };
  }
  const network = networkOf(value);
  const ones = network.address.bits === 32 && network.width === 128 ? network.prefix - 96 : network.prefix;
  const first = wide(network.address);
  const last = first | ((1n << BigInt(network.address.bits - ones)) - 1n);
  return { first, last, text: `${formatIp(network.address)}/${ones}` };
}

/** Joins ranges that overlap or touch, and writes what remains as networks. */
function mergeRanges(ranges: Range[]): string[] {
  ranges.sort((a, b) =>
    a.last !== b.last ? (a.last < b.last ? -1 : 1) : a.first < b.first ? -1 : a.first > b.first ? 1 : 0
  );
  for (let index = ranges.length - 1; index > 0; index--) {
    const current = ranges[index] as Range;
    const before = ranges[index - 1] as Range;
    // Nothing lies before the first address of a family.
    const lowest = current.first === 0n || current.first === 0xffffn << 32n;
    if ((lowest ? current.first : current.first - 1n) > before.last) continue;
    const first = before.first < current.first ? before.first : current.first;
    ranges.splice(index - 1, 2, { first, last: current.last, text: undefined });
  }
  return ranges.flatMap((range) => range.text === undefined ? networksOf(range.first, range.last) : [range.text]);
}

/** The fewest networks that make up a range. */
function networksOf(first: bigint, last: bigint): string[] {
  const networks: string[] = [];
  for (let at = first; at <= last;) {
    const bits = fromWide(at).bits;
    let size = at === 0n ? BigInt(bits) : BigInt(trailingZeros(at));
    if (size > BigInt(bits)) size = BigInt(bits);
    while (at + (1n << size) - 1n > last) size--;
    networks.push(`${formatIp(fromWide(at))}/${bits - Number(size)}`);
    at += 1n << size;
  }
  return networks;
}

function trailingZeros(value: bigint): number {
  const text = value.toString(2);
  return text.length - text.lastIndexOf("1") - 1;
}
