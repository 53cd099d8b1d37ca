// SPDX-License-Identifier: Apache-2.0
/** Keeps open descriptors from child processes: those that we inherited would else be handed on for ever. */

/** fcntl(2) on Linux: set the descriptor's flags, of which there is one. */
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** stdin, stdout and stderr; a child is given its own. */
const STANDARD_DESCRIPTORS = 3;

/**
 * Marks every descriptor of this process above stderr close-on-exec.
 *
 * Deno opens its own that way; what a shell or a supervisor left open in us is not marked, and a child that outlives us
 * would hold that pipe or lock for its whole life. Where libc cannot be reached nothing happens.
 *
 * @returns false when nothing could be done.
 */
export function keepDescriptorsFromChildren(): boolean {
  let libc;
  try {
    libc = Deno.dlopen("libc.so.6", { fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" } });
  } catch {
    return false;
  }
  try {
    for (const { name } of Deno.readDirSync("/proc/self/fd")) {
      const descriptor = Number(name);
      if (descriptor >= STANDARD_DESCRIPTORS) libc.symbols.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
    return true;
  } finally {
    libc.close();
  }
}
