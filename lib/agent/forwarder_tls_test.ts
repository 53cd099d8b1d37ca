// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import type { ApfConfig } from "../guest/apf_config.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { type ForwarderTlsSources, loadForwarderTls } from "./forwarder_tls.ts";

const noFiles = { caFile: "", certFile: "", keyFile: "" };
const empty: ApfConfig = { "pod-network": null, "pod-namespace": "n", "pod-name": "p" };

function load(sources: Partial<ForwarderTlsSources>) {
  return loadForwarderTls({ files: noFiles, config: empty, configPath: "/x/apf.json", skipVerify: false, ...sources });
}

/** What the worker node of one pod VM would write. */
async function automatic() {
  const tls = await createAutomaticTls();
  const server = await tls.issueServer("podvm-a");
  const config: ApfConfig = {
    ...empty,
    "tls-server-cert": server.cert,
    "tls-server-key": server.key,
    "tls-client-ca": tls.client.cert,
  };
  return { tls, server, config };
}

/** Writes the three files into `dir`. */
async function writeFiles(dir: string, texts: { ca: string; cert: string; key: string }) {
  const files = { caFile: join(dir, "ca"), certFile: join(dir, "cert"), keyFile: join(dir, "key") };
  await Deno.writeTextFile(files.caFile, texts.ca);
  await Deno.writeTextFile(files.certFile, texts.cert);
  await Deno.writeTextFile(files.keyFile, texts.key);
  return files;
}

Deno.test("loadForwarderTls() takes everything from the configuration", async () => {
  const { config, server, tls } = await automatic();
  const loaded = load({
    config: {
      ...config,
      "tls-min-version": "VersionTLS12",
      "tls-cipher-suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
    },
  });
  assert.deepEqual(loaded, {
    credentials: { ca: tls.client.cert, cert: server.cert, key: server.key },
    profile: { minVersion: "VersionTLS12", cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"] },
    requireClientCert: true,
  });
});

Deno.test("loadForwarderTls() prefers files, each for itself", () =>
  withTempDir(async (dir) => {
    const { config, tls } = await automatic();
    const other = await automatic();
    const files = await writeFiles(dir, { ca: other.tls.client.cert, ...other.server });
    const all = load({ config, files });
    assert.deepEqual(all.credentials, { ca: other.tls.client.cert, ...other.server });
    const withoutCa = load({ config, files: { ...files, caFile: "" } });
    assert.deepEqual(withoutCa.credentials, { ca: tls.client.cert, ...other.server });
  }));

Deno.test("loadForwarderTls() needs a CA for clients, unless anyone is let in on purpose, and never both", async () => {
  const { "tls-client-ca": _ca, ...withoutCa } = (await automatic()).config;
  assert.throws(() => load({ config: withoutCa }), { kind: "config", message: /no CA for clients/ });
  assert.equal(load({ config: withoutCa, skipVerify: true }).requireClientCert, false);
  const { config } = await automatic();
  assert.throws(() => load({ config, skipVerify: true }), {
    kind: "config",
    message: 'Cannot skip the verification of clients: a CA for them is given, "tls-client-ca" in "/x/apf.json"',
  });
});

Deno.test("loadForwarderTls() names what is missing", async () => {
  const { config } = await automatic();
  assert.throws(() => load({}), {
    kind: "config",
    message:
      'Cannot serve TLS: no server certificate, missing "tls-server-cert" in "/x/apf.json" and "tls-server-key" in "/x/apf.json"',
  });
  const { "tls-server-key": _key, ...withoutKey } = config;
  assert.throws(() => load({ config: withoutKey }), { kind: "config", message: /missing "tls-server-key" in/ });
  assert.throws(() => load({ config, files: { ...noFiles, certFile: "/c" } }), {
    kind: "config",
    message: /one is missing/,
  });
  assert.throws(() => load({ config, files: { ...noFiles, keyFile: "/k" } }), {
    kind: "config",
    message: /one is missing/,
  });
});

Deno.test("loadForwarderTls() names the text that cannot be used, and never quotes it", () =>
  withTempDir(async (dir) => {
    const { config, server } = await automatic();
    const other = (await automatic()).server;
    const bad: [Partial<ForwarderTlsSources>, RegExp][] = [
      [{ config: { ...config, "tls-server-cert": "SECRET" } }, /"tls-server-cert" in "\/x\/apf\.json"/],
      [{ config: { ...config, "tls-server-key": "SECRET" } }, /"tls-server-key" in "\/x\/apf\.json"/],
      [{ config: { ...config, "tls-server-key": other.key } }, /"tls-server-key" in .* does not belong/],
      [{ config: { ...config, "tls-client-ca": "SECRET" } }, /"tls-client-ca" in "\/x\/apf\.json"/],
      [{ config: { ...config, "tls-min-version": "VersionTLS11" } }, /VersionTLS11/],
      [{ config, files: { ...noFiles, caFile: join(dir, "absent") } }, /CA file ".*absent": there is no such file/],
    ];
    const files = await writeFiles(dir, { ca: "SECRET", cert: server.cert, key: other.key });
    bad.push([{ config, files }, /CA file/], [
      { config, files: { ...files, caFile: "" } },
      /private key file .* does not belong/,
    ]);
    for (const [sources, message] of bad) {
      assert.throws(() => load(sources), (error: Error & { kind?: string }) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /SECRET/);
        return error.kind === "config";
      });
    }
  }));
