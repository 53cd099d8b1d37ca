// SPDX-License-Identifier: Apache-2.0
/** Splits an argument list into flags and the rest by the rules of Go's package flag; values stay texts. */

import { PeerctlError } from "../errors.ts";
import { suggest } from "./suggest.ts";

/** What the scan must know of a flag. */
export interface Scannable {
  readonly name: string;
  /**
   * "equals": it stands alone and takes a value only with `=`. "word": it takes the next word, whatever that is.
   * "maybe": it takes the next word unless that is missing or begins with a dash; for flags that are only refused.
   */
  readonly takes: "equals" | "word" | "maybe";
}

export interface ScanOptions {
  readonly flags: readonly Scannable[];
  /** True: the first argument that is not a flag ends the flags. */
  readonly goStyle: boolean;
}

export interface Scanned {
  /** The texts given for each flag, in order; a bare flag gives "true". */
  readonly given: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
  readonly problems: readonly PeerctlError[];
}

/** How the dashes of a flag are written in messages: Go programs have one, others two. */
export function dashed(name: string, goStyle: boolean): string {
  return `${goStyle || name.length === 1 ? "-" : "--"}${name}`;
}

/**
 * Reads all of `args`; every problem is kept, none ends the scan.
 *
 * A value is taken as it is, also when it begins with a dash, as Go does (`-listen -1`). Behind an unknown flag a word
 * without a dash is taken for its value, so that one mistake is one problem.
 */
export function scanArguments(args: readonly string[], o: ScanOptions): Scanned {
  const known = new Map(o.flags.map((flag) => [flag.name, flag]));
  const given = new Map<string, string[]>();
  const rest: string[] = [];
  const problems: PeerctlError[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      rest.push(...args.slice(i + 1));
      break;
    }
    if (arg.length < 2 || !arg.startsWith("-")) {
      if (o.goStyle) {
        rest.push(...args.slice(i));
        break;
      }
      rest.push(arg);
      continue;
    }
    const [, name, value] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg)!;
    const flag = known.get(name!);
    if (flag === undefined) {
      problems.push(unknownFlag(name!, o));
      if (value === undefined && args[i + 1]?.startsWith("-") === false) i++;
      continue;
    }
    let text = value;
    const standsAlone = flag.takes === "equals" || (flag.takes === "maybe" && args[i + 1]?.startsWith("-") !== false);
    if (text === undefined) text = standsAlone ? "true" : args[++i];
    if (text === undefined) {
      problems.push(new PeerctlError("usage", `Cannot use ${dashed(flag.name, o.goStyle)}: it needs a value`));
      break;
    }
    given.set(flag.name, [...given.get(flag.name) ?? [], text]);
  }
  return { given, rest, problems };
}

function unknownFlag(name: string, o: ScanOptions): PeerctlError {
  // Only up to a length, and never what followed a "=": it may have been meant for a secret flag.
  const shown = dashed(name.slice(0, 64), o.goStyle);
  if (!/^[A-Za-z0-9]/.test(name)) return new PeerctlError("usage", `Cannot use "${shown}": it is not a flag`);
  const near = suggest(name, o.flags.map((flag) => flag.name));
  return new PeerctlError("usage", `Cannot use ${shown}: there is no such flag`, {
    ...(near === undefined ? {} : { hint: `did you mean ${dashed(near, o.goStyle)}?` }),
  });
}
