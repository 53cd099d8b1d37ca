// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { enablingLinks, withTlsOptions } from "./bake_units.ts";

Deno.test("enablingLinks() makes the links of [Install], and none without it", () => {
  const text =
    "# WantedBy=no.target\n[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=a.target b.target\nRequiredBy = c.target\n";
  assert.deepEqual(
    enablingLinks({ name: "x.path", text }).map(({ path, target }) => [path, target]),
    ["a.target.wants", "b.target.wants", "c.target.requires"].map((folder) => [
      `/etc/systemd/system/${folder}/x.path`,
      "/etc/systemd/system/x.path",
    ]),
  );
  assert.deepEqual(enablingLinks({ name: "x.service", text: "[Unit]\nDescription=x\n[Service]\nType=notify\n" }), []);
});

Deno.test("enablingLinks() refuses a setting that it would have to leave out", () => {
  assert.throws(() => enablingLinks({ name: "x.service", text: "[Install]\nAlias=y.service\n" }), {
    kind: "state",
    message: /Cannot enable "x.service": Alias= is not understood/,
  });
});

Deno.test("withTlsOptions() sets the line and leaves all others, comments too; once more changes nothing", () => {
  const cases = [
    ["# TLS_OPTIONS=no\nTLS_OPTIONS=\nOPTIONS=-a\n", '# TLS_OPTIONS=no\nTLS_OPTIONS="-x $1"\nOPTIONS=-a\n'],
    ["TLS_OPTIONS=a \\\n b \\\n c\nOPTIONS=\n", 'TLS_OPTIONS="-x $1"\nOPTIONS=\n'],
    ["OPTIONS=-a", 'OPTIONS=-a\nTLS_OPTIONS="-x $1"\n'],
    ["", 'TLS_OPTIONS="-x $1"\n'],
  ] as const;
  for (const [text, expected] of cases) {
    const set = withTlsOptions(text, "-x $1");
    assert.equal(set, expected);
    assert.equal(withTlsOptions(set, "-x $1"), expected);
  }
});
