// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { callBuiltin, checkCalls } from "../../testing/rego/builtin_calls.ts";

const SECRET = "a secret of more than thirty-two bytes";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const ed25519 = generateKeyPairSync("ed25519");
const curves = ["P-256", "P-384", "P-521"].map((namedCurve) => generateKeyPairSync("ec", { namedCurve }));

interface Signer {
  readonly alg: string;
  readonly verify: string;
  readonly jwk: Record<string, unknown>;
  readonly publicKey: KeyObject | undefined;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function jwk(key: KeyObject): Record<string, unknown> {
  return key.export({ format: "jwk" }) as Record<string, unknown>;
}

function pem(key: KeyObject): string {
  return key.export({ type: "spki", format: "pem" }) as string;
}

const SIGNERS: readonly Signer[] = ["256", "384", "512"].flatMap((bits, index): Signer[] => {
  const curve = curves[index] as typeof ed25519;
  return [
    { alg: `RS${bits}`, verify: `rs${bits}`, jwk: jwk(rsa.privateKey), publicKey: rsa.publicKey },
    { alg: `PS${bits}`, verify: `ps${bits}`, jwk: jwk(rsa.privateKey), publicKey: rsa.publicKey },
    { alg: `ES${bits}`, verify: `es${bits}`, jwk: jwk(curve.privateKey), publicKey: curve.publicKey },
    { alg: `HS${bits}`, verify: `hs${bits}`, jwk: { kty: "oct", k: base64url(SECRET) }, publicKey: undefined },
  ];
}).concat([{ alg: "EdDSA", verify: "eddsa", jwk: jwk(ed25519.privateKey), publicKey: ed25519.publicKey }]);

function signed(signer: Signer, payload: unknown, header: Record<string, unknown> = {}): string {
  return JSON.parse(
    callBuiltin("io.jwt.encode_sign", [{ alg: signer.alg, typ: "JWT", ...header }, payload, signer.jwk]),
  );
}

/** Changes the first character of the signature. */
function damaged(token: string): string {
  const [header, payload, signature = ""] = token.split(".");
  return `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
}

Deno.test("io.jwt.verify_* accepts what encode_sign signed and nothing else", () => {
  for (const signer of SIGNERS) {
    const token = signed(signer, { sub: "x" });
    const key = signer.publicKey ? pem(signer.publicKey) : SECRET;
    const name = `io.jwt.verify_${signer.verify}`;
    checkCalls([[name, [token, key], "true"], [name, [damaged(token), key], "false"]]);
    for (const other of SIGNERS.filter(({ publicKey }) => publicKey !== signer.publicKey && publicKey !== undefined)) {
      checkCalls([[name, [token, pem(other.publicKey as KeyObject)], "false"]]);
    }
  }
});

Deno.test("io.jwt.verify_* picks the key of a set by its id, then by its algorithm", () => {
  const signer = SIGNERS[0] as Signer;
  const token = signed(signer, {}, { kid: "b" });
  const right = jwk(rsa.publicKey);
  const wrong = jwk(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey);
  const keys = (...all: unknown[]) => JSON.stringify({ keys: all });
  checkCalls([
    ["io.jwt.verify_rs256", [token, keys({ ...wrong, kid: "a" }, { ...right, kid: "b" })], "true"],
    ["io.jwt.verify_rs256", [token, keys({ ...right, kid: "a" }, { ...wrong, kid: "b" })], "false"],
    ["io.jwt.verify_rs256", [token, keys({ ...wrong, kid: "x" }, { ...right, kid: "y" })], "true"],
    ["io.jwt.verify_rs256", [token, keys({ ...right, alg: "RS512" })], "false"],
    ["io.jwt.verify_rs256", [token, keys({ ...right, alg: "RSA-OAEP" })], "false"],
    ["io.jwt.verify_rs256", [token, JSON.stringify(signer.jwk)], "false"],
    [
      "io.jwt.verify_rs256",
      [token, `${pem(rsa.publicKey)}x`],
      "eval_builtin_error: io.jwt.verify_rs256: extra data after a PEM certificate block",
    ],
  ]);
});

Deno.test("io.jwt.decode_verify() never lets a public key pass as a secret, or a token without signature", () => {
  const cert = pem(rsa.publicKey);
  const forged = signed({ ...(SIGNERS[3] as Signer), jwk: { kty: "oct", k: base64url(cert) } }, { sub: "x" });
  const none = `${base64url('{"alg":"none"}')}.${base64url("{}")}.`;
  checkCalls([
    ["io.jwt.decode_verify", [forged, { cert }], "[false,{},{}]"],
    ["io.jwt.decode_verify", [none, { cert }], "[false,{},{}]"],
    ["io.jwt.decode_verify", [none, { secret: SECRET }], "[false,{},{}]"],
    ["io.jwt.decode_verify", [signed(SIGNERS[0] as Signer, {}), { secret: SECRET }], "[false,{},{}]"],
  ]);
});

Deno.test("io.jwt.decode_verify() holds the claims against the constraints and the clock", () => {
  const signer = SIGNERS.find(({ alg }) => alg === "HS256") as Signer;
  const verify = (payload: unknown, constraints: Record<string, unknown> = {}, now = 100n) =>
    JSON.parse(
      callBuiltin("io.jwt.decode_verify", [signed(signer, payload), { secret: SECRET, ...constraints }], {
        now: now * 1_000_000_000n,
      }),
    )[0];
  assert.equal(verify({}), true);
  assert.equal(verify({ exp: 101 }), true);
  assert.equal(verify({ exp: 100 }), false);
  assert.equal(verify({ exp: 100.5 }), true);
  assert.equal(verify({ nbf: 100 }), true);
  assert.equal(verify({ nbf: 101 }), false);
  assert.equal(verify({ exp: 200 }, { time: 300_000_000_000 }), false);
  assert.equal(verify({ iss: "a" }, { iss: "a" }), true);
  assert.equal(verify({ iss: "b" }, { iss: "a" }), false);
  assert.equal(verify({}, { iss: "a" }), false);
  assert.equal(verify({ aud: "a" }), false);
  assert.equal(verify({ aud: ["b", "a"] }, { aud: "a" }), true);
  assert.equal(verify({ aud: ["b"] }, { aud: "a" }), false);
  assert.equal(verify({}, { aud: "a" }), false);
  assert.equal(verify({}, { alg: "HS512" }), false);
});

Deno.test("io.jwt.* say what is wrong with a token, a constraint or a key", () => {
  const header = base64url('{"alg":"HS256"}');
  const critical = base64url('{"alg":"HS256","crit":["x"],"x":1}');
  checkCalls([
    ["io.jwt.decode", ["x"], "eval_builtin_error: io.jwt.decode: encoded JWT had no period separators"],
    ["io.jwt.decode", ["a.b"], "eval_builtin_error: io.jwt.decode: encoded JWT must have 3 sections, found 2"],
    ["io.jwt.decode", [`${header}.${base64url('{"a":1}')}.AQID`], '[{"alg":"HS256"},{"a":1},"010203"]'],
    ["io.jwt.decode", [1], "eval_type_error: io.jwt.decode: operand 1 must be string but got number"],
    ["io.jwt.decode_verify", ["a.b.c", {}], "eval_builtin_error: io.jwt.decode_verify: no key constraint"],
    [
      "io.jwt.decode_verify",
      ["a.b.c", { secret: "a", x: 1 }],
      "eval_builtin_error: io.jwt.decode_verify: unknown token validation constraint: x",
    ],
    ["io.jwt.decode_verify", [`${critical}.e30.AQID`, { secret: "a" }], "[false,{},{}]"],
    [
      "io.jwt.encode_sign_raw",
      ['{"alg":"HS256"}', "x", '{"kty":"oct","k":"AAAA"}'],
      "eval_builtin_error: io.jwt.encode_sign_raw: type is JWT but payload is not JSON",
    ],
    [
      "io.jwt.encode_sign_raw",
      ['{"alg":"x"}', "{}", '{"kty":"oct","k":"AAAA"}'],
      "eval_builtin_error: io.jwt.encode_sign_raw: unknown JWS algorithm: x",
    ],
    [
      "io.jwt.encode_sign_raw",
      ['{"alg":"RS256"}', "{}", '{"kty":"oct","k":"AAAA"}'],
      "eval_builtin_error: io.jwt.encode_sign_raw: failed to sign: RS256 needs a key of type RSA",
    ],
  ]);
});
