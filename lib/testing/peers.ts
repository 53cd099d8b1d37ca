// SPDX-License-Identifier: Apache-2.0
/** Finds the peer programs that tests talk to (Go, Rust, openssl, ssh) and builds those of testdata/peers. */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { PeerctlError } from "../errors.ts";

/** A program that a test needs beside Deno. */
export type PeerTool =
  | "go"
  | "cargo"
  | "openssl"
  | "curl"
  | "ssh"
  | "zsh"
  | "fish"
  | "ss"
  | "nginx"
  | "debootstrap"
  | "systemd-analyze";

/** What to tell someone who does not have it. */
const INSTALL_HINTS: Record<PeerTool, string> = {
  go: "install Go 1.26 or newer so that `go` is on PATH",
  cargo: "install Rust 1.80 or newer so that `cargo` is on PATH",
  openssl: "install the Debian package openssl",
  curl: "install the Debian package curl",
  ssh: "install the Debian packages openssh-client and openssh-server",
  zsh: "install the Debian package zsh",
  fish: "install the Debian package fish",
  ss: "install the Debian package iproute2",
  nginx: "install the Debian package nginx-light and put /usr/sbin on PATH",
  debootstrap: "install the Debian packages debootstrap and debian-archive-keyring",
  "systemd-analyze": "install the Debian package systemd",
};

/** Where the Go module and the Rust package lie, and where the Go programs are put (not committed). */
const GO_DIR = new URL("../../testdata/peers/go", import.meta.url).pathname;
const KUBELET_DIR = new URL("../../testdata/peers/kubelet", import.meta.url).pathname;
const OPA_DIR = new URL("../../testdata/peers/opa", import.meta.url).pathname;
const VERIFY_DIR = new URL("../../testdata/peers/goverify", import.meta.url).pathname;
const BIN_DIR = new URL("../../testdata/peers/bin", import.meta.url).pathname;

const RUST_DIR = new URL("../../testdata/peers/rust", import.meta.url).pathname;
const REGORUS_DIR = new URL("../../testdata/peers/regorus", import.meta.url).pathname;

/** Digits of the source hash that names a build: 64 bits, so that two builds never share a name by chance. */
const HASH_DIGITS = 16;

const announced = new Set<PeerTool>();

/**
 * Says whether a test that needs `tool` is skipped; spread it into Deno.test.
 *
 * Run by hand without the tool the test is skipped, with one plain line. With CI=true it is not skipped, so that it
 * fails: a green CI has no gap in it.
 */
export function requirePeer(tool: PeerTool): { ignore: boolean } {
  if (findTool(tool) !== undefined) return { ignore: false };
  if (Deno.env.get("CI") === "true") return { ignore: false };
  if (!announced.has(tool)) {
    announced.add(tool);
    console.log(`Tests with ${tool} are skipped: ${INSTALL_HINTS[tool]}`);
  }
  return { ignore: true };
}

/**
 * Returns the path of `tool`.
 *
 * @throws {PeerctlError} kind "config" when it is not on PATH.
 */
export function peerPath(tool: PeerTool): string {
  const path = findTool(tool);
  if (path === undefined) {
    throw new PeerctlError("config", `Cannot run the peer program "${tool}": it is not on PATH`, {
      hint: INSTALL_HINTS[tool],
    });
  }
  return path;
}

/**
 * Returns the path of the Go program `name` (a folder of testdata/peers/go/cmd), built if its sources are new.
 *
 * All programs are built together.
 *
 * @throws {PeerctlError} kind "config" without Go, without such a program, or when the build fails.
 */
export async function goPeer(name: string): Promise<string> {
  const go = peerPath("go");
  if (!existsSync(join(GO_DIR, "cmd", name))) {
    throw new PeerctlError(
      "config",
      `Cannot build Go peer "${name}": there is no such folder in testdata/peers/go/cmd`,
    );
  }
  return join(await goBuild(go, GO_DIR, "./cmd/..."), name);
}

