// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import type * as net from "node:net";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { createAutomaticTls } from "../lib/testing/automatic_tls.ts";
import { dialTcp } from "../lib/net/tcp.ts";
import { createTlsDialer, type TlsCredentials } from "../lib/net/tls.ts";
import { listenUnix } from "../lib/net/unix_socket.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../lib/proto/gen/health_pb.ts";
import { type PeerctlProcess, runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { createTtrpcServer } from "../lib/ttrpc/server.ts";
import { implementService, typedClient } from "../lib/ttrpc/typed.ts";

const SERVING = HealthCheckResponse_ServingStatus.SERVING;

async function writeConfig(dir: string, config: unknown): Promise<string> {
  const path = join(dir, "apf.json");
  await Deno.writeTextFile(path, typeof config === "string" ? config : JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** An agent that only says that it is well. */
async function startAgent(path: string): Promise<AsyncDisposable> {
  const check = () => Promise.resolve({ status: SERVING });
  const server = createTtrpcServer({
    services: new Map([implementService(Health, { check })]),
    log: getLogger(["test"]),
  });
  const listener = await listenUnix({ path, onConnection: (socket) => server.serve(socket) });
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      await listener.close();
    },
  };
}

/** Starts apf on a free port and waits until it is ready. */
async function startApf(dir: string, args: readonly string[]) {
  const flags = [
    "-config",
    join(dir, "apf.json"),
    "-listen",
    "127.0.0.1:0",
    "-kata-agent-socket",
    join(dir, "agent.sock"),
  ];
  const apf: PeerctlProcess = startPeerctl(["apf", ...flags, ...args]);
  try {
    const serving = JSON.parse(await apf.waitForLine(/"message":"Serving"/));
    await apf.waitForLine(/"message":"Ready"/);
    return Object.assign(apf, { address: { host: serving.host as string, port: serving.port as number } });
  } catch (error) {
    await apf.kill();
    throw error;
  }
}

async function checkOver(socket: net.Socket): Promise<HealthCheckResponse_ServingStatus> {
  const client = createTtrpcClient(socket);
  const closed = once(socket, "close");
  try {
    return (await typedClient(Health, client).check({}, { timeoutMs: 20_000 })).status;
  } finally {
    client.close();
    await closed;
  }
}

const dialTls = (address: { host: string; port: number }, credentials: TlsCredentials) =>
  createTlsDialer({
    credentials,
    profile: { minVersion: "VersionTLS12", cipherSuites: [] },
    serverName: "podvm-a",
    skipVerify: false,
  }).dial(address);

async function automatic() {
  const tls = await createAutomaticTls();
  const server = await tls.issueServer("podvm-a");
  const config = {
    "pod-network": null,
    "pod-namespace": "default",
    "pod-name": "web",
    "tls-server-cert": server.cert,
    "tls-server-key": server.key,
    "tls-client-ca": tls.client.cert,
  };
  return { config, server, client: { ca: tls.ca.cert, ...tls.client }, clientCa: tls.client.cert };
}

Deno.test("apf says in one line why it does not start", () =>
  withTempDir(async (dir) => {
    const { config } = await automatic();
    const { "tls-client-ca": _ca, ...withoutCa } = config;
    const missing = join(dir, "missing");
    const cases: [config: unknown, flags: string[], code: number, error: RegExp][] = [
      ["{", [], 1, /Cannot read ".*apf\.json": it is not JSON at line 1, column 2/],
      [{ "pod-name": 1 }, [], 1, /Cannot use ".*apf\.json": "pod-name" should be a string/],
      [{ "pod-network": {} }, [], 1, /Cannot set up the pod network .* this version sets up no pod network/],
      [{}, ["-config", missing], 1, /Cannot read ".*missing"/],
      [{}, [], 1, /Cannot serve TLS: no server certificate/],
      [withoutCa, [], 1, /Cannot serve TLS: no CA for clients/],
      [config, ["-tls-skip-verify"], 1, /Cannot skip the verification of clients: a CA for them is given/],
      [config, ["-cert-file", missing], 1, /one is missing/],
      [config, ["-ca-cert-file", missing], 1, /CA file ".*missing": there is no such file/],
      [{}, ["-disable-tls", "-listen", "nonsense"], 1, /Cannot use -listen "nonsense"/],
      [{}, ["-disable-tls", "-kata-agent-socket", `/${"x".repeat(120)}`], 1, /107/],
      [{}, ["-disable-tls", "-pod-namespace", ""], 1, /Cannot use -pod-namespace "": it is not an absolute path/],
      [{}, ["-host-interface", "eth0"], 2, /-host-interface/],
      [{}, ["-secure-comms"], 2, /-secure-comms/],
      [{}, ["-bogus"], 2, /bogus/],
    ];
    for (const [text, flags, code, error] of cases) {
      const path = await writeConfig(dir, text);
      const run = await runPeerctl(["apf", "-config", path, "-listen", "127.0.0.1:0", "-log-level", "error", ...flags]);
      const errors = run.stderr.split("\n").filter((line) => line.includes("error:"));
      assert.equal(errors.length, 1, run.stderr);
      assert.match(errors[0] ?? "", error);
      assert.equal(run.code, code, run.stderr);
      assert.equal(run.stdout, "");
      assert.doesNotMatch(run.stderr, /PRIVATE KEY/);
    }
  }));

Deno.test("apf -version shows the version, under its old name too", async () => {
  for (const name of ["apf", "agent-protocol-forwarder"]) {
    const run = await runPeerctl([name, "-version"]);
    assert.match(run.stdout, /^peerctl \d+\.\d+\.\d+ \(/);
    assert.equal(run.code, 0);
  }
});

Deno.test("apf serves over mutual TLS from its configuration, waits for the agent, and stops on SIGTERM", () =>
  withTempDir(async (dir) => {
    const { config, client } = await automatic();
    await writeConfig(dir, config);
    await using apf = await startApf(dir, []);
    const answer = checkOver(await dialTls(apf.address, client));
    await using _agent = await startAgent(join(dir, "agent.sock"));
    assert.equal(await answer, SERVING);
    const { cert: _cert, key: _key, ...withoutCertificate } = client;
    await assert.rejects(async () => checkOver(await dialTls(apf.address, withoutCertificate)));
    assert.equal(await apf.stop(), 0);
    const warnings = apf.lines.filter((line) =>
      line.includes('"level":"warn"') && !line.includes("TLS client refused")
    );
    assert.deepEqual(warnings, []);
    assert.doesNotMatch(apf.lines.join("\n"), /PRIVATE KEY/);
  }));

Deno.test("apf warns when TLS is disabled, when clients are not verified, and when others can read its key", () =>
  withTempDir(async (dir) => {
    const { config, client } = await automatic();
    const { "tls-client-ca": _ca, ...withoutCa } = config;
    const path = await writeConfig(dir, withoutCa);
    await Deno.chmod(path, 0o644);
    await using _agent = await startAgent(join(dir, "agent.sock"));
    {
      await using apf = await startApf(dir, ["-tls-skip-verify"]);
      await apf.waitForLine(/"level":"warn".*Clients are not verified/);
      await apf.waitForLine(/"level":"warn".*others can read it/);
      assert.equal(await checkOver(await dialTls(apf.address, { ca: client.ca })), SERVING);
    }
    await using apf = await startApf(dir, ["-disable-tls"]);
    await apf.waitForLine(/"level":"warn".*TLS is disabled/);
    assert.equal(await checkOver(await dialTcp(apf.address)), SERVING);
  }));

Deno.test("apf takes changed certificate files, by itself and on SIGHUP, and keeps the old ones when they are bad", () =>
  withTempDir(async (dir) => {
    const first = await automatic();
    const second = await automatic();
    await writeConfig(dir, { "pod-network": null });
    await using _agent = await startAgent(join(dir, "agent.sock"));
    const files = join(dir, "tls");
    await Deno.mkdir(files);
    const write = async ({ server, clientCa }: typeof first) => {
      await Deno.writeTextFile(join(files, "ca"), clientCa);
      await Deno.writeTextFile(join(files, "cert"), server.cert);
      await Deno.writeTextFile(join(files, "key"), server.key);
    };
    await write(first);
    await using apf = await startApf(dir, [
      "-ca-cert-file",
      join(files, "ca"),
      "-cert-file",
      join(files, "cert"),
      "-cert-key",
      join(files, "key"),
    ]);
    assert.equal(await checkOver(await dialTls(apf.address, first.client)), SERVING);

    await write(second);
    await apf.waitForLine(/"message":"Certificates replaced"/);
    assert.equal(await checkOver(await dialTls(apf.address, second.client)), SERVING);

    await Deno.writeTextFile(join(files, "key"), first.server.key);
    await apf.waitForLine(/"message":"Changed certificate files cannot be used, the old ones stay"/);
    Deno.kill(apf.pid, "SIGHUP");
    await apf.waitForLine(/"message":"Certificates could not be read again, the old ones stay"/);
    assert.equal(await checkOver(await dialTls(apf.address, second.client)), SERVING);
    assert.doesNotMatch(apf.lines.join("\n"), /PRIVATE KEY/);
  }));
