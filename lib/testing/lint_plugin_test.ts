// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import plugin from "./lint_plugin.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const HEAD = "// SPDX-License-Identifier: Apache-2.0\n/** Does one thing. */\n";

/** The rules that a file of this content breaks at `path`. */
function broken(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, `${ROOT}${path}`, source).map((diagnostic) =>
    diagnostic.id.replace("peerctl/", "")
  );
}

Deno.test("W34: lint: only main.ts ends the process", () => {
  assert.deepEqual(broken("cmd/caa.ts", `${HEAD}Deno.exit(1);`), ["no-exit"]);
  assert.deepEqual(broken("lib/net/a_test.ts", `${HEAD}process.exit(1);`), ["no-exit"]);
  assert.deepEqual(broken("main.ts", `#!/usr/bin/env deno\n${HEAD}Deno.exit(1);`), []);
});

Deno.test("lint: a room neither prints nor reads the command line or the environment", () => {
  assert.deepEqual(broken("lib/net/a.ts", `${HEAD}console.log(Deno.env.get("X"), Deno.args, process.env.X);`), [
    "no-console",
    "no-process-state",
    "no-process-state",
    "no-process-state",
  ]);
  assert.deepEqual(broken("cmd/caa.ts", `${HEAD}Deno.env.get("X");`), []);
  assert.deepEqual(broken("cmd/caa.ts", `${HEAD}console.log();`), ["no-console"]);
  assert.deepEqual(broken("lib/net/a_test.ts", `${HEAD}console.log(Deno.env.get("X"));`), []);
});

Deno.test("lint: a file begins with its licence and its job, and has one job", () => {
  assert.deepEqual(broken("lib/net/a.ts", "export {};"), ["license-line"]);
  assert.deepEqual(broken("lib/net/a.ts", "// SPDX-License-Identifier: Apache-2.0\nexport {};"), ["license-line"]);
  assert.deepEqual(broken("lib/net/a_test.ts", "// SPDX-License-Identifier: Apache-2.0\nexport {};"), []);
  assert.deepEqual(broken("lib/net/a.ts", HEAD + "\n".repeat(400)), ["file-length"]);
});