/**
 * Returns the path of the program of testdata/peers/opa, which evaluates policies with OPA's library.
 *
 * @throws {PeerctlError} kind "config" without Go or when the build fails.
 */
export async function opaPeer(): Promise<string> {
  return join(await goBuild(peerPath("go"), OPA_DIR, "."), "opa");
}

/**
 * Returns the path of a program of testdata/peers/kubelet: the kubelet stand-in, the client on client-go, or the load.
 *
 * @throws {PeerctlError} kind "config" without Go or when the build fails.
 */
export async function kubeletPeer(name: "kubelet" | "client" | "load"): Promise<string> {
  return join(await goBuild(peerPath("go"), KUBELET_DIR, "./cmd/..."), name);
}

/**
 * Returns the path of the program of testdata/peers/goverify, which verifies certificates with Go's crypto/x509.
 *
 * @throws {PeerctlError} kind "config" without Go or when the build fails.
 */
export async function goVerifyPeer(): Promise<string> {
  return join(await goBuild(peerPath("go"), VERIFY_DIR, "."), "goverify");
}

/**
 * Returns the path of the Rust agent, built if its sources are new; cargo itself lets one build wait for another.
 *
 * @throws {PeerctlError} kind "config" without Rust or when the build fails.
 */
export async function rustPeer(): Promise<string> {
  const target = join(RUST_DIR, "target");
  await runBuild(peerPath("cargo"), ["build", "--quiet", "--locked"], RUST_DIR, { CARGO_TARGET_DIR: target });
  return join(target, "debug", "peers");
}

/**
 * Returns the path of the program of testdata/peers/regorus, which measures regorus; the first build takes minutes.
 *
 * @throws {PeerctlError} kind "config" without Rust or when the build fails.
 */
export async function regorusPeer(): Promise<string> {
  const target = join(REGORUS_DIR, "target");
  const args = ["build", "--quiet", "--locked", "--release"];
  await runBuild(peerPath("cargo"), args, REGORUS_DIR, { CARGO_TARGET_DIR: target });
  return join(target, "release", "regorus-bench");
}

/**
 * Returns the directory with the programs of `packages` in `module`.
 *
 * They are built once per state of the sources, under a file lock: tests that start at the same time wait for one
 * build. The directory is named by a hash of the sources, and it appears whole.
 */
async function goBuild(go: string, module: string, packages: string): Promise<string> {
  const target = join(BIN_DIR, sourceHash(module));
  if (!existsSync(target)) {
    await Deno.mkdir(BIN_DIR, { recursive: true });
    using lock = await Deno.open(join(BIN_DIR, "lock"), { create: true, write: true });
    await lock.lock(true);
    if (!existsSync(target)) await build(go, module, packages, target);
  }
  return target;
}

async function build(go: string, module: string, packages: string, target: string): Promise<void> {
  const partial = await Deno.makeTempDir({ dir: BIN_DIR, prefix: "partial-" });
  try {
    await runBuild(go, ["build", "-trimpath", "-o", `${partial}/`, packages], module, { GOTOOLCHAIN: "local" });
    renameSync(partial, target);
  } catch (error) {
    await Deno.remove(partial, { recursive: true });
    throw error;
  }
}

async function runBuild(tool: string, args: string[], cwd: string, env: Record<string, string>): Promise<void> {
  const command = new Deno.Command(tool, { args, cwd, env, stdin: "null", stdout: "null", stderr: "piped" });
  const { success, stderr } = await command.output();
  if (!success) {
    throw new PeerctlError("config", `Cannot build the peers of ${cwd}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}

/** Hashes every file of the Go module by name and content. */
function sourceHash(module: string): string {
  const hash = createHash("sha256");
  const names = readdirSync(module, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort();
  for (const name of names) hash.update(name.slice(module.length)).update("\0").update(readFileSync(name)).update("\0");
  return hash.digest("hex").slice(0, HASH_DIGITS);
}

function findTool(tool: PeerTool): string | undefined {
  return (Deno.env.get("PATH") ?? "").split(":").map((dir) => join(dir, tool)).find((path) => existsSync(path));
}
