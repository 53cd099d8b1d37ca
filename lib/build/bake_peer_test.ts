// SPDX-License-Identifier: Apache-2.0
/** A Debian tree, baked: systemd reads its units and boots it, and its forwarder serves caa and the Go peers. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { assertOk, CHECK_INTERVAL_MS, playAgentSequence } from "../testing/agent_sequence.ts";
import { type BootedTree, bootTree } from "../testing/booted_tree.ts";
import { POD_ANNOTATIONS, withCaaNode } from "../testing/caa_node.ts";
import { layCertificates } from "../testing/certificate_files.ts";
import { makeDebianTree, requireDebianTree } from "../testing/debian_tree.ts";
import { startGoAgent } from "../testing/go_agent.ts";
import { startGoShim } from "../testing/go_shim.ts";
import { startGoProxy } from "../testing/go_tls_peers.ts";
import { bindNotifySocket } from "../testing/notify_socket.ts";
import { requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { ROOT } from "./bundle.ts";

const UNITS = ["agent-protocol-forwarder.path", "agent-protocol-forwarder.service"];
const SETTINGS = "etc/default/agent-protocol-forwarder";

const ID = "0a1b2c3d4e5f";
/** Where pod VMs of other tests are not: a loopback address of our own for each test process. */
const ADDRESS = `127.150.${Deno.pid >> 8 & 255}.${Deno.pid & 255}`;

Deno.test({
  name: "bake makes of a Debian tree one whose forwarder serves caa, and whose units systemd runs",
  ignore: (await requireDebianTree()).ignore || requirePeer("go").ignore,
  fn: (t) =>
    withTempDir(async (dir) => {
      const tree = join(dir, "tree"), certs = join(dir, "certs");
      await makeDebianTree(tree);
      await layCertificates(certs, "ecdsa-p256");
      const step = async (name: string, fn: () => Promise<void>) => assert.ok(await t.step(name, fn));

      await step(
        "deno task bake says what it laid, and that a second run changes nothing",
        () => bakeTwice(tree, certs),
      );
      await step("no key is in the tree but tls.key", () => assertOneKey(tree));
      await step("systemd-analyze verify is clean, and systemctl calls the forwarder enabled", () => verifyUnits(tree));
      await step("chroot TREE agent-protocol-forwarder -version works", () => runVersion(tree));
      await step("the forwarder in the chroot notifies, and serves an agent call of caa", () => serveCaa(tree, certs));
      await layWorkerFiles(tree);
      await step("systemd-analyze security stays as low as it is", () => measureExposure(tree));
      await step("systemd starts the forwarder when the agent listens, and it serves", () => bootGuest(tree, certs));
      await step("systemd runs caa and relay, and pods outlive a restart of caa", () => bootWorker(tree));
    }),
});

async function bakeTwice(tree: string, certs: string): Promise<void> {
  const first = await succeed(Deno.execPath(), "task", "bake", tree, "--certs", certs, "--output", "json");
  const { pieces } = JSON.parse(first) as {
    pieces: { path: string; change: string; mode?: string; sha256?: string }[];
  };
  assert.deepEqual([...new Set(pieces.map(({ change }) => change))], ["new"]);
  for (const { path, mode, sha256 } of pieces.filter((one) => one.sha256 !== undefined)) {
    assert.equal((await succeed("sha256sum", tree + path)).split(" ")[0], sha256, path);
    assert.equal((await succeed("stat", "--format=0%a %U:%G", tree + path)).trim(), `${mode} root:root`, path);
  }
  assert.equal(pieces.find(({ path }) => path === "/etc/certificates/tls.key")?.mode, "0600");
  const before = await listTree(tree);
  const second = await output(Deno.execPath(), "task", "bake", tree, "--certs", certs);
  assert.match(second.stderr, /nothing changed in /);
  assert.equal(await listTree(tree), before);
}

/** Every path with what an image builder would notice of it, its inode too: what is written anew has another. */
const listTree = (tree: string) => succeed("find", tree, "-printf", "%p %y %i %m %u %g %s %T@ %l\n");

async function assertOneKey(tree: string): Promise<void> {
  const key = `${tree}/etc/certificates/tls.key\n`;
  assert.equal(await succeed("find", tree, "-name", "*.key"), key);
  // A program may have the words in it; in a key they are a line.
  const text = [
    "--recursive",
    "--files-with-matches",
    "--line-regexp",
    "--binary-files=without-match",
    "--devices=skip",
  ];
  assert.equal(await succeed("grep", ...text, "--", "-----BEGIN .*PRIVATE KEY-----", tree), key);
}

async function verifyUnits(tree: string): Promise<void> {
  const verified = await output("systemd-analyze", "verify", `--root=${tree}`, ...UNITS);
  assert.deepEqual(verified, { ok: true, stdout: "", stderr: "" });
  assert.equal(await succeed("systemctl", `--root=${tree}`, "is-enabled", UNITS[0]!), "enabled\n");
  assert.equal(await succeed("systemctl", `--root=${tree}`, "enable", UNITS[0]!), "");
}

