// SPDX-License-Identifier: Apache-2.0
/** IP addresses and networks as Go's package net reads, compares and writes them. */

/** An address; an IPv4 address inside IPv6 (::ffff:a.b.c.d) is the IPv4 address. */
export interface IpAddress {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

/** A network: the masked address and the mask, both as wide as the address. */
export interface IpNetwork {
  readonly address: IpAddress;
  readonly mask: bigint;
  /** Prefix length and width as they were written; `::ffff:10.0.0.0/104` is IPv4 with 104 of 128. */
  readonly prefix: number;
  readonly width: 32 | 128;
}

const MAPPED_PREFIX = 0xffffn << 32n;

/** The address as a number of 128 bits. */
export function wide(address: IpAddress): bigint {
  return address.bits === 32 ? MAPPED_PREFIX | address.value : address.value;
}

/** The address of a number of 128 bits. */
export function fromWide(value: bigint): IpAddress {
  return value >> 32n === 0xffffn ? { value: value & 0xffff_ffffn, bits: 32 } : { value, bits: 128 };
}

/** Reads an address without a zone; undefined when it is none. */
export function parseIp(text: string): IpAddress | undefined {
  const raw = rawAddress(text);
  return raw?.bits === 128 ? fromWide(raw.value) : raw;
}

function rawAddress(text: string): IpAddress | undefined {
  if (text.length > 45) return undefined;
  const value = text.includes(":") ? ipv6(text) : ipv4(text);
  return value === undefined ? undefined : { value, bits: text.includes(":") ? 128 : 32 };
}

function ipv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function ipv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : groups(half));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const all = [...head, ...tail ?? []];
  if (halves.length === 1 ? all.length !== 8 : all.length > 7) return undefined;
  const filled = [...head, ...new Array<number>(8 - all.length).fill(0), ...tail ?? []];
  return filled.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** Groups of 16 bits; the last two may be written as an IPv4 address. */
function groups(text: string): number[] | undefined {
  const result: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes(".")) {
      const value = ipv4(part);
      if (value === undefined) return undefined;
      result.push(Number(value >> 16n), Number(value & 0xffffn));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) result.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return result;
}

/** Reads `address/prefix`; undefined when it is none. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const slash = text.indexOf("/");
  const raw = slash < 0 ? undefined : rawAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!raw || !/^[0-9]{1,6}$/.test(digits) || Number(digits) > raw.bits) return undefined;
  const prefix = Number(digits);
  const mask = prefixMask(prefix, raw.bits);
  const value = raw.value & mask;
  const address = raw.bits === 128 ? fromWide(value) : { value, bits: raw.bits };
  return { address, mask: address.bits < raw.bits ? mask & 0xffff_ffffn : mask, prefix, width: raw.bits };
}

/** The mask of `bits` whose first `prefix` are ones. */
export function prefixMask(prefix: number, bits: 32 | 128): bigint {
  const all = (1n << BigInt(bits)) - 1n;
  return all ^ (all >> BigInt(prefix));
}

/** True when the address lies in the network; families do not mix. */
export function contains(network: IpNetwork, address: IpAddress): boolean {
  return network.address.bits === address.bits && (address.value & network.mask) === network.address.value;
}

/** The last address of a network. */
function lastAddress(network: IpNetwork): IpAddress {
  const hosts = (1n << BigInt(network.width - network.prefix)) - 1n;
  return network.width === 128
    ? fromWide(wide(network.address) | hosts)
    : { value: network.address.value | hosts, bits: 32 };
}

/** True when every address of `inner` lies in `outer`. */
export function containsNetwork(outer: IpNetwork, inner: IpNetwork): boolean {
  if (outer.address.bits === 128 && inner.address.bits === 128) {
    return outer.prefix <= inner.prefix && (inner.address.value & outer.mask) === outer.address.value;
  }
  return contains(outer, inner.address) && contains(outer, lastAddress(inner));
}

/** The text of an address: dotted for IPv4, RFC 5952 for IPv6. */
export function formatIp({ value, bits }: IpAddress): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join(".");
  const words = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (end < 8 && words[end] === 0) end++;
    if (end - index > length) [start, length] = [index, end - index];
  }
  const texts = words.map((word) => word.toString(16));
  if (start < 0) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}
