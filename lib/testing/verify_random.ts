// SPDX-License-Identifier: Apache-2.0
/** Makes random chains of certificates, most of them with something odd in them, from a seed. */

import {
  AuthorityKeyIdentifier,
  CertificatePolicies,
  type Extension,
  GeneralName,
  KeyIdentifier,
  PolicyInformation,
} from "@peculiar/asn1-x509";
import {
  alternativeNames,
  authorityKeyId,
  basicConstraints,
  EXTENDED,
  extendedKeyUsage,
  extension,
  keyUsage,
  makeKeys,
  makeOddCertificate,
  nameOf,
  type OddCertificate,
  type OddKeys,
  subjectKeyId,
  USAGE,
} from "./odd_certificates.ts";
import { createSeededRandom, type SeededRandom } from "./seeded_random.ts";
import type { VerifyQuestion } from "./verify_cases.ts";

const DAY_MS = 24 * 3_600_000;

/** One chance in so many for each odd thing: about half of the chains have none. */
const ODDITY = 60;

/** Keys to draw from: making RSA keys takes long. */
export function makeKeyPool(): OddKeys[] {
  return [
    ...Array.from({ length: 6 }, () => makeKeys("ecdsa-p256")),
    makeKeys("ecdsa-p384"),
    makeKeys("ed25519"),
    makeKeys("rsa-2048"),
  ];
}

interface Made {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly keys: OddKeys;
  readonly subject: string;
}

/** The chain number `seed`: the same again but for its keys and dates. */
export function makeRandomQuestion(seed: number, pool: readonly OddKeys[]): VerifyQuestion {
  const random = createSeededRandom(seed);
  const usage = random.pick([["server", 3], ["client", 1]] as const);
  const name = random.pick([["podvm-server", 4], ["a.example.com", 2], ["10.0.0.7", 1], ["podvm_client", 1]] as const);
  const middles = random.pick([[0, 3], [1, 3], [2, 2], [3, 1]] as const);
  const chain: Made[] = [];
  for (let i = 0; i <= middles; i++) {
    chain.push(makeOne({ random, pool, parent: chain[i - 1], usage, below: middles - i }));
  }
  const leaf = makeOne({ random, pool, parent: chain.at(-1), usage, below: -1, name });
  const [root, ...intermediates] = chain;
  const anchors = [root!];
  // Twins: another certificate of a CA's name, with the same key or another one.
  for (const [i, ca] of chain.entries()) {
    if (!rarely(random, 8)) continue;
    const keys = random.pick([[ca.keys, 1], [pool[random.below(pool.length)]!, 1]]);
    const twin = makeOne({
      random,
      pool,
      parent: chain[i - 1],
      usage,
      below: middles - i,
      as: { subject: ca.subject, keys },
    });
    (random.pick([[anchors, 1], [intermediates, 1]])).push(twin);
  }
  if (rarely(random, 12) && intermediates.length > 0) anchors.push(intermediates[0]!);
  if (rarely(random, 12)) intermediates.push(root!);
  if (rarely(random, 30)) anchors.shift();
  if (rarely(random, 40)) anchors.push(leaf);
  if (rarely(random, 3)) intermediates.reverse();
  if (anchors.length === 0) anchors.push(leaf);
  return {
    leaf: leaf.der,
    intermediates: intermediates.map(({ der }) => der),
    anchors: anchors.map(({ der }) => der),
    usage,
    names: [name],
  };
}

interface One {
  readonly random: SeededRandom;
  readonly pool: readonly OddKeys[];
  readonly parent: Made | undefined;
  readonly usage: "server" | "client";
  /** CAs below it; -1 for a leaf. */
  readonly below: number;
  readonly name?: string;
  readonly as?: { readonly subject: string; readonly keys: OddKeys };
}

function makeOne(o: One): Made {
  const { random, pool, parent, below } = o;
  const keys = o.as?.keys ?? pool[random.below(pool.length)]!;
  const own: string = below < 0 ? "leaf" : `CA ${below}`;
  const subject = o.as?.subject ?? (rarely(random, ODDITY) ? parent?.subject ?? "" : rarely(random, ODDITY) ? "" : own);
  const signer = rarely(random, ODDITY) ? pool[random.below(pool.length)]! : parent?.keys ?? keys;
  const certificate: OddCertificate = {
    subject,
    issuer: rarely(random, ODDITY) ? "Nobody" : parent?.subject ?? subject,
    keys,
    signer,
    notBefore: days(random.pick([[-10, ODDITY], [1, 1]])),
    notAfter: days(random.pick([[10, ODDITY], [-1, 1], [9000, 3], [-5, 1]])),
    extensions: shuffled(random, below < 0 ? leafParts(o, signer) : caParts(o, keys, signer)),
    version: random.pick([[2, 2 * ODDITY], [1, 1], [0, 1]]),
    ...(rarely(random, 6) && { editSigned: (der: Uint8Array<ArrayBuffer>) => flip(random, der) }),
    ...(rarely(random, ODDITY) && { edit: (der: Uint8Array<ArrayBuffer>) => flip(random, der) }),
  };
  return { der: makeOddCertificate(certificate), keys, subject };
}