/** Run in a mount namespace of its own: `sh -euc CHROOT sh TREE COMMAND…. */
const CHROOT = `tree=$1; shift
mount -t proc proc "$tree/proc"
mount -t tmpfs tmpfs "$tree/run"
for name in null urandom; do touch "$tree/dev/$name"; mount --bind "/dev/$name" "$tree/dev/$name"; done
exec chroot "$tree" "$@"`;

async function runVersion(tree: string): Promise<void> {
  const args = ["--mount", "--propagation", "private", "sh", "-euc", CHROOT, "sh", tree];
  const text = await succeed("unshare", ...args, "agent-protocol-forwarder", "-version");
  assert.match(text, /^peerctl \d+\.\d+\.\d+ \([0-9a-f]{40}(-modified)?\)\n$/);
  // As README.md has it: with no /proc, without which Deno cannot load much.
  const bare = await output("chroot", tree, "agent-protocol-forwarder", "-version");
  assert.deepEqual({ ...bare, stderr: "" }, { ok: true, stdout: text, stderr: "" });
  assert.match(bare.stderr, /^peerctl: warning: \/proc is not mounted/);
}

/**
 * `forwarder TREE DIR FLAG…`: what the unit of the tree would run, in a chroot that has DIR at the same path. No process
 * is added: the forwarder has the pid that was started, as under systemd.
 */
const FORWARDER = `#!/bin/sh
exec unshare --mount --propagation private sh -euc '
tree=$1 dir=$2; shift 2
. "$tree/${SETTINGS}"
command=$(sed -n "s/^ExecStart=//p" "$tree/etc/systemd/system/agent-protocol-forwarder.service")
mkdir -p "$tree$dir"; mount --bind "$dir" "$tree$dir"
export NOTIFY_SOCKET="$dir/notify.sock"
eval "set -- $command \\"\\$@\\""
set -- "$tree" "$@"
${CHROOT}
' sh "$@"
`;

async function serveCaa(tree: string, certs: string): Promise<void> {
  const script = join(certs, "forwarder");
  await Deno.writeTextFile(script, FORWARDER, { mode: 0o755 });
  const own = ["-ca-cert-file", "ca.crt", "-cert-file", "client.crt", "-cert-key", "client.key"];
  const tls = own.map((word) => word.startsWith("-") ? word : join(certs, word));
  await withCaaNode((dir) => ["-forwarder-command", `'${script}' '${tree}' '${dir}'`, ...tls], async (node) => {
    using notified = bindNotifySocket(join(node.dir, "notify.sock"));
    await using stack = new AsyncDisposableStack();
    const shim = stack.adopt(await startGoShim({ socket: node.socket }), (peer) => peer.stop());
    const { agentSocketPath: socket } = assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS }));
    assertOk(await shim.startVM(ID));
    assert.match(await notified.receive(), /^READY=1/);
    const [instance] = await node.instances();
    const pid = instance?.record.processes.find(({ role }) => role === "forwarder")?.pid;
    assert.equal(await Deno.readLink(`/proc/${pid}/root`), tree);
    assert.equal(await Deno.readLink(`/proc/${pid}/exe`), `${tree}/usr/lib/peerctl/deno`);
    await playAgentSequence(shim, { sandboxId: ID, socket, bindSource: join(node.dir, "bind/source") });
    assertOk(await shim.stopVM(ID));
    assert.match(await notified.receive(), /^STOPPING=1/);
  });
}

/** As on a worker node; the program is there already, by its path in a guest. */
async function layWorkerFiles(tree: string): Promise<void> {
  await succeed("cp", "--recursive", `${ROOT}podvm-files/worker/.`, tree);
  await Deno.symlink("/usr/bin/peerctl", join(tree, "usr/local/bin/peerctl"));
  const verified = await output(
    "systemd-analyze",
    "verify",
    `--root=${tree}`,
    "peerctl-caa.service",
    "peerctl-relay@0.service",
  );
  assert.deepEqual(verified, { ok: true, stdout: "", stderr: "" });
}

async function measureExposure(tree: string): Promise<void> {
  const readme = await Deno.readTextFile(`${ROOT}podvm-files/README.md`);
  const rows = [...readme.matchAll(/^\| (\S+\.service) +\| ([0-9.]+) +\|$/gm)];
  assert.equal(rows.length, 3);
  for (const [, unit, most] of rows) {
    const text = await succeed("systemd-analyze", "security", "--offline=true", `--root=${tree}`, "--no-pager", unit!);
    const level = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(text)?.[1]);
    assert.ok(level <= Number(most), `${unit}: ${level}, above ${most}\n${text}`);
  }
}

