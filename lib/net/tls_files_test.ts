// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { makeTestAuthority } from "../testing/certificates.ts";
import { type LogRecord, recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import type { TlsCredentials } from "./tls_credentials.ts";
import { loadTlsFiles, type TlsFiles, watchTlsFiles } from "./tls_files.ts";

const authority = await makeTestAuthority();
const ca = authority.caPem;
const leaf = await authority.leaf();

function filesIn(dir: string): TlsFiles {
  return { caFile: join(dir, "ca.crt"), certFile: join(dir, "tls.crt"), keyFile: join(dir, "tls.key") };
}

async function write(files: TlsFiles, o: { ca?: string; cert?: string; key?: string }): Promise<void> {
  if (o.ca !== undefined) await Deno.writeTextFile(files.caFile, o.ca);
  if (o.cert !== undefined) await Deno.writeTextFile(files.certFile, o.cert);
  if (o.key !== undefined) await Deno.writeTextFile(files.keyFile, o.key);
}

Deno.test("loadTlsFiles() reads all three, or none", () =>
  withTempDir(async (dir) => {
    const files = filesIn(dir);
    await write(files, { ca, ...leaf });
    assert.deepEqual(loadTlsFiles(files), { ca, ...leaf });
    assert.deepEqual(loadTlsFiles({ caFile: "", certFile: "", keyFile: "" }), {});
  }));

Deno.test("loadTlsFiles() refuses some of the three and says which are missing", () => {
  const cases: Array<[Partial<TlsFiles>, RegExp]> = [
    [{ certFile: "a" }, /no CA and no private key file is given/],
    [{ certFile: "a", keyFile: "b" }, /no CA file is given/],
    [{ caFile: "a" }, /no certificate and no private key file is given/],
  ];
  for (const [some, message] of cases) {
    assert.throws(() => loadTlsFiles({ caFile: "", certFile: "", keyFile: "", ...some }), { kind: "config", message });
  }
});

Deno.test("loadTlsFiles() says in one sentence what is wrong with which file", () =>
  withTempDir(async (dir) => {
    const files = filesIn(dir);
    const other = await authority.leaf();
    const cases: Array<[{ ca?: string; cert?: string; key?: string }, RegExp]> = [
      [{ ca: "" }, /^Cannot use CA file ".*ca\.crt": it holds no PEM certificate$/],
      [{ ca: ca.replace("MII", "AAA") }, /^Cannot use CA file ".*": it cannot be read as X\.509$/],
      [{ cert: leaf.key }, /^Cannot use certificate file ".*tls\.crt": it holds no PEM certificate$/],
      [{ key: leaf.cert }, /^Cannot use private key file ".*tls\.key": it holds no PEM private key$/],
      [
        { key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n" },
        /it is encrypted with a pass phrase/,
      ],
      [
        { key: other.key },
        /tls\.key": it does not belong to certificate file ".*tls\.crt" \(subject CN=podvm-server\)$/,
      ],
      [await authority.leaf({ startsIn: -10 }), /tls\.crt": it expired on \d{4}-\d\d-\d\dT/],
      [await authority.leaf({ startsIn: 10 }), /tls\.crt": it is not valid before \d{4}-/],
    ];
    for (const [wrong, message] of cases) {
      await write(files, { ca, ...leaf, ...wrong });
      assert.throws(() => loadTlsFiles(files), (error: { kind: string; message: string }) => {
        assert.equal(error.kind, "config");
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /PRIVATE KEY-----|MIGH/);
        return true;
      });
    }
    await write(files, { ca, ...leaf });
    assert.throws(() => loadTlsFiles({ ...files, caFile: join(dir, "none") }), {
      message: /^Cannot read CA file ".*none": there is no such file$/,
    });
    assert.throws(() => loadTlsFiles({ ...files, keyFile: dir }), {
      message: /private key file ".*": it is a directory$/,
    });
  }));

Deno.test("loadTlsFiles() accepts a CA bundle in which an old CA has expired", () =>
  withTempDir(async (dir) => {
    const files = filesIn(dir);
    const expired = await authority.leaf({ startsIn: -10 });
    await write(files, { ca: expired.cert + "\nremark\n" + ca, ...leaf });
    loadTlsFiles(files);
    await write(files, { ca: expired.cert });
    assert.throws(() => loadTlsFiles(files), { message: /Cannot use CA file ".*": it expired on/ });
  }));

/** Watches, and hands out what is reported one by one. */
function watch(files: TlsFiles) {
  const { log, records } = recordLog();
  const stop = new AbortController();
  const reports: Array<TlsCredentials | LogRecord> = [];
  let wake: (() => void) | undefined;
  const report = (one: TlsCredentials | LogRecord) => {
    reports.push(one);
    wake?.();
  };
  const reporting = new Proxy(log, {
    get: (target, name: "error") => (message: string, fields: Record<string, unknown>) => {
      target[name](message, fields);
      report(records.at(-1)!);
    },
  });
  watchTlsFiles(files, { onChange: report, log: reporting, signal: stop.signal });
  return {
    stop: () => stop.abort(),
    async next(): Promise<TlsCredentials | LogRecord> {
      while (reports.length === 0) await new Promise<void>((resolve) => wake = resolve);
      return reports.shift()!;
    },
    /** The next credentials; on a slow machine a half-written pair may be reported before. */
    async nextCredentials(): Promise<TlsCredentials> {
      while (true) {
        const report = await this.next();
        if ("cert" in report) return report;
      }
    },
  };
}

Deno.test("watchTlsFiles() reports new files once they fit together, and logs those that do not", () =>
  withTempDir(async (dir) => {
    const files = filesIn(dir);
    await write(files, { ca, ...leaf });
    const watcher = watch(files);
    try {
      const next = await authority.leaf();
      await write(files, { cert: next.cert });
      const broken = await watcher.next() as LogRecord;
      assert.equal(broken.level, "error");
      assert.match(String((broken.fields.error as Error).message), /does not belong to/);
      await write(files, { key: next.key });
      assert.deepEqual(await watcher.nextCredentials(), { ca, ...next });
      // Written anew with the same content: nothing to report before the change that follows.
      await write(files, { ca, ...next });
      const last = await authority.leaf();
      await write(files, last);
      assert.deepEqual(await watcher.nextCredentials(), { ca, ...last });
    } finally {
      watcher.stop();
    }
  }));

Deno.test("watchTlsFiles() sees the exchanged link of a Kubernetes secret", () =>
  withTempDir(async (dir) => {
    const generation = async (name: string, content: { cert: string; key: string }) => {
      await Deno.mkdir(join(dir, name));
      await write(filesIn(join(dir, name)), { ca, ...content });
    };
    await generation("..1", leaf);
    await Deno.symlink("..1", join(dir, "..data"));
    for (const name of ["ca.crt", "tls.crt", "tls.key"]) await Deno.symlink(`..data/${name}`, join(dir, name));
    const watcher = watch(filesIn(dir));
    try {
      const next = await authority.leaf();
      await generation("..2", next);
      await Deno.symlink("..2", join(dir, "..data_tmp"));
      await Deno.rename(join(dir, "..data_tmp"), join(dir, "..data"));
      assert.deepEqual(await watcher.nextCredentials(), { ca, ...next });
    } finally {
      watcher.stop();
    }
  }));
