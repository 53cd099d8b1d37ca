// SPDX-License-Identifier: Apache-2.0
/** Writes a double as Go's strconv.FormatFloat does: exact decimals, rounded half to even. */

/** Decimal digits of a number that is 0.d1d2d3… times ten to the power of `point`; no trailing zeros, "" for zero. */
interface Decimal {
  readonly digits: string;
  readonly point: number;
}

/** The formats of strconv.FormatFloat that sprintf can reach. */
export type FloatFormat = "e" | "E" | "f" | "g" | "G" | "x" | "X" | "b";

/** Stands for "as many digits as it takes to read the same number back". */
export const SHORTEST = -1;

/** Decimal exponent from which `%g` of a shortest number uses an exponent (package strconv, FormatFloat). */
const SHORTEST_EXPONENT = 6;

/** Formats `value` with `precision` digits: after the point for e, f, x; significant ones for g. */
export function formatFloat(value: number, format: FloatFormat, precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  if (format === "b") return sign + binaryExponent(magnitude);
  if (format === "x" || format === "X") {
    const text = hexadecimal(magnitude, precision);
    return sign + (format === "X" ? text.toUpperCase() : text);
  }
  const shortest = precision === SHORTEST;
  const all = shortest ? shortestDecimal(magnitude) : exactDecimal(magnitude);
  switch (format) {
    case "f":
      return sign +
        fixed(
          shortest ? all : rounded(all, all.point + precision),
          shortest ? Math.max(all.digits.length - all.point, 0) : precision,
        );
    case "e":
    case "E":
      return sign +
        exponent(
          shortest ? all : rounded(all, precision + 1),
          shortest ? Math.max(all.digits.length - 1, 0) : precision,
          format,
        );
    default:
      return sign + general(all, precision, format);
  }
}

function general(all: Decimal, precision: number, format: "g" | "G"): string {
  const shortest = precision === SHORTEST;
  const significant = Math.max(precision, 1);
  const decimal = shortest ? all : rounded(all, significant);
  const count = decimal.digits.length;
  let limit = significant;
  if (limit > count && count >= decimal.point) limit = count;
  if (shortest) limit = SHORTEST_EXPONENT;
  const power = decimal.point - 1;
  if (count > 0 && (power < -4 || power >= limit)) {
    return exponent(decimal, (shortest ? count : Math.min(significant, count)) - 1, format === "g" ? "e" : "E");
  }
  return fixed(decimal, Math.max(count - decimal.point, 0));
}

/** The shortest digits that read back as `value`. */
function shortestDecimal(value: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  return { digits: mantissa.replace(".", "").replace(/0+$/, ""), point: Number(power) + 1 };
}

/** Every digit of `value`: a double is an integer times a power of two, so its decimal ends. */
function exactDecimal(value: number): Decimal {
  if (value === 0) return { digits: "", point: 0 };
  const { mantissa, power } = parts(value);
  const scaled = power >= 0 ? mantissa << BigInt(power) : mantissa * 5n ** BigInt(-power);
  const text = scaled.toString();
  return { digits: text.replace(/0+$/, ""), point: text.length - (power >= 0 ? 0 : -power) };
}

/** `value` = mantissa · 2^power, as IEEE 754 holds it. */
function parts(value: number): { mantissa: bigint; power: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const raw = bits.getBigUint64(0) & 0x7fff_ffff_ffff_ffffn;
  const fraction = raw & 0xf_ffff_ffff_ffffn;
  const biased = Number(raw >> 52n);
  return biased === 0
    ? { mantissa: fraction, power: -1074 }
    : { mantissa: fraction | (1n << 52n), power: biased - 1075 };
}

/** Keeps `count` digits, rounding half to even. */
function rounded(decimal: Decimal, count: number): Decimal {
  const { digits, point } = decimal;
  if (count >= digits.length) return decimal;
  if (count < 0) return { digits: "", point: 0 };
  const half = digits.charCodeAt(count) - 48;
  const exactHalf = half === 5 && digits.length === count + 1;
  const odd = count > 0 && (digits.charCodeAt(count - 1) & 1) === 1;
  const kept = digits.slice(0, count);
  if (exactHalf ? !odd : half < 5) {
    const trimmed = kept.replace(/0+$/, "");
    return trimmed === "" ? { digits: "", point: 0 } : { digits: trimmed, point };
  }
  const raised = (BigInt(kept === "" ? "0" : kept) + 1n).toString().padStart(count, "0");
  return { digits: raised.replace(/0+$/, ""), point: point + raised.length - count };
}

function fixed({ digits, point }: Decimal, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  if (precision <= 0) return whole;
  const after = point > 0 ? digits.slice(point) : "0".repeat(Math.min(-point, precision)) + digits;
  return `${whole}.${after.slice(0, precision).padEnd(precision, "0")}`;
}

function exponent({ digits, point }: Decimal, precision: number, mark: "e" | "E"): string {
  const power = digits === "" ? 0 : point - 1;
  const first = digits.charAt(0) || "0";
  const rest = precision > 0 ? `.${digits.slice(1, precision + 1).padEnd(precision, "0")}` : "";
  return `${first}${rest}${mark}${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function binaryExponent(value: number): string {
  const { mantissa, power } = parts(value);
  return `${mantissa}p${power < 0 ? "-" : "+"}${Math.abs(power)}`;
}

/** 1.hhhp±dd, the first digit being 1 (or 0 for zero). */
function hexadecimal(value: number, precision: number): string {
  if (value === 0) return `0x0${precision > 0 ? "." + "0".repeat(precision) : ""}p+00`;
  let { mantissa, power } = parts(value);
  const shift = 53 - mantissa.toString(2).length;
  mantissa <<= BigInt(shift);
  let binary = power - shift + 52;
  if (precision >= 0 && precision < 13) {
    const dropped = BigInt((13 - precision) * 4);
    const rest = mantissa & ((1n << dropped) - 1n);
    const half = 1n << (dropped - 1n);
    mantissa >>= dropped;
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa += 1n;
    mantissa <<= dropped;
    if (mantissa >> 53n) {
      mantissa >>= 1n;
      binary += 1;
    }
  }
  const fraction = (mantissa & 0xf_ffff_ffff_ffffn).toString(16).padStart(13, "0");
  const shown = precision < 0 ? fraction.replace(/0+$/, "") : fraction.slice(0, precision).padEnd(precision, "0");
  return `0x1${shown === "" ? "" : `.${shown}`}p${binary < 0 ? "-" : "+"}${String(Math.abs(binary)).padStart(2, "0")}`;
}
