// SPDX-License-Identifier: Apache-2.0
/** Counts the days that a certificate has left, and says when they are few. */

export const DAY_MS = 24 * 3_600_000;

/** Days before its end at which a certificate should be made anew: two rotations by hand at one a fortnight. */
export const EXPIRES_SOON_DAYS = 30;

/** Part of its life from which on a short-lived certificate should be made anew, as cert-manager does by default. */
const LAST_PART = 1 / 3;

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Whole days until the end, rounded down; negative after it. */
export function daysLeft({ notAfter }: Validity, now: Date): number {
  return Math.floor((notAfter.getTime() - now.getTime()) / DAY_MS);
}

/** Says what is wrong with the dates, or that the end is near: within `days`, by default 30 or the last third of its life. */
export function expiryWarning(validity: Validity, now: Date, days?: number): string | undefined {
  const { notBefore, notAfter } = validity;
  if (now >= notAfter) return `it expired on ${notAfter.toISOString()}`;
  if (now < notBefore) return `it is not valid before ${notBefore.toISOString()}`;
  const lastPart = (notAfter.getTime() - notBefore.getTime()) * LAST_PART;
  const soonMs = days === undefined ? Math.min(EXPIRES_SOON_DAYS * DAY_MS, lastPart) : days * DAY_MS;
  if (notAfter.getTime() - now.getTime() >= soonMs) return undefined;
  const left = daysLeft(validity, now);
  return `it expires in ${
    left === 0 ? "less than a day" : left === 1 ? "1 day" : `${left} days`
  }, on ${notAfter.toISOString()}`;
}
