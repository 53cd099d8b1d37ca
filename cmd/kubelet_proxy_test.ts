// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import * as https from "node:https";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { makeTestAuthority, type TestAuthority } from "../lib/testing/certificates.ts";
import { API_SERVER, startKubeletStandIn } from "../lib/testing/kubelet_proxy.ts";
import { type PeerctlProcess, runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";

interface Laid {
  readonly dir: string;
  readonly authority: TestAuthority;
  /** The five files, as flags. */
  readonly flags: readonly string[];
  path(name: string): string;
}

async function withFiles<T>(body: (laid: Laid) => Promise<T>): Promise<T> {
  const authority = await makeTestAuthority();
  const server = await authority.leaf({ name: "localhost" });
  const client = await authority.leaf({ usage: "client", name: "kubelet-proxy" });
  return await withTempDir(async (dir) => {
    const path = (name: string) => join(dir, name);
    const files = {
      "ca.crt": authority.caPem,
      "tls.crt": server.cert,
      "tls.key": server.key,
      "client.crt": client.cert,
      "client.key": client.key,
    };
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(path(name), text, { mode: 0o600 });
    const flags = [
      ...["-cert", path("tls.crt"), "-key", path("tls.key"), "-ca", path("ca.crt")],
      ...["-client-cert", path("client.crt"), "-client-key", path("client.key")],
    ];
    return await body({ dir, authority, flags, path });
  });
}

/** Where a proxy listens, from its log. */
async function portOf(proxy: PeerctlProcess): Promise<number> {
  return JSON.parse(await proxy.waitForLine(/"message":"Serving"/)).port;
}

async function get(laid: Laid, port: number, path: string): Promise<{ status: number; body: string }> {
  const { cert, key } = await laid.authority.leaf({ usage: "client", name: API_SERVER });
  const request = https.request({
    ...{ host: "127.0.0.1", port, path, cert, key, ca: laid.authority.caPem, servername: "localhost", agent: false },
  });
  request.end();
  const [response] = await once(request, "response") as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode!, body };
}

Deno.test("peerctl kubelet-proxy denies exec, lets logs through, counts, writes down, and stops in order", async () => {
  await withFiles(async (laid) => {
    const kubelet = await startKubeletStandIn(laid.authority);
    const audit = laid.path("audit.log");
    await using proxy = startPeerctl([
      ...[
        "kubelet-proxy",
        ...laid.flags,
        "-listen",
        "127.0.0.1:0",
        "-kubelet-url",
        `https://127.0.0.1:${kubelet.port}`,
      ],
      ...["-kubelet-host", "localhost", "-audit-log", audit, "-metrics-listen", "127.0.0.1:0"],
      ...["-denylist", "/pods/exec,/configz"],
    ]);
    const port = await portOf(proxy);
    const metrics = `http://127.0.0.1:${JSON.parse(await proxy.waitForLine(/"message":"Metrics served"/)).port}`;
    assert.match(await proxy.waitForLine(/matches no route/), /"\/pods\/exec"/);
    assert.deepEqual(await get(laid, port, "/containerLogs/ns/p/c"), {
      status: 200,
      body: "GET /containerLogs/ns/p/c",
    });
    const denied = await get(laid, port, "/exec/ns/p/c?command=ls");
    assert.deepEqual(denied, { status: 403, body: "Denied by policy: exec is denied when no policy is given\n" });
    const listed = await get(laid, port, "/configz");
    assert.deepEqual(listed, { status: 403, body: "Denied by policy: paths under /configz are denied\n" });
    assert.deepEqual(await (await fetch(`${metrics}/healthz`)).json(), { ok: true });
    const text = await (await fetch(`${metrics}/metrics`)).text();
    assert.match(text, /^peerctl_kubelet_proxy_requests_total\{action="exec",decision="deny",code="403"\} 1$/m);
    assert.match(text, /^peerctl_kubelet_proxy_certificate_end_seconds\{certificate="serving"\} \d+$/m);
    assert.equal(await proxy.stop(), 0);
    const decisions = (await Deno.readTextFile(audit)).trimEnd().split("\n").map((line) => JSON.parse(line).decision);
    assert.deepEqual(decisions, ["allow", "deny", "deny"]);
    await kubelet.close();
  });
});