function caParts({ random, parent, below, usage }: One, keys: OddKeys, signer: OddKeys): Extension[] {
  const odd = () => rarely(random, ODDITY);
  return [
    ...(odd() ? [] : [
      basicConstraints(!odd(), random.pick([[undefined, 4], [below, 2], [below + 1, 1], [0, 0.2]]), !odd()),
    ]),
    ...(odd() ? [] : [keyUsage(odd() ? USAGE.cRLSign : USAGE.keyCertSign | USAGE.cRLSign, !odd())]),
    ...(odd() ? [] : [subjectKeyId(odd() ? signer.id : keys.id, odd())]),
    ...(parent === undefined && rarely(random, 2) ? [] : authorityParts(random, signer)),
    ...(rarely(random, 8) ? [extendedKeyUsage(...usages(random, usage))] : []),
    ...(odd() ? [alternativeNames([{ dNSName: "ca.example.com" }])] : []),
    ...moreParts(random),
  ];
}

function leafParts({ random, usage, name = "" }: One, signer: OddKeys): Extension[] {
  const odd = () => rarely(random, ODDITY);
  return [
    ...(rarely(random, 10) ? [] : [basicConstraints(odd(), odd() ? 0 : undefined, !odd())]),
    ...(rarely(random, 10) ? [] : [
      keyUsage(
        random.pick([[1, ODDITY], [USAGE.keyEncipherment, 1], [5, 10], [USAGE.keyCertSign | 1, 1], [8, 1]]),
        !odd(),
      ),
    ]),
    ...(rarely(random, 10) ? [] : [extendedKeyUsage(...usages(random, usage))]),
    ...authorityParts(random, signer),
    ...(rarely(random, 3) ? [subjectKeyId(signer.id.toReversed(), odd())] : []),
    ...(odd() ? [] : [alternativeNames(leafNames(random, name), rarely(random, 10))]),
    ...moreParts(random),
  ];
}

function authorityParts(random: SeededRandom, signer: OddKeys): Extension[] {
  if (rarely(random, ODDITY)) return [];
  if (!rarely(random, 20)) return [authorityKeyId(rarely(random, ODDITY) ? signer.id.toReversed() : signer.id)];
  const authority = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(signer.id) });
  authority.authorityCertIssuer = [new GeneralName({ directoryName: nameOf("CA 0") })];
  authority.authorityCertSerialNumber = new Uint8Array([1]).buffer;
  return [extension("2.5.29.35", authority)];
}

function usages(random: SeededRandom, usage: "server" | "client"): string[] {
  return random.pick<string[]>([
    [[EXTENDED[usage]], 20],
    [[EXTENDED.server, EXTENDED.client], 10],
    [[EXTENDED.any], 1],
    [[EXTENDED[usage === "server" ? "client" : "server"]], 1],
    [[EXTENDED[usage], "1.2.3.4"], 2],
  ]);
}

function leafNames(random: SeededRandom, name: string): Partial<GeneralName>[] {
  const right: Partial<GeneralName> = /^[\d.]+$/.test(name) ? { iPAddress: name } : { dNSName: name };
  return random.pick<Partial<GeneralName>[]>([
    [[right], 20],
    [[{ dNSName: name.replace(/^[^.]+/, "*") }], 2],
    [[{ dNSName: name.toUpperCase() }], 1],
    [[{ dNSName: `${name}.` }], 1],
    [[{ dNSName: "other" }, right, { rfc822Name: "a@example.com" }], 4],
    [[right, { uniformResourceIdentifier: "spiffe://example.org/ns/a" }], 3],
    [[right, { uniformResourceIdentifier: "http://a_b.example/%zz" }], 1],
    [[{ dNSName: name }], 1],
    [[{ directoryName: nameOf("podvm-server") }], 1],
    [[right, { registeredID: "1.2.3.4" }], 1],
  ]);
}

/** Extensions that say something more. */
function moreParts(random: SeededRandom): Extension[] {
  if (!rarely(random, 8)) return [];
  const policies = new CertificatePolicies([new PolicyInformation({ policyIdentifier: "1.2.3.4" })]);
  return random.pick<Extension[]>([
    [[extension("2.5.29.32", policies, rarely(random, 4))], 4],
    [[extension("1.3.6.1.4.1.55555.1", nameOf("x"))], 4],
    [[extension("1.3.6.1.4.1.55555.1", nameOf("x"), true)], 1],
    [[extension("2.5.29.18", nameOf("issuer"))], 1],
    [[alternativeNames([{ dNSName: "twice" }])], 1],
  ]);
}

/** Changes one byte, or a few. */
function flip(random: SeededRandom, der: Uint8Array): void {
  for (let i = random.pick([[1, 3], [2, 1]]); i > 0; i--) {
    der[random.below(der.length)] = random.pick([[random.below(256), 3], [0x30, 1], [0x0c, 1], [0x13, 1], [0, 1], [
      0xff,
      1,
    ]]);
  }
}

function shuffled<T>(random: SeededRandom, list: T[]): T[] {
  if (rarely(random, 3)) list.reverse();
  return list;
}

function rarely(random: SeededRandom, oneIn: number): boolean {
  return random.below(oneIn) === 0;
}

function days(count: number): Date {
  return new Date(Date.now() + count * DAY_MS);
}
