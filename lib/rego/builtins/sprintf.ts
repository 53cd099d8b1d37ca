// SPDX-License-Identifier: Apache-2.0
/** sprintf: Go's fmt.Sprintf over Rego values. */

import { formatNumber, int64Of, isNumber, type RegoNumber, toBigInt } from "../numbers.ts";
import type { Value } from "../values.ts";
import { arrayType, type BuiltinContext, family, stringType } from "./builtin.ts";
import { arrayOperand, chargeText, reserveText, stringOperand } from "./operands.ts";
import { formatText } from "./sprintf_format.ts";
import type { FormatArgument } from "./sprintf_values.ts";
import { valueText } from "./value_text.ts";

export const sprintf = family({
  name: "sprintf",
  args: [stringType, arrayType()],
  result: stringType,
  call(context, args) {
    const format = stringOperand(args, 1);
    const values = arrayOperand(args, 2).map((value) => formatArgument(context, value));
    context.charge(values.length);
    chargeText(context, format.length);
    const text = formatText(format, values, (length) => {
      if (length > context.limits.maxStringLength) reserveText(context, length);
    });
    reserveText(context, text.length);
    return text;
  },
});

/** Numbers without a point or exponent are integers; what is not a string or number becomes its Rego text. */
function formatArgument(context: BuiltinContext, value: Value): FormatArgument {
  if (isNumber(value)) return numberArgument(value);
  return { type: "string", value: typeof value === "string" ? value : valueText(context, value) };
}

function numberArgument(value: RegoNumber): FormatArgument {
  const text = formatNumber(value);
  if (/[.eE]/.test(text)) {
    const double = Number(text);
    return Number.isFinite(double) ? { type: "float64", value: double } : { type: "string", value: text };
  }
  const small = int64Of(value);
  if (small !== undefined) return { type: "int64", value: small };
  return { type: "*big.Int", value: toBigInt(value) ?? 0n };
}
