// SPDX-License-Identifier: Apache-2.0
/** Makes a minimal Debian with systemd in a folder, for tests of what is baked into it. */

import { PeerctlError } from "../errors.ts";
import { peerPath, requirePeer } from "./peers.ts";

const SUITE = "bookworm", MIRROR = "http://deb.debian.org/debian";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** How long to wait for the mirror's first answer, and for the whole tree, in milliseconds. */
const MIRROR_TIMEOUT_MS = 10_000, DEBOOTSTRAP_TIMEOUT_MS = 10 * 60_000;

/**
 * Says whether a test that needs such a tree is skipped: it takes root, debootstrap, systemd's tools and the Debian mirror.
 * With CI=true it is never skipped, so that it fails.
 */
export async function requireDebianTree(): Promise<{ ignore: boolean }> {
  if (requirePeer("debootstrap").ignore || requirePeer("systemd-analyze").ignore) return { ignore: true };
  if (Deno.env.get("CI") === "true") return { ignore: false };
  const why = Deno.uid() !== 0 ? "run them as root" : await mirrorProblem();
  if (why === undefined) return { ignore: false };
  console.log(`Tests with a Debian tree are skipped: ${why}`);
  return { ignore: true };
}

async function mirrorProblem(): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(MIRROR_TIMEOUT_MS);
    const answer = await fetch(`${MIRROR}/dists/${SUITE}/InRelease`, { method: "HEAD", signal });
    await answer.body?.cancel();
    return answer.ok ? undefined : `${MIRROR} answers ${answer.status}`;
  } catch {
    return `${MIRROR} cannot be reached`;
  }
}

/**
 * Fills `dir`, which must be new. What debootstrap mounts lies in a namespace of its own and is gone with it.
 *
 * @throws {PeerctlError} kind "state" with the end of what debootstrap said.
 */
export async function makeDebianTree(dir: string): Promise<void> {
  const { success, stdout } = await new Deno.Command("unshare", {
    args: [
      ...["--mount", "--propagation", "private", peerPath("debootstrap")],
      ...["--variant=minbase", "--include=systemd", "--force-check-gpg", `--keyring=${KEYRING}`],
      ...[SUITE, dir, MIRROR],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
    signal: AbortSignal.timeout(DEBOOTSTRAP_TIMEOUT_MS),
  }).output();
  if (success) return;
  const said = new TextDecoder().decode(stdout).trim().split("\n").slice(-5).join("\n");
  throw new PeerctlError("state", `Cannot make a Debian tree in "${dir}": ${said}`);
}
