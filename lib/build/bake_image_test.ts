// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { createCertificateSet } from "../crypto/certificate_set.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";
import { layCertificates } from "../testing/certificate_files.ts";
import { LOADER, makeSmallRoot, smallProgram } from "../testing/small_root.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { type Baked, bakeImage, type BakeOptions } from "./bake_image.ts";
import { ROOT } from "./bundle.ts";
import type { ProgramFile } from "./program.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const launcher: ProgramFile = { path: "usr/bin/peerctl", mode: 0o755, content: encode("#!/bin/sh\n") };
const main: ProgramFile = { path: "usr/lib/peerctl/main.js", mode: 0o644, content: encode("main\n") };
const runtime: ProgramFile = { path: "usr/lib/peerctl/deno", mode: 0o755, content: smallProgram() };

type Overrides = Partial<BakeOptions>;

/** Bakes into a small root below `dir`, which is made unless it is there. */
async function bake(dir: string, o: Overrides = {}): Promise<Baked> {
  const root = join(dir, "root");
  if (!existsSync(root)) await makeSmallRoot(root);
  return await bakeImage({
    root,
    thisMachine: false,
    podVmFiles: `${ROOT}podvm-files`,
    program: () => Promise.resolve([launcher, main, runtime]),
    owner: { uid: Deno.uid()!, gid: Deno.gid()! },
    ...o,
  });
}

const changes = ({ pieces }: Baked) => [...new Set(pieces.map(({ change }) => change))];
const read = (dir: string, path: string) => Deno.readTextFile(join(dir, "root", path));
const exists = (dir: string, path: string) => Deno.lstat(join(dir, "root", path)).then(() => true, () => false);

Deno.test("bakeImage() lays program, links, units and their enabling, and a second time nothing", () =>
  withTempDir(async (dir) => {
    const first = await bake(dir);
    assert.deepEqual(changes(first), ["new"]);
    assert.equal(first.target, "x86_64-unknown-linux-gnu");
    for (const name of ["agent-protocol-forwarder", "apf"]) {
      assert.equal(await Deno.readLink(join(dir, "root/usr/local/bin", name)), "/usr/bin/peerctl");
    }
    const units = "/etc/systemd/system";
    const enabled = first.pieces.filter(({ path, link }) => path.startsWith(units) && link !== undefined);
    assert.deepEqual(enabled.map(({ path }) => path), [
      `${units}/multi-user.target.wants/agent-protocol-forwarder.path`,
    ]);
    assert.equal(first.pieces.at(-1), enabled[0], "what enables comes last");
    assert.match(await read(dir, "etc/default/agent-protocol-forwarder"), /^TLS_OPTIONS=""$/m);
    assert.deepEqual(changes(await bake(dir)), ["unchanged"]);
    // What is for worker nodes stays out of guests.
    const all = first.pieces.map(({ path }) => basename(path)).join(" ");
    assert.doesNotMatch(all, /peerctl-(caa|relay)|README\.md/);
  }));

Deno.test("bakeImage() copies three files of --certs and tells apf to use them; other keys of the folder stay there", () =>
  withTempDir(async (dir) => {
    const certificates = join(dir, "certs");
    await layCertificates(certificates, "ecdsa-p256");
    const { pieces } = await bake(dir, { certificates });
    const laid = [...Deno.readDirSync(join(dir, "root/etc/certificates"))].map(({ name }) => name).sort();
    assert.deepEqual(laid, ["README", "ca.crt", "tls.crt", "tls.key"]);
    assert.ok([...Deno.readDirSync(certificates)].some(({ name }) => name === "ca.key"));
    const mode = (path: string) => pieces.find((one) => one.path === path)?.mode;
    assert.deepEqual([mode("/etc/certificates"), mode("/etc/certificates/tls.key")], ["0700", "0600"]);
    assert.match(
      await read(dir, "etc/default/agent-protocol-forwarder"),
      /^TLS_OPTIONS="-ca-cert-file \/etc\/certificates\/ca.crt -cert-file .*tls.crt -cert-key .*tls.key"$/m,
    );
    assert.deepEqual(changes(await bake(dir, { certificates })), ["unchanged"]);
    // However the folder is written.
    assert.deepEqual(changes(await bake(dir, { certificates: `${dir}/./certs//` })), ["unchanged"]);
    // Neither does a bake without certificates undo it.
    assert.deepEqual(changes(await bake(dir)), ["unchanged"]);
  }));

