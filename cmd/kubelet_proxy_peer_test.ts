// SPDX-License-Identifier: Apache-2.0
/** `peerctl kubelet-proxy` between client-go and the kubelet's own streaming package. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { layCertificates } from "../lib/testing/certificate_files.ts";
import {
  type KubeletStandIn,
  type KubeletTls,
  startKubeClient,
  startKubeletStandIn,
} from "../lib/testing/kubelet_peers.ts";
import { requirePeer } from "../lib/testing/peers.ts";
import { runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

const SERVER_NAME = "localhost";
const EXEC = "/exec/default/web/app";
const PROTOCOLS = ["spdy", "websocket"] as const;

/** Exit code of the client for what is not the remote command's. */
const CLIENT_FAILED = 125;

const OPEN_POLICY = `package kubelet.policy

deny := false
`;

interface Client {
  /** Runs to its end; without `stdin` the command has none. */
  run(
    protocol: "spdy" | "websocket",
    args: string[],
    stdin?: string,
  ): Promise<{ code: number; out: string; err: string }>;
  start(protocol: "spdy" | "websocket", args: string[]): Promise<Deno.ChildProcess>;
}

/** A kubelet, the proxy before it, with its default or with `policy`, and a client of the proxy. */
async function withProxy(
  policy: string | undefined,
  body: (parts: { kubelet: KubeletStandIn; client: Client }) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const files = await layCertificates(join(dir, "tls"), "ecdsa-p256", [SERVER_NAME, "127.0.0.1"]);
    const server: KubeletTls = { ca: files.path("ca.crt"), cert: files.path("tls.crt"), key: files.path("tls.key") };
    const client = { ca: files.path("ca.crt"), cert: files.path("client.crt"), key: files.path("client.key") };
    const kubelet = await startKubeletStandIn({ tls: server });
    const rego: string[] = [];
    if (policy !== undefined) {
      await Deno.writeTextFile(join(dir, "policy.rego"), policy);
      rego.push("-rego", "-rego-path", join(dir, "policy.rego"));
    }
    const proxy = startPeerctl([
      ...["kubelet-proxy", "-listen", "127.0.0.1:0", "-kubelet-url", `https://${kubelet.address}`],
      ...["-kubelet-host", SERVER_NAME, "-ca", server.ca, "-cert", server.cert, "-key", server.key],
      ...["-client-cert", client.cert, "-client-key", client.key, "-allow-user", "podvm_client", ...rego],
    ]);
    try {
      const { host, port } = JSON.parse(await proxy.waitForLine(/"message":"Serving"/));
      const options = { address: `${host}:${port}`, tls: client, serverName: SERVER_NAME };
      await body({
        kubelet,
        client: {
          start: (protocol, args) => startKubeClient(args, { ...options, protocol, hasStdin: true }),
          async run(protocol, args, stdin) {
            const child = await startKubeClient(args, { ...options, protocol, hasStdin: stdin !== undefined });
            const writer = child.stdin.getWriter();
            if (stdin !== undefined) await writer.write(new TextEncoder().encode(stdin));
            await writer.close();
            const { code, stdout, stderr } = await child.output();
            const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
            return { code, out: out!, err: err! };
          },
        },
      });
      assert.equal(await proxy.stop(), 0);
    } finally {
      await proxy.kill();
      await kubelet.stop();
    }
  });
}

/** Resolves with the next bytes of a stream as text; "" at its end. */
async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const { value } = await reader.read();
  return new TextDecoder().decode(value);
}

/** Reads to the end; leaves the other direction open. */
async function readAll(connection: Deno.Conn): Promise<string> {
  const chunk = new Uint8Array(1024);
  let text = "";
  for (let read = await connection.read(chunk); read !== null; read = await connection.read(chunk)) {
    text += new TextDecoder().decode(chunk.subarray(0, read));
  }
  return text;
}

for (const [title, policy] of [["by default", undefined], ["by the ready policy", "deny-exec"]] as const) {
  Deno.test({
    name: `kubelet-proxy denies client-go's exec, attach and port-forward ${title}`,
    ...requirePeer("go"),
    async fn() {
      const text = policy && (await runPeerctl(["kubelet-proxy", "policies", policy])).stdout;
      await withProxy(text, async ({ kubelet, client }) => {
        for (const protocol of PROTOCOLS) {
          for (const args of [["exec", EXEC, "--", "true"], ["attach", "/attach/default/web/app"]]) {
            const { code, err } = await client.run(protocol, args);
            assert.equal(code, CLIENT_FAILED);
            assert.match(err, /Denied by policy/);
          }
          const { code, err } = await client.run(protocol, ["portforward", "/portForward/default/web", "80"]);
          assert.equal(code, CLIENT_FAILED);
          assert.match(err, /Denied by policy/);
        }
        assert.deepEqual(kubelet.requests(), []);
      });
    },
  });
}

