// SPDX-License-Identifier: Apache-2.0
/** Bakes peerctl and podvm-files into a root file system tree: what is laid where, and in which order. */

import { basename } from "node:path";
import { PeerctlError } from "../errors.ts";
import {
  CERTIFICATES_DIR,
  type PodVmCertificates,
  readPodVmCertificates,
  refuseOtherKeys,
  TLS_OPTIONS,
} from "./bake_certificates.ts";
import { type LaidPiece, layPiece, type Owner, type Piece, removePiece } from "./bake_lay.ts";
import { missingNeeds, targetOf } from "./bake_needs.ts";
import { openRootTree, type RootTree } from "./bake_tree.ts";
import { enablingLinks, withTlsOptions } from "./bake_units.ts";
import { isElf } from "./elf.ts";
import type { ProgramFile } from "./program.ts";
import type { Target } from "./runtime.ts";

/** The files of podvm-files that a guest gets, all with mode 644. */
const GUEST_FILES = [
  "/etc/certificates/README",
  "/etc/default/agent-protocol-forwarder",
  "/etc/systemd/system/agent-protocol-forwarder.path",
  "/etc/systemd/system/agent-protocol-forwarder.service",
  "/usr/lib/systemd/system-preset/50-peerctl.preset",
  "/usr/lib/tmpfiles.d/peerctl.conf",
];

/** Folders of podvm-files that hold them; worker/ is for worker nodes. */
const GUEST_FOLDERS = ["etc", "usr"];

const GUEST_FILE_MODE = 0o644;

/** What an image may have changed for itself; only TLS_OPTIONS is ours to set. */
const SETTINGS_FILE = "/etc/default/agent-protocol-forwarder";

/** Longest of it, in bytes. */
const MAX_SETTINGS_BYTES = 64 << 10;

/** Other names of the program; the unit, and images for agent-protocol-forwarder, use the first. */
const LINKS = ["/usr/local/bin/agent-protocol-forwarder", "/usr/local/bin/apf"];

/** The folder that is the program's alone. */
const PROGRAM_FOLDER = "/usr/lib/peerctl";
const LAUNCHER = "/usr/bin/peerctl";

export interface BakeOptions {
  /** The tree. */
  readonly root: string;
  readonly thisMachine: boolean;
  /** The tree's own unless given; then they must be the same. */
  readonly target?: Target;
  /** Folder with ca.crt, tls.crt and tls.key. */
  readonly certificates?: string;
  /** The folder podvm-files. */
  readonly podVmFiles: string;
  readonly program: (target: Target) => Promise<readonly ProgramFile[]>;
  readonly owner: Owner;
}

export interface Baked {
  readonly root: string;
  readonly target: Target;
  readonly pieces: readonly LaidPiece[];
  readonly warnings: readonly string[];
}

/**
 * Bakes. Everything is read and checked before the first byte is laid; what enables the units comes last, so that a tree
 * whose baking was interrupted starts nothing that is not there.
 *
 * @throws {PeerctlError} kind "config" when the tree, the certificates or podvm-files cannot be used.
 */
export async function bakeImage(o: BakeOptions): Promise<Baked> {
  const tree = await openRootTree(o.root, o);
  const target = await chooseTarget(tree, o.target);
  for (const folder of [CERTIFICATES_DIR, PROGRAM_FOLDER]) await refuseLink(tree, folder);
  await refuseOtherKeys(tree);
  const certificates = o.certificates === undefined ? undefined : await readPodVmCertificates(o.certificates);
  const guestFiles = await readGuestFiles(o.podVmFiles);
  const program = await o.program(target);
  await requireNeeds(tree, program, target);

  const pieces = await composePieces(tree, { guestFiles, program, certificates });
  const laid: LaidPiece[] = [];
  for (const piece of pieces) laid.push(await layPiece(tree, piece, o.owner));
  laid.push(...await removeStale(tree, pieces));
  return { root: tree.root, target, pieces: laid, warnings: certificates?.warnings ?? [] };
}

async function chooseTarget(tree: RootTree, wanted: Target | undefined): Promise<Target> {
  const target = await targetOf(tree);
  if (wanted === undefined || wanted === target) return target;
  throw new PeerctlError("config", `Cannot bake ${wanted} into "${tree.root}": its programs are for ${target}`, {
    hint: "leave out --target: it is the tree's own then",
  });
}

/** A folder whose mode or content we decide must not turn out to be /etc by way of a link. */
async function refuseLink(tree: RootTree, path: string): Promise<void> {
  if (!(await tree.stat(path, { keepLast: true }))?.isSymlink) return;
  throw new PeerctlError("config", `Cannot bake into "${tree.root}": its ${path} is a symbolic link`, {
    hint: "remove it: it has to be a folder of its own",
  });
}

