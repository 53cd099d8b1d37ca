// SPDX-License-Identifier: Apache-2.0
/** Chains of certificates that are right, or wrong in one way each, with what a strict verifier must say of them. */

import { type Extension, GeneralName, GeneralSubtree, GeneralSubtrees, NameConstraints } from "@peculiar/asn1-x509";
import type { CertificateUsage, ReasonCode } from "../crypto/verify_rules.ts";
import {
  alternativeNames,
  authorityKeyId,
  basicConstraints,
  EXTENDED,
  extendedKeyUsage,
  extension,
  keyUsage,
  keyUsageBytes,
  makeKeys,
  makeOddCertificate,
  nameOf,
  type OddCertificate,
  type OddKeys,
  SHA1_ECDSA,
  SHA1_RSA,
  subjectKeyId,
  USAGE,
} from "./odd_certificates.ts";

type Der = Uint8Array<ArrayBuffer>;

/** What is asked of a verifier; certificates in DER. */
export interface VerifyQuestion {
  readonly leaf: Der;
  readonly intermediates: readonly Der[];
  readonly anchors: readonly Der[];
  readonly usage: CertificateUsage;
  readonly names: readonly string[];
}

export interface VerifyCase extends VerifyQuestion {
  readonly name: string;
  /** Empty: valid. */
  readonly reasons: readonly ReasonCode[];
  /** Verifiers that say valid where we must not: known, and the reason why we look at more than one. */
  readonly laxer: readonly ("go" | "openssl")[];
}

const DAY_MS = 24 * 3_600_000;

/** Days from now. */
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

/** A CA with its key, and certificates that are right unless told otherwise. */
export interface OddAuthority {
  readonly der: Der;
  readonly keys: OddKeys;
  readonly subject: string;
}

type Changes = Partial<OddCertificate>;

/** A CA of its own, or under `parent`. */
export function makeOddAuthority(
  o: Changes & { subject: string; parent?: OddAuthority; pathLength?: number; more?: readonly Extension[] },
): OddAuthority {
  const keys = o.keys ?? makeKeys("ecdsa-p256");
  const signer = o.parent?.keys ?? keys;
  const der = makeOddCertificate({
    issuer: o.parent?.subject ?? o.subject,
    signer,
    notBefore: inDays(-10),
    notAfter: inDays(100),
    extensions: [
      basicConstraints(true, o.pathLength),
      keyUsage(USAGE.keyCertSign | USAGE.cRLSign),
      subjectKeyId(keys.id),
      ...(o.parent ? [authorityKeyId(signer.id)] : []),
      ...(o.more ?? []),
    ],
    ...o,
    keys,
  });
  return { der, keys, subject: o.subject };
}

/** A server certificate for podvm-server under `ca`. */
export function makeOddLeaf(ca: OddAuthority, o: Changes = {}): Der {
  const keys = o.keys ?? makeKeys("ecdsa-p256");
  return makeOddCertificate({
    subject: "podvm-server",
    issuer: ca.subject,
    signer: ca.keys,
    notBefore: inDays(-1),
    notAfter: inDays(30),
    extensions: leafExtensions(ca.keys),
    ...o,
    keys,
  });
}

/** The extensions of a right leaf; those of the same number as one of `changed` give way to it, `left` are left out. */
export function leafExtensions(
  signer: OddKeys,
  changed: readonly Extension[] = [],
  left: readonly string[] = [],
): Extension[] {
  const plain = [
    basicConstraints(false),
    keyUsage(USAGE.digitalSignature),
    extendedKeyUsage(EXTENDED.server),
    authorityKeyId(signer.id),
    alternativeNames([{ dNSName: "podvm-server" }]),
  ];
  const gone = [...left, ...changed.map(({ extnID }) => extnID)];
  return [...plain.filter(({ extnID }) => !gone.includes(extnID)), ...changed];
}