Deno.test({
  name: "kubelet-proxy carries exec of client-go: bytes, stdin's end, stderr and exit code",
  ...requirePeer("go"),
  async fn() {
    await withProxy(OPEN_POLICY, async ({ client }) => {
      for (const protocol of PROTOCOLS) {
        // cat ends only when its stdin does.
        const script = "cat; echo not good >&2; exit 3";
        const { code, out, err } = await client.run(protocol, ["exec", EXEC, "--", "sh", "-c", script], "in\n");
        assert.deepEqual({ code, out, err }, { code: 3, out: "in\n", err: "not good\n" });
      }
    });
  },
});

Deno.test({
  name: "kubelet-proxy carries 100 MB of an exec's stdout intact",
  ...requirePeer("go"),
  async fn() {
    const bytes = 100_000_000;
    // What the command below writes, in blocks of its own pattern.
    const line = "0123456789abcdefghijklmnopqrstuvwxyz!\n";
    const expected = createHash("sha256");
    const block = line.repeat(10_000);
    for (let left = bytes; left > 0; left -= block.length) expected.update(block.slice(0, left));
    const digest = expected.digest("hex");
    const script = `yes '${line.trimEnd()}' | head -c ${bytes}`;
    await withProxy(OPEN_POLICY, async ({ client }) => {
      for (const protocol of PROTOCOLS) {
        const child = await client.start(protocol, ["exec", EXEC, "--", "sh", "-c", script]);
        await child.stdin.close();
        const stderr = new Response(child.stderr).text();
        const hash = createHash("sha256");
        for await (const chunk of child.stdout) hash.update(chunk);
        assert.deepEqual({ code: (await child.status).code, err: await stderr }, { code: 0, err: "" });
        assert.equal(hash.digest("hex"), digest);
      }
    });
  },
});

Deno.test({
  name: "kubelet-proxy carries an attach of client-go",
  ...requirePeer("go"),
  async fn() {
    await withProxy(OPEN_POLICY, async ({ client }) => {
      for (const protocol of PROTOCOLS) {
        const { code, out } = await client.run(protocol, ["attach", "/attach/default/web/app"], "hello\n");
        assert.deepEqual({ code, out }, { code: 0, out: "attached\nhello\n" });
      }
    });
  },
});

Deno.test({
  name: "kubelet-proxy carries a port-forward of client-go, and the end of one direction",
  ...requirePeer("go"),
  async fn() {
    const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for await (const connection of target) {
        // All of the question first: without its end there is no answer.
        const question = await readAll(connection);
        await connection.write(new TextEncoder().encode(`${question} answered`));
        connection.close();
      }
    })();
    try {
      await withProxy(OPEN_POLICY, async ({ client }) => {
        for (const protocol of PROTOCOLS) {
          const forward = ["portforward", "/portForward/default/web", String(target.addr.port)];
          const child = await client.start(protocol, forward);
          const reader = child.stdout.getReader();
          const { port } = JSON.parse(await nextText(reader));
          using connection = await Deno.connect({ hostname: "127.0.0.1", port });
          await connection.write(new TextEncoder().encode("question"));
          await connection.closeWrite();
          assert.equal(await readAll(connection), "question answered");
          reader.releaseLock();
          await child.stdin.close();
          await Promise.all([child.stdout.cancel(), child.stderr.cancel(), child.status]);
        }
      });
    } finally {
      target.close();
      await answering;
    }
  },
});

Deno.test({
  name: "kubelet-proxy passes lines of a followed log on as they are written",
  ...requirePeer("go"),
  async fn() {
    await withProxy(undefined, async ({ kubelet, client }) => {
      await kubelet.log("before");
      const child = await client.start("spdy", ["get", "/containerLogs/default/web/app?follow=true"]);
      const reader = child.stdout.getReader();
      assert.equal(await nextText(reader), "before\n");
      for (const line of ["one", "two", "three"]) {
        await kubelet.log(line);
        assert.equal(await nextText(reader), `${line}\n`);
      }
      child.kill("SIGTERM");
      reader.releaseLock();
      await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel(), child.status]);
    });
  },
});
