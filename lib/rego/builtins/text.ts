// SPDX-License-Identifier: Apache-2.0
/**
 * Strings as Go has them: sequences of bytes that are nearly always UTF-8, counted in code points.
 *
 * A byte that is not part of valid UTF-8 (base64.decode and hex.decode can make such strings) is held as the lone
 * surrogate U+DC00 + byte, so that decoding and encoding again gives the same bytes. JSON never brings one in,
 * because lone surrogates in documents become U+FFFD.
 */

const ESCAPED_BYTE = 0xdc00;
const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of `text`; one escaped byte each for U+DC80 to U+DCFF, and EF BF BD for other lone surrogates. */
export function toBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const chunks: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= ESCAPED_BYTE + 0x80 && point <= ESCAPED_BYTE + 0xff) chunks.push(point - ESCAPED_BYTE);
    else chunks.push(...encoder.encode(character));
  }
  return Uint8Array.from(chunks);
}

/** The text of `bytes`; bytes that are not UTF-8 are escaped one by one. */
export function fromBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeLoosely(bytes);
  }
}

function decodeLoosely(bytes: Uint8Array): string {
  const parts: string[] = [];
  let index = 0;
  let begin = 0;
  while (index < bytes.length) {
    const length = validLength(bytes, index);
    if (length > 0) {
      index += length;
      continue;
    }
    if (index > begin) parts.push(strict.decode(bytes.subarray(begin, index)));
    parts.push(String.fromCharCode(ESCAPED_BYTE + (bytes[index++] ?? 0)));
    begin = index;
  }
  if (index > begin) parts.push(strict.decode(bytes.subarray(begin, index)));
  return parts.join("");
}

/** Bytes of the valid UTF-8 sequence at `index`, 0 when there is none (RFC 3629 section 4). */
function validLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf
    ? 2
    : first >= 0xe0 && first <= 0xef
    ? 3
    : first >= 0xf0 && first <= 0xf4
    ? 4
    : 0;
  if (length === 0 || index + length > bytes.length) return 0;
  const second = bytes[index + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let offset = 2; offset < length; offset++) {
    const byte = bytes[index + offset] ?? 0;
    if (byte < 0x80 || byte > 0xbf) return 0;
  }
  return length;
}

/** True when every UTF-16 unit is one byte and one code point. */
export function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** Code points of `text`. */
export function codePointCount(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index++, count++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(index + 1);
      if (next >= 0xdc00 && next <= 0xdfff) index++;
    }
  }
  return count;
}

/** Bytes that `text` takes in UTF-8. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(index + 1);
      const paired = next >= 0xdc00 && next <= 0xdfff;
      bytes += paired ? 4 : 3;
      if (paired) index++;
    } else bytes += unit >= ESCAPED_BYTE + 0x80 && unit <= ESCAPED_BYTE + 0xff ? 1 : 3;
  }
  return bytes;
}

/** What Go calls printable: letters, marks, numbers, punctuation, symbols and the plain space (unicode.IsPrint). */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const SHORT_ESCAPES = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0c, "\\f"],
  [0x0a, "\\n"],
  [0x0d, "\\r"],
  [0x09, "\\t"],
  [0x0b, "\\v"],
  [0x5c, "\\\\"],
]);

/** `text` as a Go string literal in double quotes; `ascii` escapes everything beyond U+007E (strconv.Quote). */
export function quote(text: string, ascii = false): string {
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  const parts = ['"'];
  for (const character of text) parts.push(quotedCharacter(character, '"', ascii));
  parts.push('"');
  return parts.join("");
}

/** One code point as Go writes it between `mark`s. */
export function quotedCharacter(character: string, mark: string, ascii = false): string {
  const point = character.codePointAt(0) ?? 0;
  if (character === mark) return `\\${mark}`;
  if (point === 0x5c) return "\\\\";
  if (point >= ESCAPED_BYTE + 0x80 && point <= ESCAPED_BYTE + 0xff) return `\\x${(point - ESCAPED_BYTE).toString(16)}`;
  if (point < 0x7f ? point >= 0x20 : !ascii && PRINTABLE.test(character)) return character;
  const short = SHORT_ESCAPES.get(point);
  if (short !== undefined) return short;
  if (point < 0x20 || point === 0x7f) return `\\x${point.toString(16).padStart(2, "0")}`;
  if (point >= 0xd800 && point <= 0xdfff) return "\\ufffd";
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, "0")}`;
  return `\\U${point.toString(16).padStart(8, "0")}`;
}