function nameConstraints(dNSName: string): NameConstraints {
  const base = new GeneralName({ dNSName });
  return new NameConstraints({ permittedSubtrees: new GeneralSubtrees([new GeneralSubtree({ base })]) });
}

/** Every case, made anew. */
export function makeVerifyCases(): VerifyCase[] {
  const root = makeOddAuthority({ subject: "Root" });
  const leaf = (changed: readonly Extension[] = [], left: readonly string[] = [], o: Changes = {}) =>
    makeOddLeaf(root, { extensions: leafExtensions(root.keys, changed, left), ...o });
  const base = { intermediates: [], anchors: [root.der], usage: "server", names: ["podvm-server"], laxer: [] } as const;
  const good = (name: string, o: Partial<VerifyQuestion> = {}): VerifyCase => ({
    name,
    ...base,
    leaf: leaf(),
    reasons: [],
    ...o,
  });
  const bad = (name: string, reasons: readonly ReasonCode[], o: Partial<VerifyCase>): VerifyCase => ({
    name,
    ...base,
    leaf: leaf(),
    reasons,
    ...o,
  });
  const names = (...list: Parameters<typeof alternativeNames>[0]) => leaf([alternativeNames(list)]);

  const middle = makeOddAuthority({ subject: "Middle", parent: root });
  const lower = makeOddAuthority({ subject: "Lower", parent: middle });
  const under = (ca: OddAuthority, o: Changes = {}) => makeOddLeaf(ca, o);
  const withRoot = (o: Parameters<typeof makeOddAuthority>[0]) => {
    const ca = makeOddAuthority(o);
    return { leaf: makeOddLeaf(ca), anchors: [ca.der] };
  };
  const withMiddle = (o: Omit<Parameters<typeof makeOddAuthority>[0], "subject" | "parent">) => {
    const ca = makeOddAuthority({ subject: "Middle", parent: root, ...o });
    return { leaf: makeOddLeaf(ca), intermediates: [ca.der] };
  };
  const caExtensions = (id: OddKeys, changed: readonly Extension[], left: readonly string[] = []) => {
    const plain = [
      basicConstraints(true),
      keyUsage(USAGE.keyCertSign | USAGE.cRLSign),
      subjectKeyId(id.id),
      authorityKeyId(root.keys.id),
    ];
    const gone = [...left, ...changed.map(({ extnID }) => extnID)];
    return [...plain.filter(({ extnID }) => !gone.includes(extnID)), ...changed];
  };
  const oddMiddle = (changed: readonly Extension[], left: readonly string[] = []) => {
    const keys = makeKeys("ecdsa-p256");
    return withMiddle({ keys, extensions: caExtensions(keys, changed, left) });
  };
  const short = makeOddAuthority({ subject: "Short", pathLength: 0 });
  const belowShort = makeOddAuthority({ subject: "Below", parent: short });
  const foreign = makeOddAuthority({ subject: "Root" });
  const selfKeys = makeKeys("ecdsa-p256");
  const selfSigned = makeOddCertificate({
    subject: "podvm-server",
    keys: selfKeys,
    signer: selfKeys,
    notBefore: inDays(-1),
    notAfter: inDays(30),
    extensions: [...leafExtensions(selfKeys), subjectKeyId(selfKeys.id)],
  });
  const flipLast = (der: Der) => void (der[der.length - 1]! ^= 1);
  const rsa = makeKeys("rsa-2048");
  const rsaRoot = makeOddAuthority({ subject: "RSA root", keys: rsa });
  const stranger = makeOddAuthority({ subject: "Stranger" });

  return [
    good("a leaf under its root"),
    good("a leaf under two CAs", { leaf: under(lower), intermediates: [lower.der, middle.der] }),
    good("intermediates in another order", { leaf: under(lower), intermediates: [middle.der, lower.der] }),
    good("an intermediate among the trusted", { leaf: under(middle), anchors: [middle.der, root.der] }),
    good("several trusted", { anchors: [stranger.der, root.der] }),
    good("a CA and a foreign one of the same name, told apart by key identifiers", {
      anchors: [foreign.der, root.der],
    }),
    good("a wildcard", { leaf: names({ dNSName: "*.example.com" }), names: ["pod.example.com"] }),
    good("an IPv4 address", { leaf: names({ iPAddress: "10.0.0.7" }), names: ["10.0.0.7"] }),
    good("an IPv6 address", { leaf: names({ iPAddress: "2001:db8::7" }), names: ["2001:db8::7"] }),
    good("a name in capitals", { leaf: names({ dNSName: "PodVM-Server" }) }),
    good("several names", {
      leaf: names({ dNSName: "a.example" }, { iPAddress: "10.0.0.7" }),
      names: ["a.example", "10.0.0.7"],
    }),
    good("a name with an underscore", { leaf: names({ dNSName: "podvm_client" }), names: ["podvm_client"] }),
    good("no name asked for", { names: [] }),
    good("a client", { leaf: leaf([extendedKeyUsage(EXTENDED.client)]), usage: "client", names: [] }),
    good("a leaf for both sides", {
      leaf: leaf([extendedKeyUsage(EXTENDED.server, EXTENDED.client)]),
      usage: "client",
    }),
    good("a leaf without extended key usage", { leaf: leaf([], ["2.5.29.37"]) }),
    good("a CA whose usage allows servers", oddMiddle([extendedKeyUsage(EXTENDED.server)])),
    good("an extension that nobody knows", { leaf: leaf([extension("1.3.6.1.4.1.55555.1", nameOf("x"))]) }),
    good("a self-signed leaf that is trusted itself", { leaf: selfSigned, anchors: [selfSigned] }),
    ...(["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"] as const).map((type) =>
      good(
        `keys of type ${type}`,
        withRoot({ subject: `Root ${type}`, keys: type === "rsa-2048" ? rsa : makeKeys(type) }),
      )
    ),
    good("an RSA leaf under an ECDSA CA", { leaf: leaf([], [], { keys: rsa }) }),
    good("an ECDSA leaf under an RSA CA", { leaf: under(rsaRoot), anchors: [rsaRoot.der] }),

    bad("expired", ["expired"], { leaf: leaf([], [], { notAfter: inDays(-0.5) }) }),
    bad("not yet valid", ["not-yet-valid"], { leaf: leaf([], [], { notBefore: inDays(1) }) }),
    bad("an expired CA", ["expired"], withRoot({ subject: "Old", notAfter: inDays(-1) })),
    bad("an expired intermediate", ["expired"], withMiddle({ notAfter: inDays(-1) })),
    bad("another name", ["wrong-name"], { names: ["podvm-serve"] }),
    bad("a name only as common name", ["wrong-name"], { leaf: leaf([], ["2.5.29.17"]), laxer: ["openssl"] }),
    bad("a name that goes on behind a NUL", ["wrong-name"], { leaf: names({ dNSName: "podvm-server\0.example" }) }),
    bad("one of two names", ["wrong-name"], { names: ["podvm-server", "other"] }),
    bad("a wildcard for two labels", ["wrong-name"], {
      leaf: names({ dNSName: "*.example.com" }),
      names: ["a.b.example.com"],
    }),
    bad("a wildcard for none", ["wrong-name"], { leaf: names({ dNSName: "*.example.com" }), names: ["example.com"] }),
    bad("a wildcard right below the top", ["wrong-name"], {
      leaf: names({ dNSName: "*.com" }),
      names: ["example.com"],
      laxer: ["go"],
    }),
    bad("a wildcard in a part of a label", ["wrong-name"], {
      leaf: names({ dNSName: "pod*.example.com" }),
      names: ["pod1.example.com"],
      laxer: ["openssl"],
    }),
    bad("a wildcard for an underscore", ["wrong-name"], {
      leaf: names({ dNSName: "*.example.com" }),
      names: ["a_b.example.com"],
      laxer: ["go"],
    }),
    bad("another address", ["wrong-name"], { leaf: names({ iPAddress: "10.0.0.7" }), names: ["10.0.0.8"] }),
    bad("an address as a DNS name", ["wrong-name"], { leaf: names({ dNSName: "10.0.0.7" }), names: ["10.0.0.7"] }),
    bad("a server for a client", ["wrong-usage"], { usage: "client" }),
    bad("a client for a server", ["wrong-usage"], { leaf: leaf([extendedKeyUsage(EXTENDED.client)]) }),
    bad("any usage", ["wrong-usage"], { leaf: leaf([extendedKeyUsage(EXTENDED.any)]), laxer: ["go"] }),
    bad("a CA whose usage is clients only", ["wrong-usage"], oddMiddle([extendedKeyUsage(EXTENDED.client)])),
    bad("a leaf that may not sign", ["wrong-usage"], { leaf: leaf([keyUsage(2)]), laxer: ["go"] }),
    bad("a leaf that may sign certificates", ["wrong-usage"], {
      leaf: leaf([keyUsage(USAGE.digitalSignature | USAGE.keyCertSign)]),
      laxer: ["go"],
    }),
    bad("a leaf that is a CA", ["leaf-is-ca"], {
      leaf: leaf([
        basicConstraints(true),
        subjectKeyId(makeKeys("ecdsa-p256").id),
        keyUsage(USAGE.digitalSignature | USAGE.keyCertSign),
      ]),
      laxer: ["go", "openssl"],
    }),
    bad("a CA without basic constraints", ["not-a-ca"], oddMiddle([], ["2.5.29.19"])),
    bad("a CA that says it is none", ["not-a-ca"], oddMiddle([basicConstraints(false)])),
    bad("a CA without keyCertSign", ["not-a-ca"], oddMiddle([keyUsage(USAGE.cRLSign)])),
    bad("a CA without key usage", ["not-a-ca"], { ...oddMiddle([], ["2.5.29.15"]), laxer: ["go"] }),
    bad(
      "a root without keyCertSign",
      ["not-a-ca"],
      (() => {
        const keys = makeKeys("ecdsa-p256");
        const extensions = [basicConstraints(true), keyUsage(USAGE.cRLSign), subjectKeyId(keys.id)];
        return withRoot({ subject: "Weak root", keys, extensions });
      })(),
    ),
    bad(
      "a leaf that issued another",
      ["not-a-ca", "key-id-missing"],
      (() => {
        const keys = makeKeys("ecdsa-p256");
        const issuer = { der: leaf([], [], { keys, subject: "Leaf" }), keys, subject: "Leaf" };
        return { leaf: makeOddLeaf(issuer), intermediates: [issuer.der] };
      })(),
    ),
    bad("a path that is too long", ["path-too-long"], {
      leaf: under(belowShort),
      intermediates: [belowShort.der],
      anchors: [short.der],
    }),
    bad("a CA without subject key identifier", ["key-id-missing"], {
      ...oddMiddle([], ["2.5.29.14"]),
      laxer: ["go"],
    }),
    bad("a leaf without authority key identifier", ["key-id-missing"], {
      leaf: leaf([], ["2.5.29.35"]),
      laxer: ["go"],
    }),
    bad("a CA and a foreign one of the same name, not told apart", ["key-id-missing", "bad-signature"], {
      leaf: leaf([], ["2.5.29.35"]),
      anchors: [foreign.der, root.der],
      laxer: ["go"],
    }),
    bad("a missing intermediate", ["issuer-missing"], { leaf: under(middle) }),
    bad("a foreign CA", ["issuer-missing"], { anchors: [stranger.der] }),
    bad("a foreign CA of the same name", ["issuer-missing"], { anchors: [foreign.der] }),
    bad("a foreign CA of the same name, without key identifier", ["key-id-missing", "bad-signature"], {
      leaf: leaf([], ["2.5.29.35"]),
      anchors: [foreign.der],
    }),
    bad("an intermediate as the only anchor", ["issuer-missing"], {
      leaf: under(middle),
      anchors: [middle.der],
      laxer: ["go"],
    }),
    bad("a self-signed leaf", ["untrusted-root"], { leaf: selfSigned }),
    bad("a root that only the peer sends", ["untrusted-root"], {
      leaf: leaf(),
      intermediates: [root.der],
      anchors: [stranger.der],
    }),
    bad("a changed signature", ["bad-signature"], { leaf: leaf([], [], { edit: flipLast }) }),
    bad("a changed signature of an intermediate", ["bad-signature"], withMiddle({ edit: flipLast })),
    bad("changed contents", ["bad-signature"], {
      leaf: leaf([], [], {
        edit(der) {
          der.set(new TextEncoder().encode("x"), new TextDecoder("latin1").decode(der).lastIndexOf("podvm-server"));
        },
      }),
      names: [],
    }),
    bad("a SHA-1 signature", ["not-conforming", "bad-signature"], {
      leaf: under(rsaRoot, { signature: SHA1_RSA }),
      anchors: [rsaRoot.der],
      laxer: ["openssl"],
    }),
    bad("a SHA-1 signature with ECDSA", ["not-conforming", "bad-signature"], {
      leaf: leaf([], [], { signature: SHA1_ECDSA }),
      laxer: ["openssl"],
    }),
    bad("a short RSA key", ["not-conforming"], {
      leaf: leaf([], [], { keys: makeKeys("rsa-1024") }),
      laxer: ["go", "openssl"],
    }),
    bad("a critical extension that nobody knows", ["not-conforming"], {
      leaf: leaf([extension("1.3.6.1.4.1.55555.1", nameOf("x"), true)]),
    }),
    bad(
      "a CA with a critical extension that nobody knows",
      ["not-conforming"],
      oddMiddle([
        extension("1.3.6.1.4.1.55555.1", nameOf("x"), true),
      ]),
    ),
    bad("name constraints", ["not-conforming"], {
      ...oddMiddle([extension("2.5.29.30", nameConstraints("example.com"), true)]),
    }),
    bad("name constraints that are not critical", ["not-conforming"], {
      ...oddMiddle([extension("2.5.29.30", nameConstraints("example.com"))]),
    }),
    bad("name constraints that allow the name", ["not-conforming"], {
      ...oddMiddle([extension("2.5.29.30", nameConstraints("podvm-server"), true)]),
      laxer: ["go", "openssl"],
    }),
    bad("an extension twice", ["not-conforming"], {
      leaf: leaf([alternativeNames([{ dNSName: "b" }]), alternativeNames([{ dNSName: "podvm-server" }])]),
    }),
    bad("constraints of a CA that are not critical", ["not-conforming"], {
      ...oddMiddle([basicConstraints(true, undefined, false)]),
      laxer: ["go"],
    }),
    bad("a path length of a leaf", ["not-conforming"], { leaf: leaf([basicConstraints(false, 0)]), laxer: ["go"] }),
    bad("a key usage with bits behind its end", ["not-conforming"], {
      leaf: leaf([keyUsageBytes([0x03, 0x02, 0x01, 0x81])]),
      laxer: ["openssl"],
    }),
    bad("an alternative name with a string of no kind", ["not-conforming"], {
      leaf: names({ dNSName: "podvm-server" }, { directoryName: nameOf(new Uint8Array([0x42, 1, 0x71])) }),
      laxer: ["go"],
    }),
    bad("X.509 version 1", ["not-conforming", "wrong-name", "key-id-missing"], {
      leaf: leaf([], [], { version: 0, extensions: [] }),
      laxer: ["openssl"],
    }),
    bad("a negative serial number", ["not-conforming"], {
      leaf: leaf([], [], { serial: new Uint8Array([0x80, 1]) }),
      laxer: ["openssl"],
    }),
    bad("no names at all", ["not-conforming", "wrong-name"], { leaf: leaf([], ["2.5.29.17"], { subject: "" }) }),
  ];
}
