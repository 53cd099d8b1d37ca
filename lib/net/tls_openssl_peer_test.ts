// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { join } from "node:path";
import { type CertificateFiles, layCertificates } from "../testing/certificate_files.ts";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { type LogRecord, recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { classifyTlsError, createTlsDialer, listenTls, parseTlsProfile, type TlsCredentials } from "./tls.ts";

const openssl = requirePeer("openssl");
const profile = parseTlsProfile("", []);

interface OpensslServer extends AsyncDisposable {
  readonly address: { host: string; port: number };
}

/** Starts s_server, which demands a client certificate and answers every line with the line reversed. */
async function startServer(files: CertificateFiles, args: readonly string[]): Promise<OpensslServer> {
  const child = new Deno.Command(peerPath("openssl"), {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-rev", "-Verify", "2", "-verify_return_error"],
      ...["-cert", files.path("tls.crt"), "-key", files.path("tls.key"), "-CAfile", files.path("ca.crt"), ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", port: string | undefined;
  while (port === undefined) {
    const { value, done } = await reader.read();
    assert.ok(!done, `openssl s_server ended: ${text}`);
    text += value;
    port = /^ACCEPT .*:(\d+)$/m.exec(text)?.[1];
  }
  return {
    address: { host: "127.0.0.1", port: Number(port) },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      while (!(await reader.read()).done);
      await child.status;
    },
  };
}

/** Runs s_client, sends a line and returns what came back and what openssl said. */
async function runClient(port: number, args: readonly string[]): Promise<string> {
  const child = new Deno.Command(peerPath("openssl"), {
    args: [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "podvm-server", "-ign_eof"],
      ...["-verify_return_error", "-verify_hostname", "podvm-server", ...args],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello from openssl\n"));
  await writer.close().catch(() => {});
  const { stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

function dialer(credentials: TlsCredentials, serverName = "podvm-server") {
  return createTlsDialer({ credentials, profile, serverName, skipVerify: false });
}

async function closeSocket(socket: TLSSocket): Promise<void> {
  socket.destroy();
  if (!socket.closed) await once(socket, "close");
}

/** The failure of a connection, whether it comes before or after the handshake looks done. */
async function failureOf(dialling: Promise<TLSSocket>) {
  try {
    const socket = await dialling;
    let failure: Error | undefined;
    socket.on("error", (error) => failure = error).resume();
    if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    assert.ok(failure, "the connection was not refused");
    return classifyTlsError(failure);
  } catch (error) {
    return classifyTlsError(error);
  }
}

// The other types: lib/crypto/key_types_peer_test.ts.
for (const keyType of ["ecdsa-p256", "rsa-2048"] as const) {
  Deno.test({
    name: `createTlsDialer() talks to openssl s_server with ${keyType}, over TLS 1.2 and 1.3`,
    ...openssl,
    fn: () =>
      withTempDir(async (dir) => {
        const files = await layCertificates(dir, keyType);
        for (const version of ["-tls1_2", "-tls1_3"]) {
          await using server = await startServer(files, [version]);
          const socket = await dialer(files.client).dial(server.address);
          socket.write("hello\n");
          assert.equal(String((await once(socket, "data"))[0]), "olleh\n");
          await closeSocket(socket);
        }
      }),
  });

  Deno.test({
    name: `listenTls() serves openssl s_client with ${keyType}, over TLS 1.2 and 1.3`,
    ...openssl,
    fn: () =>
      withTempDir(async (dir) => {
        const files = await layCertificates(dir, keyType);
        const { log, records } = recordLog();
        const accepted: string[] = [];
        const listener = await listenTls({
          host: "127.0.0.1",
          port: 0,
          credentials: files.server,
          profile,
          requireClientCert: true,
          log,
          onConnection(socket) {
            accepted.push(socket.getPeerX509Certificate()!.subject);
            socket.once("data", (data) => socket.end(`got ${data}`)).resume();
          },
        });
        const { port } = listener.address;
        const trust = ["-CAfile", files.path("ca.crt")];
        const identity = ["-cert", files.path("client.crt"), "-key", files.path("client.key")];
        for (const version of ["-tls1_2", "-tls1_3"]) {
          assert.match(await runClient(port, [...trust, ...identity, version]), /got hello from openssl/);
        }
        assert.deepEqual(accepted, ["CN=podvm_client", "CN=podvm_client"]);
        assert.deepEqual(records, []);

        const foreign = await layCertificates(join(dir, "foreign"), keyType);
        const foreignIdentity = ["-cert", foreign.path("client.crt"), "-key", foreign.path("client.key")];
        for (const version of ["-tls1_2", "-tls1_3"]) {
          assert.doesNotMatch(await runClient(port, [...trust, version]), /got hello/);
          assert.doesNotMatch(await runClient(port, [...trust, ...foreignIdentity, version]), /got hello/);
        }
        const old = await runClient(port, [...trust, ...identity, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
        assert.match(old, /alert (handshake failure|protocol version)/);
        assert.equal(accepted.length, 2);
        const reasons = (records as LogRecord[]).map(({ fields }) => fields.reason);
        assert.ok(reasons.includes("the peer sent no certificate"), String(reasons));
        assert.ok(reasons.includes("the two sides have no TLS version in common"), String(reasons));
        await listener.close();
      }),
  });
}

Deno.test({
  name: "createTlsDialer() is refused by openssl, and refuses it, with the reason in words",
  ...openssl,
  fn: () =>
    withTempDir(async (dir) => {
      const files = await layCertificates(join(dir, "ours"), "ecdsa-p256");
      const foreign = await layCertificates(join(dir, "foreign"), "ecdsa-p256");
      for (const version of ["-tls1_2", "-tls1_3"]) {
        await using server = await startServer(files, [version]);
        const bare = await failureOf(dialer({ ca: files.client.ca }).dial(server.address));
        assert.equal(bare.kind, "auth");
        assert.match(bare.message, /wants a client certificate/);
        const stranger = await failureOf(dialer({ ...foreign.client, ca: files.client.ca }).dial(server.address));
        assert.equal(stranger.kind, "auth");
        assert.match(stranger.message, /does not know the CA of our certificate|refuses our/);
        await assert.rejects(dialer(files.client, "podvm-other").dial(server.address), {
          kind: "auth",
          message: /not for "podvm-other" but for "DNS:podvm-server"/,
        });
        await assert.rejects(dialer({ ...files.client, ca: foreign.client.ca }).dial(server.address), {
          kind: "auth",
          message: /issued by another CA that has the same name/,
        });
      }
      await using old = await startServer(files, ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
      await assert.rejects(dialer(files.client).dial(old.address), {
        kind: "auth",
        message: /no TLS version in common/,
      });
      await using weak = await startServer(files, ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"]);
      await assert.rejects(dialer(files.client).dial(weak.address), {
        kind: "auth",
        message: /no cipher suite in common/,
      });
    }),
});