Deno.test("bakeImage() lays nothing when the certificates would not serve", () =>
  withTempDir(async (dir) => {
    const certificates = join(dir, "certs");
    await layCertificates(certificates, "ecdsa-p256");
    const copy = (from: string, to: string) => Deno.copyFile(join(certificates, from), join(certificates, to));
    const refused = async (message: RegExp) => {
      await assert.rejects(bake(dir, { certificates }), { kind: "config", message });
      assert.equal(await exists(dir, "usr/bin/peerctl"), false);
      assert.equal(await exists(dir, "etc/certificates"), false);
    };
    await copy("tls.key", "kept.key");
    await copy("client.key", "tls.key");
    await refused(/does not belong to/);
    await copy("kept.key", "tls.key");
    await copy("client.crt", "tls.crt");
    await copy("client.key", "tls.key");
    await refused(/server|podvm-server/);
    await layCertificates(certificates, "ecdsa-p256");
    const text = (name: string) => Deno.readTextFileSync(join(certificates, name));
    for (const [name, other] of [["ca.crt", "ca.key"], ["tls.crt", "tls.key"], ["tls.key", "client.key"]] as const) {
      const before = text(name);
      await Deno.writeTextFile(join(certificates, name), before + text(other));
      await refused(new RegExp(`${name}": it holds .*private key`));
      await Deno.writeTextFile(join(certificates, name), before);
    }
    await Deno.remove(join(certificates, "ca.crt"));
    await refused(/ca\.crt.*there is no such file/);
  }));

Deno.test("bakeImage() refuses a certificate for another name than caa looks for", () =>
  withTempDir(async (dir) => {
    const files = await createCertificateSet({
      names: parseAlternativeNames(["elsewhere"]),
      subject: [],
      keyType: "ecdsa-p256",
      days: 1,
      now: new Date(),
    });
    for (const { name, content } of files) await Deno.writeTextFile(join(dir, name), content);
    await assert.rejects(bake(dir, { certificates: dir }), { kind: "config", message: /podvm-server/ });
  }));

Deno.test("bakeImage() refuses a tree with another key beside the certificates", () =>
  withTempDir(async (dir) => {
    await bake(dir);
    const at = (name: string) => join(dir, "root/etc/certificates", name);
    await Deno.writeTextFile(at("ca.key"), "");
    await Deno.writeTextFile(at("bundle.pem"), "x\n-----BEGIN EC PRIVATE KEY-----\n");
    await assert.rejects(bake(dir), { kind: "config", message: /bundle\.pem and ca\.key .*hold private keys/ });
  }));

Deno.test("bakeImage() refuses podvm-files with a file that is no part of it", () =>
  withTempDir(async (dir) => {
    const podVmFiles = join(dir, "podvm-files");
    const copied = await new Deno.Command("cp", { args: ["-r", `${ROOT}podvm-files`, podVmFiles] }).output();
    assert.ok(copied.success);
    await bake(dir, { podVmFiles });
    await Deno.writeTextFile(join(podVmFiles, "etc/certificates/ca.key"), "");
    await assert.rejects(bake(dir, { podVmFiles }), {
      kind: "config",
      message: /no part of it: \/etc\/certificates\/ca\.key/,
    });
  }));