Deno.test("peerctl kubelet-proxy follows its policy and its certificates, and keeps the old ones when the new are bad", async () => {
  await withFiles(async (laid) => {
    const kubelet = await startKubeletStandIn(laid.authority);
    const policy = laid.path("policy.rego");
    await Deno.writeTextFile(policy, (await runPeerctl(["kubelet-proxy", "policies", "deny-exec"])).stdout);
    await using proxy = startPeerctl([
      ...[
        "kubelet-proxy",
        ...laid.flags,
        "-listen",
        "127.0.0.1:0",
        "-kubelet-url",
        `https://localhost:${kubelet.port}`,
      ],
      ...["-rego", "-rego-path", policy],
    ]);
    const port = await portOf(proxy);
    const logs = () => get(laid, port, "/containerLogs/ns/p/c");
    assert.match((await get(laid, port, "/exec/ns/p/c")).body, /^Denied by policy: exec is not allowed on this node$/m);
    assert.equal((await logs()).status, 200);

    await Deno.writeTextFile(policy, "package kubelet.policy\n\nwrong wrong\n");
    await proxy.waitForLine(/The changed policy cannot be used, the old one stays/);
    assert.equal((await logs()).status, 200);
    await Deno.writeTextFile(policy, 'package kubelet.policy\nimport rego.v1\ndeny contains "nothing goes"\n');
    await proxy.waitForLine(/Policy replaced/);
    assert.deepEqual(await logs(), { status: 403, body: "Denied by policy: nothing goes\n" });

    await Deno.writeTextFile(laid.path("tls.crt"), "broken");
    await proxy.waitForLine(/Changed certificates cannot be used, the old ones stay/);
    assert.equal((await logs()).status, 403);
    const renewed = await laid.authority.leaf({ name: "localhost" });
    await Deno.writeTextFile(laid.path("tls.key"), renewed.key);
    await Deno.writeTextFile(laid.path("tls.crt"), renewed.cert);
    await proxy.waitForLine(/Certificates replaced/);
    assert.equal((await logs()).status, 403);
    assert.equal(await proxy.stop(), 0);
    await kubelet.close();
  });
});

Deno.test("peerctl kubelet-proxy does not start with a query that names no rule, or a policy turned around", async () => {
  await withFiles(async (laid) => {
    const policy = laid.path("policy.rego");
    await Deno.writeTextFile(policy, (await runPeerctl(["kubelet-proxy", "policies", "read-only"])).stdout);
    const start = ["kubelet-proxy", ...laid.flags, "-listen", "127.0.0.1:0", "-rego", "-rego-path", policy];
    const cases: [string[], number, RegExp][] = [
      [["-query", "data.kubelet.policy.denny.deny"], 1, /names no rule of it/],
      [["-query", "data.kubelt.policy.deny"], 1, /it has data\.kubelet\.policy\./],
      [["-query", "data.kubelet.policy.allow"], 2, /without -default/],
      [["-query", "data.kubelet.policy.allow", "-default", "perhaps"], 2, /must be allow or deny/],
      [["-rego-path", laid.path("nothing.rego")], 1, /Cannot read/],
      [["-kubelet-url", "http://localhost:10250"], 2, /must begin with https/],
      [["-denylist", "exec"], 1, /Cannot deny the path "exec"/],
      [["-ca", laid.path("tls.key")], 1, /holds no PEM certificate/],
      [["-audit-log", laid.path("no/such/folder")], 1, /Cannot open audit log/],
    ];
    for (const [flags, code, message] of cases) {
      const result = await runPeerctl([...start, ...flags]);
      assert.equal(result.code, code, `${flags.join(" ")}: ${result.stderr}`);
      assert.match(result.stderr, message);
    }
  });
});

Deno.test("peerctl kubelet-proxy -insecure takes any kubelet, and warns", async () => {
  await withFiles(async (laid) => {
    const foreign = await makeTestAuthority();
    const kubelet = await startKubeletStandIn(foreign, { ca: laid.authority.caPem });
    const start = [
      ...[
        "kubelet-proxy",
        ...laid.flags,
        "-listen",
        "127.0.0.1:0",
        "-kubelet-url",
        `https://localhost:${kubelet.port}`,
      ],
    ];
    for (const [flags, status] of [[[], 502], [["-insecure"], 200]] as const) {
      await using proxy = startPeerctl([...start, ...flags]);
      assert.equal((await get(laid, await portOf(proxy), "/pods")).status, status);
      assert.equal(proxy.lines.some((line) => /is not verified/.test(line)), status === 200);
      await proxy.stop();
    }
    await kubelet.close();
  });
});

Deno.test("peerctl kubelet-proxy --print-config shows where each value comes from", async () => {
  const { code, stdout } = await runPeerctl([
    ...["kubelet-proxy", "-cert", "a", "-key", "b", "-client-cert", "c", "-client-key", "d", "-ca", "e"],
    ...["-allow-user", "one", "-allow-user", "two", "--print-config"],
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /kubelet-url\s.*https:\/\/localhost:10250/);
  assert.match(stdout, /query\s.*data\.kubelet\.policy\.deny/);
  assert.match(stdout, /allow-user\s.*one.*two/);
});

Deno.test("peerctl kubelet-proxy policies lists and prints what comes with it", async () => {
  const list = await runPeerctl(["kubelet-proxy", "policies"]);
  for (const name of ["deny-exec", "exec-commands", "namespaces", "read-only"]) {
    assert.match(list.stdout, new RegExp(`^${name} `, "m"));
  }
  const one = await runPeerctl(["kubelet-proxy", "policies", "namespaces"]);
  assert.match(one.stdout, /^package kubelet\.policy$/m);
  const json = JSON.parse((await runPeerctl(["kubelet-proxy", "policies", "namespaces", "--output", "json"])).stdout);
  assert.equal(json.text.trimEnd(), one.stdout.trimEnd());
  assert.equal((await runPeerctl(["kubelet-proxy", "policies", "none"])).code, 2);
});