async function bootGuest(tree: string, certs: string): Promise<void> {
  await Deno.writeTextFile(
    join(tree, SETTINGS),
    (await Deno.readTextFile(join(tree, SETTINGS))).replace(/^OPTIONS=.*$/m, `OPTIONS="-listen ${ADDRESS}:15150"`),
  );
  await withTempDir(async (dir) => {
    await using stack = new AsyncDisposableStack();
    const booted = stack.use(await bootTree({ tree, shared: dir }));
    const isActive = async () => (await booted.run("systemctl", "is-active", ...UNITS)).text.trim().split("\n");
    assert.deepEqual(await isActive(), ["active", "inactive"]);
    assert.equal(await succeed("stat", "--format=%a", `${booted.root}/run/peerpod`), "700\n");

    const config = { "pod-network": null, "pod-namespace": "default", "pod-name": "web" };
    await Deno.writeTextFile(`${booted.root}/run/peerpod/apf.json`, JSON.stringify(config), { mode: 0o600 });
    await Deno.mkdir(`${booted.root}/run/kata-containers`);
    const agentSocket = `${booted.root}/run/kata-containers/agent.sock`;
    const agent = stack.adopt(
      await startGoAgent({ socket: agentSocket, dir: join(dir, "files") }),
      (peer) => peer.stop(),
    );
    const files = [
      "-ca-cert-file",
      `${certs}/ca.crt`,
      "-cert-file",
      `${certs}/client.crt`,
      "-cert-key",
      `${certs}/client.key`,
    ];
    const socket = join(dir, "agent.ttrpc");
    const proxy = stack.adopt(
      await startGoProxy({ socket, serverName: "podvm-server", args: files }),
      (peer) => peer.stop(),
    );
    // It tries until the forwarder is there.
    await proxy.dial({ host: ADDRESS, port: 15150 });
    await assertActive(booted, UNITS[1]!);
    await assertShutIn(booted, UNITS[1]!);
    const shim = stack.adopt(await startGoShim({ socket: "none" }), (peer) => peer.stop());
    const bindSource = "/var/lib/kubelet/pods/1/volumes/empty";
    await playAgentSequence(shim, { sandboxId: ID, socket, bindSource });
    assert.ok(agent.requests().length > 0);
    assert.equal(await succeed("stat", "--format=%a", `${booted.root}${bindSource}`), "755\n");
    await agent.stop();
  });
}

async function bootWorker(tree: string): Promise<void> {
  const settings = `PROVIDER=process\nPROBE_PORT=0\n`;
  await Deno.writeTextFile(join(tree, "etc/default/peerctl-caa"), settings);
  await succeed("systemctl", `--root=${tree}`, "enable", "peerctl-caa.service");
  await withTempDir(async (dir) => {
    await using stack = new AsyncDisposableStack();
    const booted = stack.use(await bootTree({ tree, shared: dir }));
    for (const unit of ["peerctl-relay@0.service", "peerctl-caa.service"]) {
      await assertActive(booted, unit);
      await assertShutIn(booted, unit);
    }
    const shim = stack.adopt(
      await startGoShim({ socket: `${booted.root}/run/peerpod/hypervisor.sock` }),
      (peer) => peer.stop(),
    );
    const { agentSocketPath } = assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS }));
    assertOk(await shim.startVM(ID));
    assertOk(await shim.connect(`${booted.root}${agentSocketPath}`));
    assertOk(await shim.startChecks(CHECK_INTERVAL_MS));
    await shim.checked(5);
    assert.ok((await booted.run("systemctl", "restart", "peerctl-caa.service")).ok);
    await shim.checked((await shim.stats()).checksOk + 5);
    assert.deepEqual(assertOk(await shim.createVM({ id: ID, annotations: POD_ANNOTATIONS })), { agentSocketPath });
    assertOk(await shim.stopVM(ID));
    assert.equal((await booted.run("systemctl", "show", "-P", "NRestarts", "peerctl-relay@0.service")).text, "0\n");
  });
}

async function assertActive(booted: BootedTree, unit: string): Promise<void> {
  const { text } = await booted.run("systemctl", "is-active", unit);
  assert.equal(text, "active\n", (await booted.run("journalctl", "--no-pager", "-n", "50")).text);
}

/** No capability, no way to more of them, and a filter of system calls. */
async function assertShutIn(booted: BootedTree, unit: string): Promise<void> {
  const { text: pid } = await booted.run("systemctl", "show", "-P", "MainPID", unit);
  const { text } = await booted.run("cat", `/proc/${pid.trim()}/status`);
  assert.match(text, /^CapEff:\t0+$/m);
  assert.match(text, /^CapBnd:\t0+$/m);
  assert.match(text, /^NoNewPrivs:\t1$/m);
  assert.match(text, /^Seccomp:\t2$/m);
}

/** What it printed on stdout. */
async function succeed(program: string, ...args: string[]): Promise<string> {
  const { ok, stdout, stderr } = await output(program, ...args);
  assert.ok(ok, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

async function output(program: string, ...args: string[]): Promise<{ ok: boolean; stdout: string; stderr: string }> {
  const command = new Deno.Command(program, { args, cwd: ROOT, stdin: "null", stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  return { ok: success, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}
