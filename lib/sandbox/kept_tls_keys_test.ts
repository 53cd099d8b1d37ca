// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { generateAutomaticTlsKeys, openAutomaticTls } from "../crypto/automatic.ts";
import { createFakeClock } from "../testing/fake_clock.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { keepTlsKeys } from "./kept_tls_keys.ts";

const log = getLogger(["peerctl", "test"]);
const clock = createFakeClock(Date.now());
const YEAR_MS = 365 * 24 * 3_600_000;

Deno.test("W2: keepTlsKeys() gives a restarted caa the CA and the client certificate it had", async () => {
  await withTempDir(async (parent) => {
    const dir = join(parent, "tls");
    const first = await keepTlsKeys({ dir, clock, log });
    assert.deepEqual(await keepTlsKeys({ dir, clock, log }), first);
    for (const { name } of Deno.readDirSync(dir)) {
      assert.equal((Deno.statSync(join(dir, name)).mode ?? 0) & 0o777, 0o600, name);
    }
    const before = await (await openAutomaticTls(first)).issueServer("podvm-a");
    assert.ok(new X509Certificate(before.cert).verify(new X509Certificate(first.caCert).publicKey));
  });
});

Deno.test("keepTlsKeys() makes new ones when a file is missing, damaged, foreign or ends soon", async () => {
  await withTempDir(async (parent) => {
    const dir = join(parent, "tls");
    let keys = await keepTlsKeys({ dir, clock, log });
    const foreign = await generateAutomaticTlsKeys();
    const damage = [
      () => Deno.remove(join(dir, "client.key")),
      () => Deno.writeTextFile(join(dir, "ca.crt"), "no certificate"),
      () => Deno.writeTextFile(join(dir, "ca.key"), foreign.caKey),
    ];
    for (const harm of damage) {
      await harm();
      const next = await keepTlsKeys({ dir, clock, log });
      assert.notEqual(next.caCert, keys.caCert);
      assert.deepEqual(await keepTlsKeys({ dir, clock, log }), next);
      keys = next;
    }
    const later = createFakeClock(Date.now() + 1.5 * YEAR_MS);
    assert.notEqual((await keepTlsKeys({ dir, clock: later, log })).caCert, keys.caCert);
  });
});
