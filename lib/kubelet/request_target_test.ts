// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import fc from "fast-check";
import { Refusal } from "./refusal.ts";
import { parseRequestTarget } from "./request_target.ts";

Deno.test("parseRequestTarget() decodes once and keeps what came", () => {
  const target = parseRequestTarget("/%65xec/n%73/pod%2D1/c?command=ls&command=-l+%26&tty=0&x");
  assert.equal(target.path, "/exec/ns/pod-1/c");
  assert.equal(target.rawPath, "/%65xec/n%73/pod%2D1/c");
  assert.deepEqual(target.segments, ["exec", "ns", "pod-1", "c"]);
  assert.deepEqual(Object.fromEntries(target.query), { command: ["ls", "-l &"], tty: ["0"], x: [""] });
});

Deno.test("parseRequestTarget() decodes no second time", () => {
  assert.equal(parseRequestTarget("/%2565xec").path, "/%65xec");
});

Deno.test("parseRequestTarget() takes the root, and one slash at the end", () => {
  assert.deepEqual(parseRequestTarget("/").segments, []);
  assert.equal(parseRequestTarget("/").endsWithSlash, false);
  const target = parseRequestTarget("/logs/");
  assert.deepEqual([target.path, target.segments, target.endsWithSlash], ["/logs/", ["logs"], true]);
});

Deno.test("parseRequestTarget() refuses what routers read in different ways", () => {
  const doubtful = [
    ...["//", "//exec", "/exec//ns", "/pods//", "/./exec", "/pods/../exec", "/exec/ns/.", "/.."],
    ...["/%2e/exec", "/pods/%2E%2e/exec", "/pods/.%2e/exec", "/exec%2fns/p/c", "/exec%2Fns", "/exec\\ns", "/exec%5cns"],
    ...["/exec%00", "/a%0ab", "/a%7f", "/a%", "/a%6", "/a%zz", "/a%u0065", "/%ff", "/%c3%28", "/%ed%a0%80"],
    ...["", "*", "exec", "http://x/exec", "https://x/exec", "x:1", "/a#b", "/a b", "/a\tb", "/é", "/a\x00"],
    ...["/a?b;c=d", "/a?b=%", "/a?%zz=1", "/a?b=%ff"],
  ];
  for (const target of doubtful) {
    assert.throws(
      () => parseRequestTarget(target),
      (error) => error instanceof Refusal && error.status === 400,
      target,
    );
  }
});

Deno.test("parseRequestTarget() gives no path that another decoding would change into another route", () => {
  const part = fc.string({ unit: fc.constantFrom(..."%2ef/\\.aE0?&;+c5\x00") });
  fc.assert(
    fc.property(part, (text) => {
      try {
        const { path, segments } = parseRequestTarget(`/${text}`);
        assert.ok(
          !segments.some((segment) =>
            ["", ".", ".."].includes(segment) || segment.includes("/") || segment.includes("\\") ||
            segment.includes("\0")
          ),
          path,
        );
        assert.ok(!path.includes("//"));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }),
    { numRuns: 5_000 },
  );
});
