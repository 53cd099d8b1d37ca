// SPDX-License-Identifier: Apache-2.0
/** Gives a test a directory of its own and removes it afterwards. */

/** Runs `body` with a new private directory; its path is short enough for unix sockets below it. */
export async function withTempDir<T>(body: (dir: string) => Promise<T> | T): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "peerctl-" });
  try {
    return await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
