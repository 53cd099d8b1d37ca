// SPDX-License-Identifier: Apache-2.0
/** Formats text as Go's fmt.Sprintf does, for the four kinds of argument OPA hands to it (package fmt, "Printing"). */

import { emptyField, type FormatArgument, formatted } from "./sprintf_values.ts";

/** Largest width and precision that fmt accepts (package fmt, tooLarge). */
const MAX_FIELD = 1_000_000;

interface Output {
  write(text: string): void;
  /** Says that at least this many characters come next. */
  announce(characters: number): void;
}

/**
 * Formats `args` by `format`.
 *
 * @param reserve is called with the number of characters the text is about to have, before they are made; it may throw.
 */
export function formatText(format: string, args: readonly FormatArgument[], reserve: (length: number) => void): string {
  const parts: string[] = [];
  let length = 0;
  const output: Output = {
    write(text) {
      length += text.length;
      reserve(length);
      parts.push(text);
    },
    announce: (characters) => reserve(length + characters),
  };
  const reader = createReader(format, args);
  let index = 0;
  while (index < format.length) {
    const percent = format.indexOf("%", index);
    if (percent < 0) {
      output.write(format.slice(index));
      break;
    }
    if (percent > index) output.write(format.slice(index, percent));
    index = reader.directive(percent + 1, output);
  }
  reader.finish(output);
  return parts.join("");
}

function createReader(format: string, args: readonly FormatArgument[]) {
  let next = 0;
  let reordered = false;
  let good = true;

  /** Reads `[n]` at `index`; found is true after a well-formed one. */
  function argumentIndex(index: number): { index: number; found: boolean } {
    if (format[index] !== "[") return { index, found: false };
    reordered = true;
    const close = format.indexOf("]", index + 1);
    if (close < 0) {
      good = false;
      return { index: index + 1, found: false };
    }
    const inner = format.slice(index + 1, close);
    const number = /^\d{1,8}$/.test(inner) ? Number(inner) : NaN;
    if (number >= 1 && number <= args.length) next = number - 1;
    else good = false;
    return { index: close + 1, found: !Number.isNaN(number) };
  }

  /** Reads digits; a number beyond the limit swallows the rest of the format, as in Go. */
  function digits(index: number): { index: number; value: number | undefined } {
    let end = index;
    let value = 0;
    while (end < format.length && format.charCodeAt(end) >= 48 && format.charCodeAt(end) <= 57) {
      if (value > MAX_FIELD) return { index: format.length, value: undefined };
      value = value * 10 + format.charCodeAt(end++) - 48;
    }
    return { index: end, value: end > index ? value : undefined };
  }

  /** The number that `*` takes from the arguments. */
  function starred(): number | undefined {
    const argument = args[next];
    if (argument === undefined) return undefined;
    next++;
    if (argument.type !== "int64") return undefined;
    const value = Number(argument.value);
    return Math.abs(value) > MAX_FIELD ? undefined : value;
  }

  return {
    /** Writes what the directive after the percent sign at `start - 1` says; returns where the text goes on. */
    directive(start: number, output: Output): number {
      const field = emptyField();
      let index = start;
      good = true;
      for (; index < format.length; index++) {
        const flag = format[index];
        if (flag === "#") field.sharp = true;
        else if (flag === "0") field.zero = true;
        else if (flag === "+") field.plus = true;
        else if (flag === "-") field.minus = true;
        else if (flag === " ") field.space = true;
        else break;
      }
      let found: boolean;
      ({ index, found } = argumentIndex(index));
      if (format[index] === "*") {
        index++;
        field.width = starred();
        if (field.width === undefined) output.write("%!(BADWIDTH)");
        else if (field.width < 0) {
          field.width = -field.width;
          field.minus = true;
          field.zero = false;
        }
        found = false;
      } else {
        ({ index, value: field.width } = digits(index));
        if (found && field.width !== undefined) good = false;
      }
      if (format[index] === "." && index + 1 < format.length) {
        index++;
        if (found) good = false;
        ({ index, found } = argumentIndex(index));
        if (format[index] === "*") {
          index++;
          const value = starred();
          field.precision = value !== undefined && value >= 0 ? value : undefined;
          if (field.precision === undefined) output.write("%!(BADPREC)");
          found = false;
        } else {
          const read = digits(index);
          index = read.index;
          field.precision = read.value ?? 0;
        }
      }
      if (!found) ({ index, found } = argumentIndex(index));
      if (index >= format.length) {
        output.write("%!(NOVERB)");
        return index;
      }
      const verb = String.fromCodePoint(format.codePointAt(index) ?? 0);
      index += verb.length;
      const argument = args[next];
      if (verb === "%") output.write("%");
      else if (!good) output.write(`%!${verb}(BADINDEX)`);
      else if (argument === undefined) output.write(`%!${verb}(MISSING)`);
      else {
        next++;
        if (verb === "v" || verb === "w") {
          field.sharpV = field.sharp;
          field.sharp = false;
          // %+v only names fields of structs; big.Int still sees the flag.
          field.plus = field.plus && argument.type === "*big.Int";
        }
        output.announce(Math.max(field.width ?? 0, field.precision ?? 0));
        output.write(formatted(argument, verb, field));
      }
      return index;
    },

    /** Reports the arguments that no directive used. */
    finish(output: Output): void {
      if (reordered || next >= args.length) return;
      const rest = args.slice(next).map((argument) => {
        const text = formatted(argument, "v", emptyField());
        output.announce(text.length);
        return `${argument.type}=${text}`;
      });
      output.write(`%!(EXTRA ${rest.join(", ")})`);
    },
  };
}
