// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { createAutomaticTls } from "../testing/automatic_tls.ts";
import type { PeerctlError } from "../errors.ts";
import { layCertificates } from "../testing/certificate_files.ts";
import { startLineProcess } from "../testing/line_process.ts";
import { requirePeer } from "../testing/peers.ts";
import { recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { buildGoEnd } from "../testing/tls_ends.ts";
import {
  classifyTlsError,
  createTlsDialer,
  listenTls,
  parseTlsProfile,
  type TlsCredentials,
  type TlsDialer,
} from "./tls.ts";

const go = requirePeer("go");
const profile = parseTlsProfile("", []);

interface Identity {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
}

function flags({ ca, cert, key }: Identity): string[] {
  return ["-ca", ca, ...(cert !== undefined && key !== undefined ? ["-cert", cert, "-key", key] : [])];
}

async function runGoClient(peer: string, port: number, identity: Identity, more: readonly string[] = []) {
  const child = startLineProcess({ path: peer, args: ["-dial", `127.0.0.1:${port}`, ...flags(identity), ...more] });
  const line = await child.line(({ event }) => event === "answered" || event === "failed");
  await child.stop();
  return line;
}

async function startGoServer(peer: string, identity: Identity, more: readonly string[] = []) {
  const child = startLineProcess({ path: peer, args: ["-listen", "127.0.0.1:0", ...flags(identity), ...more] });
  const { address } = await child.line(({ event }) => event === "listening");
  return {
    address: { host: "127.0.0.1", port: Number(String(address).split(":")[1]) },
    accepted: () => child.line(({ event }) => event === "accepted"),
    async [Symbol.asyncDispose]() {
      await child.stop();
    },
  };
}

async function startEcho(credentials: TlsCredentials) {
  const accepted: string[] = [];
  const listener = await listenTls({
    host: "127.0.0.1",
    port: 0,
    credentials,
    profile,
    requireClientCert: true,
    log: recordLog().log,
    onConnection(socket) {
      accepted.push(socket.getPeerX509Certificate()!.subject);
      socket.pipe(socket);
    },
  });
  return { port: listener.address.port, accepted, [Symbol.asyncDispose]: () => listener.close() };
}

/**
 * What a dial ends with: the answer to a hello, or the failure, once it is one of kind "auth". A server of Go that
 * refuses us resets the connection when our hello is on its way, and then its alert may be lost.
 */
async function greet(
  credentials: TlsCredentials,
  address: { host: string; port: number },
  serverName = "podvm-server",
) {
  const dialer = createTlsDialer({ credentials, profile, serverName, skipVerify: false });
  for (let attempt = 1; attempt <= 8; attempt++) {
    const result = await greetOnce(dialer, address);
    if (typeof result === "string" || result.kind === "auth") return result;
  }
  throw new Error("no attempt was answered or refused");
}

async function greetOnce(dialer: TlsDialer, address: { host: string; port: number }): Promise<string | PeerctlError> {
  try {
    const socket = await dialer.dial(address);
    let failure: Error | undefined;
    socket.on("error", (error) => failure ??= error);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const answered = once(socket, "data").then(([data]) => String(data), () => undefined);
    socket.write("hello");
    const answer = await Promise.race([answered, closed]);
    socket.destroy();
    await closed;
    return answer ?? classifyTlsError(failure);
  } catch (error) {
    return classifyTlsError(error);
  }
}

// The other types: lib/crypto/key_types_peer_test.ts.
for (const keyType of ["ecdsa-p256", "rsa-2048"] as const) {
  Deno.test({
    name: `certgen's ${keyType} files work between Go's crypto/tls and ours, in both directions`,
    ...go,
    fn: () =>
      withTempDir(async (dir) => {
        const peer = await buildGoEnd(dir);
        const files = await layCertificates(join(dir, "certs"), keyType);
        const ca = files.path("ca.crt");
        const client = { ca, cert: files.path("client.crt"), key: files.path("client.key") };
        const server = { ca, cert: files.path("tls.crt"), key: files.path("tls.key") };
        for (const [version, number] of [["1.2", "303"], ["1.3", "304"]] as const) {
          await using echo = await startEcho(files.server);
          const answer = await runGoClient(peer, echo.port, client, ["-max", version]);
          assert.deepEqual([answer.event, answer.answer, answer.version], ["answered", "hello", number]);
          assert.deepEqual(echo.accepted, ["CN=podvm_client"]);

          await using goServer = await startGoServer(peer, server, ["-max", version]);
          assert.equal(await greet(files.client, goServer.address), "hello");
          const { subject, version: used } = await goServer.accepted();
          assert.deepEqual([subject, used], ["CN=podvm_client", number]);
        }
      }),
  });
}

Deno.test({
  name: "Go clients without a certificate, with a foreign one, another name or TLS 1.1 are refused, and ours by Go",
  ...go,
  fn: () =>
    withTempDir(async (dir) => {
      const peer = await buildGoEnd(dir);
      const files = await layCertificates(join(dir, "ours"), "ecdsa-p256");
      const foreign = await layCertificates(join(dir, "foreign"), "ecdsa-p256");
      const ca = files.path("ca.crt");
      const client = { ca, cert: files.path("client.crt"), key: files.path("client.key") };
      await using echo = await startEcho(files.server);
      const stranger = { ca, cert: foreign.path("client.crt"), key: foreign.path("client.key") };
      for (
        const [identity, more] of [[{ ca }, []], [stranger, []], [client, ["-name", "podvm-other"]], [client, [
          "-max",
          "1.1",
        ]]] as const
      ) {
        assert.equal((await runGoClient(peer, echo.port, identity, more)).event, "failed");
      }
      assert.deepEqual(echo.accepted.filter((subject) => subject !== "CN=podvm_client"), []);

      const server = { ca, cert: files.path("tls.crt"), key: files.path("tls.key") };
      await using goServer = await startGoServer(peer, server);
      for (
        const [credentials, name, message] of [
          [{ ca: files.client.ca }, "podvm-server", /we sent none|refuses our certificate/],
          [{ ...foreign.client, ca: files.client.ca }, "podvm-server", /refuses our certificate|does not know the CA/],
          [files.client, "podvm-other", /not for "podvm-other"/],
          [{ ...files.client, ca: foreign.client.ca }, "podvm-server", /issued by another CA/],
        ] as const
      ) {
        const failure = await greet(credentials, goServer.address, name);
        assert.ok(typeof failure !== "string", "Go accepted it");
        assert.match(failure.message, message);
      }
      await using old = await startGoServer(peer, server, ["-max", "1.1"]);
      const failure = await greet(files.client, old.address);
      assert.ok(typeof failure !== "string");
      assert.match(failure.message, /no TLS version in common/);
    }),
});

Deno.test({
  name: "The certificates of automatic mode work between Go's crypto/tls and ours, in both directions",
  ...go,
  fn: () =>
    withTempDir(async (dir) => {
      const peer = await buildGoEnd(dir);
      const automatic = await createAutomaticTls();
      const server = await automatic.issueServer("podvm-go-1");
      const texts = {
        "ca.crt": automatic.ca.cert,
        "client.crt": automatic.client.cert,
        "client.key": automatic.client.key,
        "tls.crt": server.cert,
        "tls.key": server.key,
      };
      for (const [name, text] of Object.entries(texts)) await Deno.writeTextFile(join(dir, name), text);
      const path = (name: keyof typeof texts) => join(dir, name);

      await using echo = await startEcho({ ca: automatic.client.cert, ...server });
      const identity = { ca: path("ca.crt"), cert: path("client.crt"), key: path("client.key") };
      const answer = await runGoClient(peer, echo.port, identity, ["-name", "podvm-go-1"]);
      assert.equal(answer.event, "answered", String(answer.error));

      await using goServer = await startGoServer(peer, {
        ca: path("client.crt"),
        cert: path("tls.crt"),
        key: path("tls.key"),
      });
      const credentials = { ca: automatic.ca.cert, ...automatic.client };
      assert.equal(await greet(credentials, goServer.address, "podvm-go-1"), "hello");
    }),
});
