// SPDX-License-Identifier: Apache-2.0
/** Pages of the repository that tests and tools write. */

import assert from "node:assert/strict";

/** Formats a page as `deno fmt` does. */
export async function formatMarkdown(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const [{ code, stdout, stderr }] = await Promise.all([
    child.output(),
    writer.write(new TextEncoder().encode(text)).then(() => writer.close()),
  ]);
  if (code !== 0) throw new Error(`deno fmt failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Writes a page when it has changed; in CI the committed one must be right. */
export async function keepPage(url: URL, text: string): Promise<void> {
  const page = await formatMarkdown(text);
  if (await Deno.readTextFile(url).catch(() => "") === page) return;
  const path = url.pathname.slice(new URL("../../", import.meta.url).pathname.length);
  assert.notEqual(Deno.env.get("CI"), "true", `${path} is not what the test found: run the test and commit the page`);
  await Deno.writeTextFile(url, page);
}