async function requireNeeds(tree: RootTree, program: readonly ProgramFile[], target: Target): Promise<void> {
  const missing: string[] = [];
  for (const { content } of program) if (isElf(content)) missing.push(...await missingNeeds(tree, content, target));
  if (missing.length === 0) return;
  throw new PeerctlError(
    "config",
    `Cannot bake into "${tree.root}": peerctl would not run there, the tree lacks ${missing.join(", ")}`,
    {
      hint: "install the C library and libgcc (Debian: libc6, libgcc-s1; Fedora: glibc, libgcc)",
    },
  );
}

interface GuestFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the files of podvm-files; one that nobody knows is no part of peerctl, and may be a key. */
async function readGuestFiles(dir: string): Promise<GuestFile[]> {
  const found: string[] = [];
  for (const folder of GUEST_FOLDERS) found.push(...await filesBelow(dir, `/${folder}`));
  const unknown = found.filter((path) => !GUEST_FILES.includes(path));
  if (unknown.length > 0) {
    throw new PeerctlError(
      "config",
      `Cannot bake: podvm-files has files that are no part of it: ${unknown.join(", ")}`,
      {
        hint: "take them away; certificates are given with --certs",
      },
    );
  }
  return await Promise.all(GUEST_FILES.map(async (path) => ({ path, text: await Deno.readTextFile(`${dir}${path}`) })));
}

async function filesBelow(dir: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${dir}${folder}`)) {
    if (isDirectory) found.push(...await filesBelow(dir, `${folder}/${name}`));
    else found.push(`${folder}/${name}`);
  }
  return found.sort();
}

interface Sources {
  readonly guestFiles: readonly GuestFile[];
  readonly program: readonly ProgramFile[];
  readonly certificates: PodVmCertificates | undefined;
}

async function composePieces(tree: RootTree, { guestFiles, program, certificates }: Sources): Promise<Piece[]> {
  const encode = (text: string) => new TextEncoder().encode(text);
  const settings = await composeSettings(tree, guestFiles, certificates !== undefined);
  return [
    ...program.map(({ path, mode, content }): Piece => ({ kind: "file", path: `/${path}`, mode, content })),
    ...LINKS.map((path): Piece => ({ kind: "link", path, target: LAUNCHER })),
    { kind: "folder", path: CERTIFICATES_DIR, mode: 0o700 },
    ...certificates?.pieces ?? [],
    ...guestFiles.map(({ path, text }): Piece => ({
      kind: "file",
      path,
      mode: GUEST_FILE_MODE,
      content: encode(path === SETTINGS_FILE ? settings : text),
    })),
    ...guestFiles.filter(isUnit).flatMap(({ path, text }) => enablingLinks({ name: basename(path), text })),
  ];
}

/** What the image has, or else our template, with the certificates put in. */
async function composeSettings(
  tree: RootTree,
  guestFiles: readonly GuestFile[],
  hasCertificates: boolean,
): Promise<string> {
  const info = await tree.stat(SETTINGS_FILE);
  if (info !== undefined && info.size > MAX_SETTINGS_BYTES) {
    throw new PeerctlError(
      "limit",
      `Cannot read "${SETTINGS_FILE}" of the tree: ${info.size} bytes, limit ${MAX_SETTINGS_BYTES}`,
    );
  }
  const text = info?.isFile
    ? await Deno.readTextFile(await tree.locate(SETTINGS_FILE))
    : guestFiles.find(({ path }) => path === SETTINGS_FILE)!.text;
  return hasCertificates ? withTlsOptions(text, TLS_OPTIONS) : text;
}

/** Removes what an earlier bake, or an image for agent-protocol-forwarder, has and we have not. */
async function removeStale(tree: RootTree, pieces: readonly Piece[]): Promise<LaidPiece[]> {
  const paths = new Set(pieces.map(({ path }) => path));
  const stale: string[] = [];
  const folder = await tree.locate(PROGRAM_FOLDER);
  for await (const { name } of Deno.readDir(folder)) stale.push(`${PROGRAM_FOLDER}/${name}`);
  // The service was enabled itself before it had a path unit: it would start before there is a configuration.
  stale.push("/etc/systemd/system/multi-user.target.wants/agent-protocol-forwarder.service");
  const removed: LaidPiece[] = [];
  for (const path of stale.filter((each) => !paths.has(each)).sort()) {
    const one = await removePiece(tree, path);
    if (one !== undefined) removed.push(one);
  }
  return removed;
}

function isUnit({ path }: GuestFile): boolean {
  return path.startsWith("/etc/systemd/system/");
}
