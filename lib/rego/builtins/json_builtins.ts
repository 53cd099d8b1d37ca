// SPDX-License-Identifier: Apache-2.0
/** json.marshal, json.unmarshal and json.is_valid. */

import { parseJson } from "../json.ts";
import type { Value } from "../values.ts";
import {
  anyType,
  booleanType,
  type BuiltinContext,
  builtinError,
  family,
  objectType,
  operandError,
  stringType,
} from "./builtin.ts";
import { goJson, type Indentation } from "./json_text.ts";
import { chargeText, objectOperand, reserveText, stringOperand } from "./operands.ts";
import { quote } from "./text.ts";

export const json = family(
  {
    name: "json.marshal",
    args: [anyType],
    result: stringType,
    call: (context, args) => goJson(context, args[0] as Value),
  },
  {
    name: "json.marshal_with_options",
    args: [
      anyType,
      objectType(stringType, anyType, { indent: stringType, prefix: stringType, pretty: booleanType }),
    ],
    result: stringType,
    call(context, args) {
      const pretty = indentationOperand(args);
      if (!pretty) return goJson(context, args[0] as Value);
      const text = goJson(context, args[0] as Value, pretty);
      reserveText(context, pretty.prefix.length + text.length);
      return pretty.prefix + text;
    },
  },
  {
    name: "json.unmarshal",
    args: [stringType],
    result: anyType,
    call: (context, args) => unmarshalJson(context, stringOperand(args, 1)),
  },
  {
    name: "json.is_valid",
    args: [stringType],
    result: booleanType,
    call(context, args) {
      const text = args[0] as Value;
      if (typeof text !== "string") return false;
      chargeText(context, text.length * 4);
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    },
  },
);

/** Reads JSON text; what is not JSON is a builtin error, what is nested too deep a limit error. */
export function unmarshalJson(context: BuiltinContext, text: string): Value {
  chargeText(context, text.length * 4);
  try {
    return parseJson(text, context.limits.maxNesting);
  } catch (error) {
    if (error instanceof SyntaxError) throw builtinError(error.message);
    throw error;
  }
}

/** The options object: `pretty` decides when given, else the mere presence of the others. */
function indentationOperand(args: readonly Value[]): Indentation | undefined {
  let prefix = "";
  let indent = "\t";
  let pretty: boolean | undefined;
  let implied = false;
  for (const [key, value] of objectOperand(args, 2).entries()) {
    switch (key) {
      case "prefix":
      case "indent":
        if (typeof value !== "string") throw operandError(2, `key ${key} failed cast to string: must be string`);
        if (key === "prefix") prefix = value;
        else indent = value;
        implied = true;
        break;
      case "pretty":
        if (typeof value !== "boolean") throw operandError(2, "key pretty failed cast to bool");
        pretty = value;
        break;
      default:
        if (typeof key !== "string") throw operandError(2, "failed to stringify a key");
        throw operandError(2, `object contained unknown key ${quote(key)}`);
    }
  }
  return pretty ?? implied ? { prefix, indent } : undefined;
}
