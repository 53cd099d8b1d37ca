// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CAA_ENV, caaArgs, podAnnotations, SERVING, startCaa, withHypervisor } from "../lib/testing/caa_process.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { Code } from "../lib/ttrpc/status.ts";

const env = CAA_ENV;
const annotations = podAnnotations("web");

Deno.test("caa says in one line what it cannot start with, and leaves nothing", async () => {
  await withTempDir(async (dir) => {
    const folder = join(dir, "folder.sock");
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(dir, "some.pem"), "no certificate");
    const cases: [args: string[], code: number, message: RegExp][] = [
      [["caa", "nope"], 2, /Cannot run caa with provider "nope"/],
      [["caa", "process", "-socket", folder], 1, /Cannot use hypervisor socket ".*folder.sock": it is a directory/],
      [["caa", "process", "-socket", `/tmp/${"x".repeat(120)}`], 1, /125 bytes, a unix socket path has at most 107/],
      [caaArgs(dir, "-cert-file", join(dir, "some.pem")), 1, /no CA and no private key file is given/],
      [caaArgs(dir, "-tls-min-version", "VersionTLS11"), 1, /must be VersionTLS12 or VersionTLS13/],
      [
        caaArgs(dir, "-tls-min-version", "VersionTLS13", "-tls-cipher-suites", "TLS_AES_128_GCM_SHA256"),
        1,
        /cipher suites with VersionTLS13/,
      ],
      [caaArgs(dir, "-initdata", "!"), 1, /Cannot use initdata/i],
      [caaArgs(dir, "-secure-comms"), 2, /Cannot use -secure-comms: this version has no Secure Comms/],
      [caaArgs(dir, "-relays", "0"), 2, /Cannot use -relays "0"/],
    ];
    for (const [args, code, message] of cases) {
      const result = await runPeerctl(args, { env });
      assert.equal(result.code, code, `${args.join(" ")}\n${result.stderr}`);
      assert.match(result.stderr, message);
      assert.equal(result.stderr.match(/error:/g)?.length, 1, result.stderr);
    }
    const inCluster = await runPeerctl(caaArgs(dir), { env: { ...env, NODE_NAME: "n1" } });
    assert.equal(inCluster.code, 1);
    assert.match(inCluster.stderr, /NODE_NAME is set/);
    assert.deepEqual([...Deno.readDirSync(dir)].filter(({ name }) => name.endsWith("h.sock")), []);
  });
});

Deno.test("caa reports every problem of its command line and environment together", async () => {
  const result = await runPeerctl(["caa", "process", "-proxy-timeout", "5", "-vxlan-port", "1", "--nope"], {
    env: { PROBE_PORT: "many", SECURE_COMMS: "true" },
  });
  assert.equal(result.code, 2);
  for (const word of ["-proxy-timeout", "-vxlan-port", "-nope", "PROBE_PORT", "SECURE_COMMS"]) {
    assert.ok(result.stderr.includes(word), `${word} is missing in:\n${result.stderr}`);
  }
});

Deno.test("caa answers misuse of the hypervisor service with a status and goes on", async () => {
  await withTempDir(async (dir) => {
    await using caa = await startCaa(dir);
    await withHypervisor(dir, async (vm, info) => {
      assert.equal((await vm.version({})).version, "0.0.0");
      await assert.rejects(vm.startVM({ id: "sb1" }), { code: Code.notFound, message: /CreateVM has to come first/ });
      await assert.rejects(vm.createVM({ id: "", annotations }), { code: Code.invalidArgument });
      await assert.rejects(vm.createVM({ id: "../x", annotations }), { code: Code.invalidArgument });
      await assert.rejects(vm.createVM({ id: "sb1", annotations: {} }), {
        code: Code.invalidArgument,
        message: /sandbox-name/,
      });
      const { agentSocketPath } = await vm.createVM({ id: "sb1", annotations, networkNamespacePath: "/run/netns/a" });
      assert.equal(agentSocketPath, join(dir, "pods/sb1/agent.ttrpc"));
      await assert.rejects(vm.createVM({ id: "sb1", annotations, networkNamespacePath: "/run/netns/b" }), {
        code: Code.alreadyExists,
      });
      const pod = { PodName: "web", PodNamespace: "default" };
      await assert.rejects(info.getInfo(pod), { code: Code.notFound });
      await assert.rejects(info.getInfo({ ...pod, Wait: true }, { timeoutMs: 50 }), { code: Code.deadlineExceeded });
      await vm.stopVM({ id: "sb1" });
      await vm.stopVM({ id: "sb1" });
      await vm.stopVM({ id: "never-seen" });
      await assert.rejects(vm.stopVM({ id: "../x" }), { code: Code.invalidArgument });
    });
    assert.deepEqual([...Deno.readDirSync(join(dir, "pods"))].filter(({ name }) => !name.startsWith(".")), []);
    assert.equal(await caa.stop(), 0);
    await assert.rejects(stat(join(dir, "h.sock")), { code: "ENOENT" });
  });
});