Deno.test("bakeImage() keeps the settings of an image, replaces its units, and removes what an earlier bake left", () =>
  withTempDir(async (dir) => {
    await makeSmallRoot(join(dir, "root"));
    const wants = "etc/systemd/system/multi-user.target.wants", service = "agent-protocol-forwarder.service";
    for (const folder of ["etc/default", wants, "usr/lib/peerctl", "usr/local/bin"]) {
      await Deno.mkdir(join(dir, "root", folder), { recursive: true });
    }
    const write = (path: string, text: string) => Deno.writeTextFile(join(dir, "root", path), text);
    await write("etc/default/agent-protocol-forwarder", "OPTIONS=-listen 0.0.0.0:1\n");
    await write(`etc/systemd/system/${service}`, "[Service]\n");
    await write("usr/lib/peerctl/chunk-OLD.js", "old");
    await write("usr/local/bin/agent-protocol-forwarder", "a program in Go");
    await Deno.symlink(`../${service}`, join(dir, "root", wants, service));
    const { pieces } = await bake(dir);
    const by = (change: string) => pieces.filter((one) => one.change === change).map(({ path }) => path);
    assert.deepEqual(by("removed"), [`/${wants}/${service}`, "/usr/lib/peerctl/chunk-OLD.js"]);
    assert.deepEqual(by("replaced"), ["/usr/local/bin/agent-protocol-forwarder", `/etc/systemd/system/${service}`]);
    assert.equal(await read(dir, "etc/default/agent-protocol-forwarder"), "OPTIONS=-listen 0.0.0.0:1\n");
    assert.match(await read(dir, `etc/systemd/system/${service}`), /Type=notify/);
  }));

Deno.test("bakeImage() refuses folders of its own that are links, and touches nothing behind them", () =>
  withTempDir(async (dir) => {
    for (const path of ["etc/certificates", "usr/lib/peerctl"]) {
      await Deno.remove(join(dir, "root"), { recursive: true }).catch(() => {});
      await makeSmallRoot(join(dir, "root"));
      await Deno.symlink("/etc", join(dir, "root", path));
      await assert.rejects(bake(dir), { kind: "config", message: new RegExp(`its /${path} is a symbolic link`) });
      assert.deepEqual(
        [...Deno.readDirSync(join(dir, "root/etc"))].map(({ name }) => name).filter((name) => name !== "certificates"),
        ["os-release"],
      );
    }
  }));

Deno.test("bakeImage() refuses a program for another architecture than the tree's", () =>
  withTempDir(async (dir) => {
    await makeSmallRoot(join(dir, "root"), { machine: 183 });
    const asked: string[] = [];
    const program = (target: string) => (asked.push(target), Promise.reject(new Error("enough")));
    await assert.rejects(bake(dir, { target: "x86_64-unknown-linux-gnu", program }), {
      kind: "config",
      message: /Cannot bake x86_64-unknown-linux-gnu into ".*": its programs are for aarch64-unknown-linux-gnu/,
    });
    await assert.rejects(bake(dir, { program }), /enough/);
    assert.deepEqual(asked, ["aarch64-unknown-linux-gnu"]);
    await Deno.remove(join(dir, "root"), { recursive: true });
    await makeSmallRoot(join(dir, "root"), { machine: 243 });
    await assert.rejects(bake(dir), { kind: "config", message: /its programs are for machine 243/ });
  }));

Deno.test("bakeImage() names what the tree lacks to run the program", () =>
  withTempDir(async (dir) => {
    await makeSmallRoot(join(dir, "root"));
    for (const path of [`usr${LOADER}`, "usr/lib/x86_64-linux-gnu/libgcc_s.so.1"]) {
      await Deno.remove(join(dir, "root", path));
    }
    const libc = join(dir, "root/usr/lib/x86_64-linux-gnu/libc.so.6");
    await Deno.writeFile(libc, await Deno.readFile(join(dir, "root/usr/bin/sh")));
    await assert.rejects(bake(dir), {
      kind: "config",
      message:
        /lacks \/lib64\/ld-linux-x86-64\.so\.2, the dynamic loader, libgcc_s\.so\.1, GLIBC_2\.17 and GLIBC_2\.34 in \/.*libc\.so\.6$/,
    });
    assert.equal(await exists(dir, "usr/bin/peerctl"), false);
  }));
