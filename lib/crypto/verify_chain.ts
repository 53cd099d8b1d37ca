// SPDX-License-Identifier: Apache-2.0
/** Says whether a certificate is valid for a use, or every reason why it is not; stricter than OpenSSL and Go. */

import type { CertificateFacts } from "./certificates_facts.ts";
import type { AlternativeName } from "./subject_alternative_name.ts";
import {
  type CertificateUsage,
  commonReasons,
  isSignedBy,
  issuerReasons,
  leafReasons,
  type Reason,
  reasonFor,
} from "./verify_rules.ts";

/** Longest chain, in certificates. */
const MAX_CHAIN = 10;

/** Most issuers looked at: certificates made for it could have a chain for every order of them. */
const MAX_STEPS = 100;

export interface VerifyOptions {
  readonly leaf: CertificateFacts;
  /** May stand between leaf and anchor; they are not trusted. */
  readonly intermediates: readonly CertificateFacts[];
  /** Trusted. */
  readonly anchors: readonly CertificateFacts[];
  /** A chain may end in any anchor, as for rustls and Go; without it, in a self-signed one, as for OpenSSL. */
  readonly partialChain: boolean;
  readonly usage: CertificateUsage;
  /** The leaf must be for each of them. */
  readonly names: readonly AlternativeName[];
  readonly now: Date;
}

export interface Verdict {
  /** True only when there is no reason against it. */
  readonly valid: boolean;
  /** From the leaf up; the first chain when there are several, and as far as there is one. */
  readonly chain: readonly CertificateFacts[];
  readonly reasons: readonly Reason[];
}

interface Search extends VerifyOptions {
  steps: number;
  chain: readonly CertificateFacts[];
}

/**
 * Verifies a certificate.
 *
 * Where several certificates could be the issuer, each of them must do: other programs take one of them, and not the same.
 */
export function verifyCertificate(o: VerifyOptions): Verdict {
  const { leaf, usage, names, now } = o;
  const search: Search = { ...o, steps: 0, chain: [] };
  const isTrusted = isAmong(o.anchors, leaf) && (o.partialChain || isSignedBy(leaf, leaf));
  const found = [
    ...leafReasons(leaf, { usage, names, isTrusted }),
    ...commonReasons(leaf, now, usage),
    ...climb([leaf], search),
  ];
  const reasons = found.filter((one, i) =>
    found.findIndex((other) => other.certificate === one.certificate && other.message === one.message) === i
  );
  return { valid: reasons.length === 0, chain: search.chain, reasons };
}

/** What speaks against the chain above its last certificate. */
function climb(chain: readonly CertificateFacts[], search: Search): Reason[] {
  const current = chain.at(-1)!;
  if (search.chain.length === 0 || search.chain.every((one, i) => one === chain[i])) search.chain = chain;
  if (isSignedBy(current, current)) {
    if (isAmong(search.anchors, current)) return ownIdReasons(current);
    return [reasonFor(current, "untrusted-root", "it is self-signed and not among the trusted CAs")];
  }
  if (search.partialChain && isAmong(search.anchors, current)) return [];
  if (current.issuerDer === current.subjectDer && keyIdsFit(current, current)) {
    return [reasonFor(current, "bad-signature", "it names itself as its issuer, and its signature is not its own")];
  }
  if (chain.length === MAX_CHAIN) {
    return [reasonFor(current, "chain-too-long", `the chain has more than ${MAX_CHAIN} certificates`)];
  }
  const reasons = current.authorityKeyId?.keyId === undefined
    ? [reasonFor(current, "key-id-missing", "it has no authority key identifier")]
    : [];
  const issuers = findIssuers(chain, search);
  if (issuers.length === 0) reasons.push(issuerMissing(current, search));
  for (const issuer of issuers) {
    if (++search.steps > MAX_STEPS) {
      return [reasonFor(current, "chain-too-long", "too many certificates could be its issuer")];
    }
    if (!isSignedBy(current, issuer)) {
      const message = `its signature does not fit the key of "${issuer.subject}" (serial number ${issuer.serial})`;
      reasons.push(reasonFor(current, "bad-signature", message));
      continue;
    }
    reasons.push(
      ...issuerReasons(issuer, chain.length - 1),
      ...commonReasons(issuer, search.now, search.usage),
      ...climb([...chain, issuer], search),
    );
  }
  return reasons;
}

/** As OpenSSL looks: trusted ones first, above a trusted one no others, and expired ones only when there is no other. */
function findIssuers(chain: readonly CertificateFacts[], search: Search): readonly CertificateFacts[] {
  const current = chain.at(-1)!;
  const isCandidate = (one: CertificateFacts) =>
    one.subjectDer === current.issuerDer && keyIdsFit(current, one) && !isAmong(chain, one);
  const trusted = search.anchors.filter(isCandidate);
  const isAboveTrusted = chain.some((one) => isAmong(search.anchors, one));
  const all = trusted.length > 0 || isAboveTrusted ? trusted : search.intermediates.filter(isCandidate);
  const different = all.filter((one, i) => all.findIndex((other) => other.sha256 === one.sha256) === i);
  const present = different.filter(({ notBefore, notAfter }) => search.now >= notBefore && search.now < notAfter);
  return present.length > 0 ? present : different;
}

function keyIdsFit(child: CertificateFacts, issuer: CertificateFacts): boolean {
  const { keyId, serial, issuerDer } = child.authorityKeyId ?? {};
  return (keyId === undefined || issuer.subjectKeyId === undefined || keyId === issuer.subjectKeyId) &&
    (serial === undefined || serial === issuer.serial) &&
    (issuerDer === undefined || issuerDer === issuer.issuerDer);
}

/** A self-signed certificate that names another key as its issuer's is not self-signed for OpenSSL. */
function ownIdReasons(root: CertificateFacts): Reason[] {
  if (root.issuerDer === root.subjectDer && keyIdsFit(root, root)) return [];
  return [reasonFor(root, "not-conforming", "it is signed by its own key and names another issuer")];
}

function issuerMissing(current: CertificateFacts, search: Search): Reason {
  const others = [...search.anchors, ...search.intermediates].filter((one) =>
    one.subjectDer === current.issuerDer && one !== current
  );
  const missing = `its issuer "${current.issuer}" is not there`;
  const why = others.length > 0
    ? `${missing}; a CA of that name is, with another key`
    : isAmong(search.anchors, current)
    ? `it is trusted but not self-signed, and ${missing}`
    : missing;
  return reasonFor(current, "issuer-missing", why);
}

function isAmong(list: readonly CertificateFacts[], one: CertificateFacts): boolean {
  return list.some(({ sha256 }) => sha256 === one.sha256);
}
