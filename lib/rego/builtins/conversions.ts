// SPDX-License-Identifier: Apache-2.0
/** to_number: numbers from null, booleans and strings. */

import { type BigNumber, isNumber, parseNumber } from "../numbers.ts";
import type { Value } from "../values.ts";
import { booleanType, builtinError, family, nullType, numberType, orType, stringType } from "./builtin.ts";
import { chargeText, typeError } from "./operands.ts";
import { quote } from "./text.ts";

/** What Go's strconv.ParseFloat accepts in base 10: digits with a point anywhere, an exponent, no spaces. */
const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

export const conversions = family({
  name: "to_number",
  args: [orType(nullType, booleanType, numberType, stringType)],
  result: numberType,
  call(context, args) {
    const value = args[0] as Value;
    if (value === null || value === false) return 0;
    if (value === true) return 1;
    if (isNumber(value)) return value;
    if (typeof value !== "string") throw typeError(1, value, "null", "boolean", "number", "string");
    chargeText(context, value.length);
    if (/^[+-]*(?:inf|infinity|nan)$/i.test(value)) throw typeError(1, value, "valid number string");
    return Number.isFinite(Number(value)) ? parseNumber(value) ?? looseNumber(value) : looseNumber(value);
  },
});

/**
 * Numbers that Go reads and JSON does not spell: `+5`, `.5`, `5.`, `007`, hexadecimal and digits with underscores
 * are refused by OPA's next step or give the number they mean.
 */
function looseNumber(text: string): BigNumber | number {
  const match = DECIMAL.exec(text);
  const [, sign = "", whole = "", fraction = "", exponent] = match ?? [];
  if (!match || (whole === "" && fraction === "")) {
    throw builtinError(`strconv.ParseFloat: parsing ${quote(text.slice(0, 100))}: invalid syntax`);
  }
  if (!Number.isFinite(Number(text))) {
    throw builtinError(`strconv.ParseFloat: parsing ${quote(text.slice(0, 100))}: value out of range`);
  }
  const json = (sign === "-" ? "-" : "") + (whole.replace(/^0+(?=\d)/, "") || "0") +
    (fraction === "" ? "" : `.${fraction}`) +
    (exponent === undefined ? "" : `e${exponent}`);
  const number = parseNumber(json);
  if (number === undefined) throw builtinError("invalid number: number too big");
  return number;
}
