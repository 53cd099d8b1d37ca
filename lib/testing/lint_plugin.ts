// SPDX-License-Identifier: Apache-2.0
/** House rules that `deno lint` checks besides its own; each says why. */

/** Lines above which a file has more than one job; tests may be longer. */
const MAX_LINES = 400;

const ROOT = new URL("../../", import.meta.url).pathname;

/** Where the process's own streams, arguments and environment may be touched. */
const PROCESS_ROOMS = /^(main\.ts|cmd\/|lib\/cli\/|lib\/daemon\/|lib\/build\/)/;
/** Build tools print; help.ts keeps cac from it. */
const PRINTING = /^lib\/(cli\/help\.ts|build\/)/;

/** Files that are never part of the product. */
const TEST_FILES = /(^lib\/testing\/|^testdata\/|_test\.ts$|_bench\.ts$)/;

const plugin: Deno.lint.Plugin = {
  name: "peerctl",
  rules: {
    "no-exit": memberRule((object, property, path) => {
      const isExit = property === "exit" && (object === "Deno" || object === "process");
      if (!isExit || path === "main.ts") return undefined;
      return "Only main.ts ends the process: return an exit code, or throw, so that what is open gets closed";
    }),
    "no-console": memberRule((object, _property, path) => {
      if (object !== "console" || PRINTING.test(path) || TEST_FILES.test(path)) return undefined;
      return "Results go through Output, events through the log: a room never prints";
    }),
    "no-process-state": memberRule((object, property, path) => {
      const isState = (object === "Deno" && ["env", "args"].includes(property)) ||
        (object === "process" && ["env", "argv", "argv0"].includes(property));
      if (!isState || PROCESS_ROOMS.test(path) || TEST_FILES.test(path)) return undefined;
      return "A room gets what it needs as options: it reads neither the command line nor the environment";
    }),
    "license-line": {
      create: (context) => ({
        Program(node) {
          const text = context.sourceCode.text.replace(/^#!.*\n/, "");
          // A test's name says what it tests.
          const head = /_(test|bench)\.ts$/.test(context.filename) ? "" : "/**";
          if (!text.startsWith(`// SPDX-License-Identifier: Apache-2.0\n${head}`)) {
            context.report({ node, message: "A file begins with its licence line and one sentence that says its job" });
          }
        },
      }),
    },
    "file-length": {
      create: (context) => ({
        Program(node) {
          const lines = context.sourceCode.text.split("\n").length;
          if (lines > MAX_LINES && !TEST_FILES.test(pathOf(context))) {
            context.report({
              node,
              message: `${lines} lines: over ${MAX_LINES} a file has more than one job, split it`,
            });
          }
        },
      }),
    },
  },
};

export default plugin;

/** A rule about `object.property`; `check` returns the message, or undefined when it is fine. */
function memberRule(check: (object: string, property: string, path: string) => string | undefined): Deno.lint.Rule {
  return {
    create: (context) => ({
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
        const message = check(node.object.name, node.property.name, pathOf(context));
        if (message !== undefined) context.report({ node, message });
      },
    }),
  };
}

function pathOf(context: Deno.lint.RuleContext): string {
  return context.filename.replace(ROOT, "");
}
