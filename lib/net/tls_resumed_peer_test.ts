// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { join } from "node:path";
import { type CertificateFiles, layCertificates } from "../testing/certificate_files.ts";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { type LogRecord, recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { listenTls, type ListenTlsOptions, parseTlsProfile } from "./tls.ts";

const openssl = requirePeer("openssl");

interface Setting {
  readonly dir: string;
  readonly ours: CertificateFiles;
  readonly foreign: CertificateFiles;
  readonly records: LogRecord[];
  /** Listens; a client that gets in is told `welcome`, and whether its session was resumed. */
  listen(o?: Partial<ListenTlsOptions>): ReturnType<typeof listenTls>;
}

/** Runs `body` once for each version of TLS: their sessions are of different kinds. */
async function forEachVersion(body: (setting: Setting, version: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const ours = await layCertificates(join(dir, "ours"), "ecdsa-p256");
    const foreign = await layCertificates(join(dir, "foreign"), "ecdsa-p256");
    for (const version of ["-tls1_2", "-tls1_3"]) {
      await using stack = new AsyncDisposableStack();
      const { log, records } = recordLog();
      const listen = async (o: Partial<ListenTlsOptions> = {}) => {
        const listener = await listenTls({
          host: "127.0.0.1",
          port: 0,
          credentials: ours.server,
          profile: parseTlsProfile("", []),
          requireClientCert: true,
          log,
          onConnection(socket) {
            socket.once("data", () => socket.end(`welcome, resumed ${socket.isSessionReused()}`)).resume();
          },
          ...o,
        });
        return stack.adopt(listener, ({ close }) => close());
      };
      await body({ dir, ours, foreign, records, listen }, version);
    }
  });
}

/** Runs s_client with more arguments; returns what the server said. */
async function connect({ dir, ours }: Setting, port: number, args: readonly string[]): Promise<string> {
  const child = new Deno.Command(peerPath("openssl"), {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "podvm-server", "-ign_eof"],
      ...["-CAfile", ours.path("ca.crt"), "-cert", ours.path("client.crt"), "-key", ours.path("client.key"), ...args],
    ],
    cwd: dir,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello\n"));
  await writer.close().catch(() => {});
  const { stdout } = await child.output();
  return /welcome, resumed (true|false)/.exec(new TextDecoder().decode(stdout))?.[0] ?? "nothing";
}

const BEGIN = ["-sess_out", "session"];
const RESUME = ["-sess_in", "session"];
const NOT_TRUSTED = /its session was resumed, and the CA of its certificate is not trusted/;

Deno.test({
  name: "listenTls() lets a resumed session in as long as the CA of its certificate is trusted",
  ...openssl,
  fn: () =>
    forEachVersion(async (setting, version) => {
      const { ours, foreign, records } = setting;
      const listener = await setting.listen();
      const { port } = listener.address;
      assert.equal(await connect(setting, port, [version, ...BEGIN]), "welcome, resumed false");
      assert.equal(await connect(setting, port, [version, ...RESUME]), "welcome, resumed true");
      listener.update({ ...ours.server, ca: foreign.server.ca + ours.server.ca });
      assert.equal(await connect(setting, port, [version, ...RESUME]), "welcome, resumed true");
      assert.equal(records.length, 0);
      listener.update({ ...ours.server, ca: foreign.server.ca });
      assert.equal(await connect(setting, port, [version, ...RESUME]), "nothing");
      assert.match(String(records[0]?.fields.reason), NOT_TRUSTED);
    }),
});

Deno.test({
  name:
    "listenTls() refuses a session that another listener of the process began for a client of another CA, or of none",
  ...openssl,
  fn: () =>
    forEachVersion(async (setting, version) => {
      const { ours, foreign, records } = setting;
      const one = await setting.listen();
      const other = await setting.listen({ credentials: { ...ours.server, ca: foreign.server.ca } });
      assert.equal(await connect(setting, one.address.port, [version, ...BEGIN]), "welcome, resumed false");
      assert.equal(await connect(setting, other.address.port, [version, ...RESUME]), "nothing");
      assert.match(String(records[0]?.fields.reason), NOT_TRUSTED);
      const open = await setting.listen({ requireClientCert: false });
      assert.equal(await connect(setting, open.address.port, [version, ...BEGIN]), "welcome, resumed false");
      assert.equal(await connect(setting, one.address.port, [version, ...RESUME]), "nothing");
    }),
});

Deno.test({
  name: "listenTls() lets a resumed session in whose certificate was issued by a CA between it and the trusted one",
  ...openssl,
  fn: () =>
    forEachVersion(async (setting, version) => {
      const { dir, ours } = setting;
      await makeChain(dir, ours);
      const identity = ["-cert", "leaf.crt", "-key", "leaf.key", "-cert_chain", "between.crt"];
      const listener = await setting.listen();
      const { port } = listener.address;
      assert.equal(await connect(setting, port, [version, ...identity, ...BEGIN]), "welcome, resumed false");
      assert.equal(await connect(setting, port, [version, ...identity, ...RESUME]), "welcome, resumed true");
      listener.update({ ...ours.server, ca: setting.foreign.server.ca });
      assert.equal(await connect(setting, port, [version, ...identity, ...RESUME]), "nothing");
    }),
});

/** Lays `between.crt`, a CA under ours, and `leaf.crt` with its key, a client's certificate under that. */
async function makeChain(dir: string, ours: CertificateFiles): Promise<void> {
  const run = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command(peerPath("openssl"), { args, cwd: dir }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  const chain = [
    {
      name: "between",
      issuer: [ours.path("ca.crt"), ours.path("ca.key")],
      extension: "basicConstraints=critical,CA:true",
    },
    { name: "leaf", issuer: ["between.crt", "between.key"], extension: "extendedKeyUsage=clientAuth" },
  ] as const;
  for (const { name, issuer, extension } of chain) {
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
    await Deno.writeTextFile(join(dir, "extension"), `${extension}\nsubjectAltName=DNS:${name}\n`);
    await run("req", ...key, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const [certificate, issuerKey] = issuer;
    const ca = ["-CA", certificate, "-CAkey", issuerKey, "-CAcreateserial", "-extfile", "extension"];
    await run("x509", "-req", "-in", `${name}.csr`, ...ca, "-days", "1", "-out", `${name}.crt`);
  }
}
