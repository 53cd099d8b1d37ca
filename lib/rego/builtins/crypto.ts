// SPDX-License-Identifier: Apache-2.0
/** crypto.*: hashes and HMACs of strings, and the comparison of two of them. */

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { booleanType, type Builtin, family, stringType } from "./builtin.ts";
import { chargeText, stringOperand } from "./operands.ts";
import { toBytes } from "./text.ts";

function hash(algorithm: string): Builtin {
  return {
    name: `crypto.${algorithm}`,
    args: [stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      chargeText(context, text.length);
      return createHash(algorithm).update(toBytes(text)).digest("hex");
    },
  };
}

function hmac(algorithm: string): Builtin {
  return {
    name: `crypto.hmac.${algorithm}`,
    args: [stringType, stringType],
    result: stringType,
    call(context, args) {
      const text = stringOperand(args, 1);
      const key = stringOperand(args, 2);
      chargeText(context, text.length + key.length);
      return createHmac(algorithm, toBytes(key)).update(toBytes(text)).digest("hex");
    },
  };
}

export const crypto = family(
  hash("md5"),
  hash("sha1"),
  hash("sha256"),
  hmac("md5"),
  hmac("sha1"),
  hmac("sha256"),
  hmac("sha512"),
  {
    name: "crypto.hmac.equal",
    args: [stringType, stringType],
    result: booleanType,
    call(context, args) {
      const a = toBytes(stringOperand(args, 1));
      const b = toBytes(stringOperand(args, 2));
      chargeText(context, a.length + b.length);
      return a.length === b.length && timingSafeEqual(a, b);
    },
  },
);
