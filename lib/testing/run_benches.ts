// SPDX-License-Identifier: Apache-2.0
/** Runs the benchmarks, all of them or those whose path has one of the words given: `deno task bench rego`. */

const ROOT = new URL("../../", import.meta.url).pathname;

const words = Deno.args.filter((arg) => !arg.startsWith("-"));
const files = (await benchFiles("lib")).filter((path) =>
  words.length === 0 || words.some((word) => path.includes(word))
);
if (files.length === 0) console.error(`There is no benchmark with ${words.join(" or ")} in its path.`);
// One process for each file: what one compiles and keeps must not weigh on the next.
Deno.exitCode = files.length === 0 ? 1 : 0;
for (const file of files) {
  const flags = Deno.args.filter((arg) => arg.startsWith("-"));
  const args = ["bench", "-A", "--frozen", ...flags, file];
  const { code } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "null" }).spawn().status;
  Deno.exitCode ||= code;
}

async function benchFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${ROOT}${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await benchFiles(path));
    else if (path.endsWith("_bench.ts")) found.push(path);
  }
  return found.sort();
}
