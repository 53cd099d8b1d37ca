// SPDX-License-Identifier: Apache-2.0
/** Boots a root file system tree with its own systemd, in namespaces of its own, so that units run as they will. */

import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { bindNotifySocket } from "./notify_socket.ts";

/**
 * What the kernel and an initrd do before systemd runs. $1 is the tree, $2 a folder that both sides have, as /run/shared.
 * Network and users are this machine's.
 */
const BOOT = `set -eu
tree=$1 shared=$2
cgroups=$shared/cgroups
mkdir -p "$cgroups" && mount -t cgroup2 cgroup2 "$cgroups"
mkdir "$cgroups/$3" && echo $$ > "$cgroups/$3/cgroup.procs"
exec unshare --cgroup --pid --uts --ipc --fork --kill-child sh -euc '
tree=$1 shared=$2
mount --bind "$tree" "$tree" && cd "$tree"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm && mount -t devpts devpts dev/pts && mount -t tmpfs tmpfs dev/shm
for name in null zero full random urandom tty; do touch dev/$name && mount --bind /dev/$name dev/$name; done
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mkdir -p run/shared run/old && mount --bind "$shared" run/shared
umount run/shared/cgroups 2>/dev/null || true
pivot_root . run/old && umount -l /run/old
exec env -i container=test NOTIFY_SOCKET=/run/shared/booted.sock PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /usr/lib/systemd/systemd --log-target=journal
' sh "$tree" "$shared"`;

/** Removes the control groups of a tree that has ended. */
const CLEAN = `mkdir -p "$1/cgroups" && mount -t cgroup2 cgroup2 "$1/cgroups"
find "$1/cgroups/$2" -depth -type d -exec rmdir {} +`;

export interface BootedTree extends AsyncDisposable {
  /** Where the tree's files are while it runs, its /run among them: for sockets and files on both sides. */
  readonly root: string;
  /** Runs a command inside, and returns what it printed; `ok` is false when it did not exit with 0. */
  run(...command: string[]): Promise<{ readonly ok: boolean; readonly text: string }>;
}

/**
 * Boots and waits until systemd says that it has; with the object's end all processes and mounts are gone.
 *
 * @param o.shared an empty folder of this machine, /run/shared inside.
 */
export async function bootTree(o: { readonly tree: string; readonly shared: string }): Promise<BootedTree> {
  const group = `peerctl-test-${crypto.randomUUID()}`;
  using booted = bindNotifySocket(join(o.shared, "booted.sock"));
  const child = new Deno.Command("unshare", {
    args: ["--mount", "--propagation", "private", "sh", "-c", BOOT, "sh", o.tree, o.shared, group],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  const init = async () => (await Deno.readTextFile(`/proc/${child.pid}/task/${child.pid}/children`)).trim();
  async function end(): Promise<string> {
    // With the first process of a namespace all others end, and only then the one that waits for it.
    const first = await init().catch(() => "");
    if (first !== "") Deno.kill(Number(first), "SIGKILL");
    await child.status;
    await output("unshare", ["--mount", "--propagation", "private", "sh", "-c", CLEAN, "sh", o.shared, group]);
    return await said;
  }
  try {
    // systemd says first that it stops being "starting", then READY=1 at the end of its boot.
    while (!(await booted.receive()).includes("READY=1"));
  } catch (cause) {
    throw new PeerctlError("state", `Cannot boot "${o.tree}": ${await end()}`, { cause });
  }
  const pid = await init();
  return {
    root: `/proc/${pid}/root`,
    async run(...command) {
      return await output("nsenter", ["--target", pid, "--mount", "--pid", "--cgroup", "--", ...command]);
    },
    async [Symbol.asyncDispose]() {
      await end();
    },
  };
}

async function output(program: string, args: string[]): Promise<{ ok: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { ok: success, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}