Deno.test("caa keeps its socket and folders to itself and lets no second caa in", async () => {
  await withTempDir(async (dir) => {
    await using caa = await startCaa(dir);
    assert.equal((await stat(join(dir, "h.sock"))).mode & 0o777, 0o600);
    assert.equal((await stat(join(dir, "pods"))).mode & 0o777, 0o700);
    const same = await runPeerctl(caaArgs(dir), { env });
    assert.equal(same.code, 1);
    assert.match(same.stderr, /another caa is using it/);
    const otherPods = ["caa", "process", "-socket", join(dir, "h.sock"), "-pods-dir", join(dir, "pods2")];
    const sameSocket = await runPeerctl(otherPods, { env });
    assert.equal(sameSocket.code, 1);
    assert.match(sameSocket.stderr, /h\.sock/);
    await withHypervisor(dir, async (vm) => assert.equal((await vm.version({})).version, "0.0.0"));

    await caa.kill();
    await using next = await startCaa(dir);
    await withHypervisor(dir, async (vm) => assert.equal((await vm.version({})).version, "0.0.0"));
    assert.equal(await next.stop(), 0);
  });
});

Deno.test("caa answers probes on loopback", async () => {
  await withTempDir(async (dir) => {
    await using caa = await startCaa(dir);
    const line = JSON.parse(await caa.waitForLine(SERVING));
    const probe = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${line.probe_port}${path}`);
      return { status: response.status, body: await response.json() };
    };
    assert.equal((await probe("/startup")).status, 200);
    assert.equal((await probe("/healthz")).status, 200);
    const ready = await probe("/readyz");
    assert.equal(ready.status, 200);
    assert.deepEqual(ready.body.details, {
      provider: "process",
      sandboxes: {},
      deletions: [],
      orphans: [],
      warnings: [],
    });
    await Deno.remove(join(dir, "h.sock"));
    assert.equal((await probe("/startup")).status, 500);
    assert.equal((await probe("/readyz")).status, 503);
    await caa.stop();
  });
});

Deno.test("caa fails StartVM at once, and takes the VM back, when its forwarder cannot start", async () => {
  await withTempDir(async (dir) => {
    await using caa = await startCaa(dir, { flags: ["-forwarder-command", "/bin/false"] });
    await withHypervisor(dir, async (vm) => {
      await vm.createVM({ id: "sb1", annotations });
      await assert.rejects(vm.startVM({ id: "sb1" }), { message: /its forwarder ended with exit code 1/ });
      await vm.stopVM({ id: "sb1" });
    });
    assert.deepEqual([...Deno.readDirSync(join(dir, "pods/.process"))], []);
    assert.equal(await caa.stop(), 0);
  });
});

Deno.test("caa gives up a pod that is starting when it is stopped, and when the pod is", async () => {
  await withTempDir(async (dir) => {
    // A forwarder that never listens: StartVM waits until something else ends it.
    const silent = ["-forwarder-command", "/bin/sh -c 'exec sleep 600'"];
    await using caa = await startCaa(dir, { flags: silent });
    await withHypervisor(dir, async (vm) => {
      await vm.createVM({ id: "sb1", annotations });
      const started = assert.rejects(vm.startVM({ id: "sb1" }), { code: Code.cancelled });
      await waitForEntry(join(dir, "pods/.process"));
      await vm.stopVM({ id: "sb1" }, { timeoutMs: 20_000 });
      await started;
      assert.deepEqual([...Deno.readDirSync(join(dir, "pods/.process"))], []);

      await vm.createVM({ id: "sb2", annotations });
      const cut = assert.rejects(vm.startVM({ id: "sb2" }));
      await waitForEntry(join(dir, "pods/.process"));
      assert.equal(await caa.stop(), 0);
      await cut;
    });
    assert.deepEqual([...Deno.readDirSync(join(dir, "pods/.process"))], []);
  });
});

/** Resolves once the folder has an entry; watches it instead of polling. */
async function waitForEntry(folder: string): Promise<void> {
  using watcher = Deno.watchFs(folder);
  if (!Deno.readDirSync(folder)[Symbol.iterator]().next().done) return;
  for await (const event of watcher) if (event.kind === "create") return;
}

Deno.test("W17: caa with -cloud-config-verify does not start on settings that do not check out", async () => {
  await withTempDir(async (dir) => {
    const wrong = ["-agent-command", "/nonexistent/agent {socket}"];
    const result = await runPeerctl(caaArgs(dir, ...wrong, "-cloud-config-verify"), { env });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /Cannot run "\/nonexistent\/agent": there is no such file/);
    await using lenient = await startCaa(dir, { flags: wrong });
    assert.ok(lenient.lines.some((line) => line.includes("do not check out")));
    assert.equal(await lenient.stop(), 0);
  });
});
