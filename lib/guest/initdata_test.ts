// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { checkInitdata, encodeInitdata } from "./initdata.ts";

const good = `algorithm = "sha384"\nversion = "0.1.0"\n\n[data]\n"aa.toml" = '''\nurl = "http://kbs"\n'''\n`;

Deno.test("encodeInitdata() keeps the text byte for byte, and always gives the same packing", () => {
  const text = `${good}# ünïcode\r\n`;
  const packed = encodeInitdata(text);
  assert.equal(gunzipSync(Uint8Array.fromBase64(packed)).toString(), text);
  assert.equal(encodeInitdata(text), packed);
});

Deno.test("checkInitdata() accepts what encodeInitdata() packed, also with a newline at the end", () => {
  checkInitdata(encodeInitdata(good));
  checkInitdata(`${encodeInitdata(good)}\n`);
});

Deno.test("checkInitdata() says what is wrong with each layer", () => {
  const cases: [string, RegExp][] = [
    ["%%%", /not base64/],
    ["", /not gzip/],
    [btoa("plain"), /not gzip/],
    [encodeInitdata(good).slice(0, 40), /not gzip/],
    [gzipSync(Uint8Array.of(0xff, 0xfe)).toString("base64"), /not UTF-8/],
    [
      encodeInitdata('algorithm = "sha256"\nversion = SECRET'),
      /^Cannot use initdata: its text is not TOML at line 2, column \d+$/,
    ],
    [encodeInitdata(""), /algorithm/],
    [encodeInitdata('algorithm = "md5"\nversion = "1"\n[data]'), /algorithm should be sha256, sha384 or sha512/],
    [encodeInitdata('algorithm = "sha256"\nversion = 1\n[data]'), /version should be a string/],
    [encodeInitdata('algorithm = "sha256"\nversion = "1"\ndata = "x"'), /data should be a table/],
    [encodeInitdata('algorithm = "sha256"\nversion = "1"\n[data]\nx = 1'), /data\.x should be a string/],
  ];
  for (const [packed, message] of cases) assert.throws(() => checkInitdata(packed), { kind: "config", message });
});

Deno.test("checkInitdata() stops unpacking at its limit", () => {
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024)).toString("base64");
  assert.throws(() => checkInitdata(bomb), { kind: "limit", message: /text is longer than/ });
  assert.throws(() => checkInitdata("A".repeat(300_000)), { kind: "limit", message: /300000 characters/ });
});
