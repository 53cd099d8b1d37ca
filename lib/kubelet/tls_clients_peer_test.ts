// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { type ClientOptions, type ProxyBed, withKubeletProxy } from "../testing/kubelet_proxy.ts";
import { peerPath, requirePeer } from "../testing/peers.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { makeTestAuthority } from "../testing/certificates.ts";

/** Writes a client's files and returns their paths. */
async function layFiles(bed: ProxyBed, dir: string, o?: ClientOptions) {
  const options = await bed.clientOptions(o);
  const path = (name: string) => join(dir, name);
  await Deno.writeTextFile(path("ca.crt"), String(options.ca));
  await Deno.writeTextFile(path("client.crt"), String(options.cert));
  await Deno.writeTextFile(path("client.key"), String(options.key));
  return { ca: path("ca.crt"), cert: path("client.crt"), key: path("client.key") };
}

async function run(tool: "curl" | "openssl", args: readonly string[]) {
  const child = new Deno.Command(peerPath(tool), { args: [...args], stdin: "null", stdout: "piped", stderr: "piped" });
  const { code, stdout, stderr } = await child.output();
  return { code, text: new TextDecoder().decode(stdout), errors: new TextDecoder().decode(stderr) };
}

async function curl(bed: ProxyBed, o: ClientOptions | "no certificate" | undefined, path: string, ...args: string[]) {
  return await withTempDir(async (dir) => {
    const files = await layFiles(bed, dir, o === "no certificate" ? undefined : o);
    const certificate = o === "no certificate" ? [] : ["--cert", files.cert, "--key", files.key];
    const { port } = bed.proxy.address;
    return await run("curl", [
      ...["--silent", "--show-error", "--path-as-is", "--cacert", files.ca, ...certificate, "--max-time", "20"],
      ...["--write-out", "%{http_code} %{http_version}", "--resolve", `localhost:${port}:127.0.0.1`, ...args],
      `https://localhost:${port}${path}`,
    ]);
  });
}

Deno.test({
  name: "curl is served over http/1.1 and h2, denied what is denied, and refused what can be read in two ways",
  ...requirePeer("curl"),
  async fn() {
    await withKubeletProxy({}, async (bed) => {
      for (const [flag, version] of [["--http1.1", "1.1"], ["--http2", "2"]] as const) {
        const ask = async (path: string, ...args: string[]) => (await curl(bed, undefined, path, flag, ...args)).text;
        assert.equal(await ask("/pods"), `GET /pods200 ${version}`);
        assert.match(await ask("/%65xec/ns/p/c"), new RegExp(`^Denied by policy: exec .*\n403 ${version}$`));
        for (const path of ["/pods/../exec/ns/p/c", "//exec", "/exec%2fns/p/c"]) {
          assert.match(await ask(path), new RegExp(`^Not forwarded: .*\n400 ${version}$`));
        }
        assert.equal(await ask("/other", "--data-binary", "x".repeat(100_000)), `POST /other200 ${version}`);
      }
    });
  },
});

Deno.test({
  name: "curl with a certificate that does not do gets no answer, or 403",
  ...requirePeer("curl"),
  async fn() {
    await withKubeletProxy({}, async (bed) => {
      const authority = await makeTestAuthority({ name: "Test CA" });
      for (const o of ["no certificate", { authority }, { startsIn: -10 }] as const) {
        const { code, text } = await curl(bed, o, "/pods");
        assert.notEqual(code, 0, JSON.stringify(o));
        assert.equal(text, "000 0");
      }
      assert.match((await curl(bed, { name: "somebody" }, "/pods")).text, /^Forbidden: .*\n403 /);
      assert.deepEqual(bed.kubelet.seen, []);
    });
  },
});

Deno.test({
  name: "openssl s_client agrees on the protocols and versions that are meant, and no others",
  ...requirePeer("openssl"),
  async fn() {
    await withKubeletProxy({}, async (bed) => {
      await withTempDir(async (dir) => {
        const { ca, cert, key } = await layFiles(bed, dir);
        const connect = (...args: string[]) =>
          run("openssl", [
            ...[
              "s_client",
              "-connect",
              `127.0.0.1:${bed.proxy.address.port}`,
              "-CAfile",
              ca,
              "-cert",
              cert,
              "-key",
              key,
            ],
            ...["-servername", "localhost", ...args],
          ]);
        const told = async (...args: string[]) => {
          const { text, errors } = await connect("-verify_return_error", "-brief", ...args);
          return text + errors;
        };
        assert.match(await told("-tls1_3"), /Protocol version: TLSv1\.3/);
        assert.match(await told("-tls1_2"), /Protocol version: TLSv1\.2/);
        assert.match(await told("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), /alert protocol version|handshake failure/);
        for (const protocol of ["h2", "http/1.1"]) {
          const { text } = await connect("-alpn", protocol);
          assert.match(text, new RegExp(`ALPN protocol: ${protocol}`));
        }
      });
    });
  },
});
