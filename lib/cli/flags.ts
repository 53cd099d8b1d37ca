// SPDX-License-Identifier: Apache-2.0
/** The kinds of flag a command's table is made of: name, environment variable, default, help, and how a text becomes a value. */

import { parseDuration } from "./duration.ts";

export type FlagKind = "string" | "bool" | "int" | "duration" | "list" | "choice" | "refused";

/** One flag of a command. Texts come from the command line or the environment; only `convert` gives them a meaning. */
export interface Flag<T> {
  readonly kind: FlagKind;
  /** As written after the dashes. */
  readonly name: string;
  /** The environment variable that stands in when the flag is not given and the variable is not empty. */
  readonly env: string | undefined;
  readonly help: string;
  /** What help shows for the value, in capitals. FILE, SOCKET and DIR also make the shell complete paths. */
  readonly placeholder: string;
  /** The value is never shown: not by --print-config, not in an error. */
  readonly secret: boolean;
  readonly required: boolean;
  /** The values a choice allows; empty for every other kind. */
  readonly choices: readonly string[];
  /** The default as one would write it; "" when there is none. */
  readonly defaultText: string;
  readonly defaultValue: T;
  /**
   * Converts what was given; a list gets all of it, every other kind the last one only.
   *
   * @throws {RangeError} (or PeerctlError) whose message goes on from "Cannot use --flag: ", without the value.
   */
  convert(texts: readonly string[]): T;
}

/** A flag that upstream or a later version knows and this one does not; giving it is an error, not a silence. */
export interface RefusedFlag extends Flag<undefined> {
  readonly kind: "refused";
}

// deno-lint-ignore no-explicit-any -- a table holds flags of every type; ValuesOf reads the types back out.
export type FlagTable = Readonly<Record<string, Flag<any>>>;

/** The values of a table, under the table's own keys; refused flags have none. */
export type ValuesOf<F extends FlagTable> = {
  readonly [K in keyof F as F[K] extends RefusedFlag ? never : K]: F[K] extends Flag<infer T> ? T : never;
};

export interface FlagOptions {
  readonly env?: string;
  readonly help: string;
  readonly placeholder?: string;
  readonly secret?: boolean;
  readonly required?: boolean;
}

/** A text, passed on exactly as given; "" when nothing was. */
export function stringFlag(name: string, o: FlagOptions & { readonly default?: string }): Flag<string> {
  const fallback = o.default ?? "";
  return flag("string", name, o, "TEXT", fallback, fallback, (text) => text);
}

/** On or off. Written bare it is on; a value needs `=` and takes Go's forms (strconv.ParseBool). */
export function boolFlag(
  name: string,
  o: Omit<FlagOptions, "placeholder" | "required"> & { readonly default?: boolean },
): Flag<boolean> {
  const fallback = o.default ?? false;
  return flag("bool", name, o, "", String(fallback), fallback, (text) => {
    const value = parseBool(text);
    if (value === undefined) throw new RangeError("must be true or false");
    return value;
  });
}

/** A whole number between `min` and `max`, both included, in decimal digits. */
export function intFlag(
  name: string,
  o: FlagOptions & { readonly default: number; readonly min?: number; readonly max?: number },
): Flag<number> {
  const min = o.min ?? Number.MIN_SAFE_INTEGER, max = o.max ?? Number.MAX_SAFE_INTEGER;
  return flag("int", name, o, "N", String(o.default), o.default, (text) => {
    const value = /^[-+]?\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new RangeError(`must be a whole number${rangeText(o.min, o.max)}`);
  });
}

/** A TCP or UDP port. With `min: 0` the operating system may choose it. */
export function portFlag(
  name: string,
  o: FlagOptions & { readonly default: number; readonly min?: 0 | 1 },
): Flag<number> {
  return intFlag(name, { placeholder: "PORT", ...o, min: o.min ?? 1, max: 65535 });
}

/** A duration in Go's form; the value is in milliseconds. `default` and `min` are written in Go's form too. */
export function durationFlag(
  name: string,
  o: FlagOptions & { readonly default: string; readonly min?: string },
): Flag<number> {
  const min = durationConstant(name, o.min ?? "0");
  return flag("duration", name, o, "DURATION", o.default, durationConstant(name, o.default), (text) => {
    const value = parseDuration(text);
    if (value === undefined) throw new RangeError('must be a duration such as "5m", "1h30m" or "1.5s"');
    if (value < min) throw new RangeError(`must be a duration of at least ${o.min ?? "0"}`);
    return value;
  });
}

/** One of a few words. */
export function choiceFlag<const C extends string>(
  name: string,
  o: FlagOptions & { readonly choices: readonly C[]; readonly default: NoInfer<C> },
): Flag<C> {
  const made = flag<C>("choice", name, o, o.choices.join("|"), o.default, o.default, (text) => {
    const known = o.choices.find((c) => c === text);
    if (known === undefined) throw new RangeError(`must be one of ${o.choices.join(", ")}`);
    return known;
  });
  return { ...made, choices: o.choices };
}

/** The same flag for a command whose default depends on its other flags: the value is undefined when it is not given. */
export function optionalFlag<T>(flag: Flag<T>): Flag<T | undefined> {
  return { ...flag, defaultValue: undefined };
}

/** Several texts: the flag repeats. With `commaSeparated` each may hold several, empty ones are left out. */
export function listFlag(
  name: string,
  o: FlagOptions & { readonly default?: readonly string[]; readonly commaSeparated?: boolean },
): Flag<readonly string[]> {
  const fallback = o.default ?? [];
  const split = (text: string) => text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  return {
    ...flag<readonly string[]>("list", name, o, "TEXT", fallback.join(","), fallback, () => fallback),
    convert: (texts) => o.commaSeparated ? texts.flatMap(split) : [...texts],
  };
}

/**
 * A flag that is refused with `reason` when it, or its environment variable, is given; `allow` lists the texts that ask
 * for nothing (such as "false") and pass.
 */
export function refusedFlag(
  name: string,
  o: { readonly env?: string; readonly reason: string; readonly allow?: readonly string[] },
): RefusedFlag {
  const made = flag("refused", name, { ...o, help: o.reason }, "", "", undefined, (text) => {
    if (o.allow?.includes(text.toLowerCase())) return undefined;
    throw new RangeError(o.reason);
  });
  return { ...made, kind: "refused" };
}

/** Reads what Go's strconv.ParseBool accepts, or returns undefined. */
export function parseBool(text: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return undefined;
}

function flag<T>(
  kind: FlagKind,
  name: string,
  o: FlagOptions,
  placeholder: string,
  defaultText: string,
  defaultValue: T,
  convertOne: (text: string) => T,
): Flag<T> {
  return {
    kind,
    name,
    env: o.env,
    help: o.help,
    placeholder: o.placeholder ?? placeholder,
    secret: o.secret ?? false,
    required: o.required ?? false,
    choices: [],
    defaultText,
    defaultValue,
    convert: (texts) => convertOne(texts.at(-1) ?? ""),
  };
}

function rangeText(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? "" : ` of at most ${max}`;
}

function durationConstant(name: string, text: string): number {
  const value = parseDuration(text);
  if (value === undefined) throw new TypeError(`Cannot define flag "${name}": "${text}" is not a duration`);
  return value;
}
