// SPDX-License-Identifier: Apache-2.0
/** How long a start takes: a command that does nothing, certificates, a forwarder that is ready. */

import { join } from "node:path";
import { bundleProgram, loadLazily } from "../../build/bundle.ts";
import { pack } from "../../build/pack.ts";
import { parseTarget, readRuntime } from "../../build/runtime.ts";
import { startGoForwarder } from "../go_tls_peers.ts";
import { PEERCTL_FILE, peerctlCommand } from "../peerctl.ts";
import { peerPath } from "../peers.ts";
import { withTempDir } from "../temp_dir.ts";
import { makeCertificates, startApf } from "./agent_path.ts";
import { type Bench, type BenchRun, OURS } from "./bench.ts";
import { spreadOf } from "./report.ts";

/** Starts of each kind in a round, of which the median counts. */
const STARTS = 7;

export default {
  summary: "time to start: version, certgen, apf to ready; beside an empty program, openssl and the Go forwarder",
  needs: ["go", "openssl"],
  run: (o) => withTempDir((dir) => measure(o, dir)),
} satisfies Bench;

async function measure(o: BenchRun, dir: string): Promise<void> {
  const starts = o.quick ? 1 : STARTS;
  const empty = await emptyProgram(dir);
  const certificates = await makeCertificates(dir);
  const agentSocket = join(dir, "agent.sock");
  const certs = join(dir, "certs");
  const makers = ["ecdsa-p256", "rsa-2048"].map((keyType) => ({
    keyType,
    args: ["certgen", "--san", "podvm-server", "--key-type", keyType, "--out-dir", certs, "--force"],
  }));
  await run([...peerctlCommand, "version"]);
  await run(empty);
  for (let round = 0; round < o.rounds; round++) {
    o.note(`round ${round + 1} of ${o.rounds}`);
    const add = async (line: string, subject: string, start: () => Promise<number>) => {
      const times: number[] = [];
      for (let i = 0; i < starts; i++) times.push(await start());
      o.add({ line, unit: "ms", better: "less" }, subject, spreadOf(times).median);
    };
    await add("version", OURS, () => timed(() => run([...peerctlCommand, "version"])));
    await add("version", "empty program", () => timed(() => run(empty)));
    for (const { keyType, args } of makers) {
      const line = `certgen, ${keyType}`;
      await add(line, OURS, () => timed(() => run([...peerctlCommand, ...args])));
      await add(line, "openssl", () => timed(() => opensslSet(certs, keyType)));
    }
    await add("apf to ready", OURS, async () => {
      const began = performance.now();
      const apf = await startApf({ dir, agentSocket, certificates, env: o.env });
      await apf.process.waitForLine(/"message":"Ready"/);
      const took = performance.now() - began;
      await apf.process.stop();
      return took;
    });
    await add("apf to ready", "Go forwarder", async () => {
      const began = performance.now();
      const forwarder = await startGoForwarder({ config: certificates.config, agentSocket, netns: "/run/netns/podns" });
      const took = performance.now() - began;
      await forwarder.stop();
      return took;
    });
  }
  o.remark(
    `peerctl ran as ${PEERCTL_FILE.endsWith(".ts") ? "deno run main.ts" : "one packed file"}, the empty program alike.`,
  );
}

/** A program that does nothing, made in the same way as the one that is measured; returns the command that runs it. */
async function emptyProgram(dir: string): Promise<readonly [string, ...string[]]> {
  const entry = join(dir, "main.ts");
  await Deno.writeTextFile(entry, "Deno.exitCode = 0;\n");
  if (PEERCTL_FILE.endsWith(".ts")) return [Deno.execPath(), "run", "--quiet", "-A", "--no-config", entry];
  const target = parseTarget(Deno.build.target);
  const bundle = loadLazily(await bundleProgram({ commit: "none", entry }));
  const packed = await pack({ target, version: "0", commit: "none", runtime: await readRuntime(target), bundle });
  const program = join(dir, "empty");
  await Deno.writeFile(program, packed, { mode: 0o755 });
  return [program];
}

/** What certgen makes, with the commands that a manual tells: a CA, and a server's and a client's key and certificate. */
async function opensslSet(dir: string, keyType: string): Promise<void> {
  const openssl = (...args: string[]) => run([peerPath("openssl"), ...args]);
  const file = (name: string) => join(dir, name);
  const key = keyType === "rsa-2048"
    ? ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    : ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const names = file("san.ext");
  await Deno.writeTextFile(names, "subjectAltName=DNS:podvm-server\nextendedKeyUsage=serverAuth,clientAuth\n");
  await openssl("genpkey", ...key, "-out", file("ca.key"));
  await openssl(
    "req",
    "-x509",
    "-new",
    "-key",
    file("ca.key"),
    "-subj",
    "/CN=ca",
    "-days",
    "30",
    "-out",
    file("ca.crt"),
  );
  for (const name of ["tls", "client"]) {
    const [own, request, certificate] = [file(`${name}.key`), file(`${name}.csr`), file(`${name}.crt`)];
    await openssl("genpkey", ...key, "-out", own);
    await openssl("req", "-new", "-key", own, "-subj", `/CN=${name}`, "-out", request);
    const ca = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", names];
    await openssl("x509", "-req", "-in", request, ...ca, "-days", "30", "-out", certificate);
  }
}

async function timed(action: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

async function run([program, ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program!, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}
