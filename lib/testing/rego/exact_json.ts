// SPDX-License-Identifier: Apache-2.0
/** Reads JSON so that JSON.stringify writes every number again exactly as it was. */

/** The parts of ES2025 "JSON.parse source text access" that TypeScript's library does not declare yet. */
const exact = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
};

export function parseExact(text: string): unknown {
  return exact.parse(
    text,
    (_key, value, { source }) => typeof value === "number" ? exact.rawJSON(source!) : value,
  );
}

/** The text of a number that parseExact() read; undefined for every other value. */
export function numberText(value: unknown): string | undefined {
  return exact.isRawJSON(value) ? value.rawJSON : undefined;
}
