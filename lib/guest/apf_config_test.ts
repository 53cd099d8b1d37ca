// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { type ApfConfig, encodeApfConfig, MAX_APF_CONFIG_BYTES, parseApfConfig } from "./apf_config.ts";

const full: ApfConfig = {
  "pod-network": { podip: "10.1.2.3/24", mtu: 1450, routes: [{ dst: "", gw: "10.1.2.1" }] },
  "pod-namespace": "default",
  "pod-name": "web",
  "tls-server-key": "KEY\n",
  "tls-server-cert": "CERT\n",
  "tls-client-ca": "CA\n",
  "tls-min-version": "VersionTLS12",
  "tls-cipher-suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
};

Deno.test("parseApfConfig() reads back what encodeApfConfig() wrote", () => {
  assert.deepEqual(parseApfConfig(encodeApfConfig(full), "apf.json"), full);
});

Deno.test("encodeApfConfig() leaves out empty TLS values", () => {
  const text = encodeApfConfig({ "pod-network": null, "pod-namespace": "n", "pod-name": "p", "tls-client-ca": "" });
  assert.deepEqual(JSON.parse(text), { "pod-network": null, "pod-namespace": "n", "pod-name": "p" });
});

Deno.test("parseApfConfig() takes null and absent keys as empty and ignores unknown keys", () => {
  const text = '{"pod-name":null,"tls-cipher-suites":null,"tls-client-ca":"","sc-pp-prv":null,"new":{"a":1}}';
  assert.deepEqual(parseApfConfig(text, "apf.json"), { "pod-network": null, "pod-namespace": "", "pod-name": "" });
});

Deno.test("parseApfConfig() tells where bad JSON is, without quoting it", () => {
  assert.throws(() => parseApfConfig('{\n "tls-server-key": SECRET\n}', "/x/apf.json"), {
    kind: "config",
    message: 'Cannot read "/x/apf.json": it is not JSON at line 2, column 20',
  });
});

Deno.test("parseApfConfig() names the key of a value of the wrong type", () => {
  const cases: [string, string][] = [
    ["[]", "the JSON value should be an object"],
    ["null", "the JSON value should be an object"],
    ['{"pod-name":1}', '"pod-name" should be a string'],
    ['{"pod-network":"x"}', '"pod-network" should be an object or null'],
    ['{"pod-network":[]}', '"pod-network" should be an object or null'],
    ['{"tls-server-key":["SECRET"]}', '"tls-server-key" should be a string'],
    ['{"tls-cipher-suites":"x"}', '"tls-cipher-suites" should be a list of strings'],
    ['{"tls-cipher-suites":[1]}', '"tls-cipher-suites.0" should be a string'],
  ];
  for (const [text, why] of cases) {
    assert.throws(() => parseApfConfig(text, "a"), { kind: "config", message: `Cannot use "a": ${why}` }, text);
  }
});

Deno.test("parseApfConfig() refuses a text over the limit", () => {
  const text = JSON.stringify({ "pod-name": "x".repeat(MAX_APF_CONFIG_BYTES) });
  assert.throws(() => parseApfConfig(text, "a"), { kind: "limit" });
});
