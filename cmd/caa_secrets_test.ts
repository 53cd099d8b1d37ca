// SPDX-License-Identifier: Apache-2.0
/** Whole runs at log level debug, and a look whether logs, open files or command lines of them show a secret. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { dialUnix } from "../lib/net/unix_socket.ts";
import { AgentService } from "../lib/proto/gen/agent_pb.ts";
import { podAnnotations, startCaa, withCaaDir, withHypervisor } from "../lib/testing/caa_process.ts";
import { runPeerctl, startPeerctl } from "../lib/testing/peerctl.ts";
import { createSecretScan } from "../lib/testing/secret_scan.ts";
import { withTempDir } from "../lib/testing/temp_dir.ts";
import { createTtrpcClient } from "../lib/ttrpc/client.ts";
import { typedClient } from "../lib/ttrpc/typed.ts";

const DEBUG = ["-log-level", "debug", "-forwarder-options", "-log-level debug"];

/** Texts that a pod brings along, each of which would be noticed wherever it turned up. */
const BROUGHT = {
  "the pod's initdata": "initdata-5f0c3d2b9a",
  "the text of a policy": "policy-7ce1a04f6d",
  "a container's environment": "environment-90b2d7e1c4",
  "a pull secret in a copied file": "dXNlcjpwYXNzd29yZC0x",
  "what a container reads": "stdin-b71f0c88e3",
};

const INITDATA = `algorithm = "sha256"
version = "0.1.0"
[data]
"policy.rego" = "package agent_policy # ${BROUGHT["the pod's initdata"]}"
`;

for (const mode of ["automatic", "manual"] as const) {
  Deno.test(`W25: caa with ${mode} TLS shows no secret in logs, open files or command lines, and leaves no key of a pod`, () =>
    withCaaDir(async (dir) => {
      const scan = createSecretScan();
      for (const [what, secret] of Object.entries(BROUGHT)) scan.add(what, secret);
      const flags = mode === "manual" ? await manualTls(dir) : DEBUG;
      await using caa = await startCaa(dir, { flags });
      const looks: string[] = [];
      const look = () => looks.push(...scan.addKeysBelow(dir), ...scan.inFiles(dir), ...scan.inProcesses(dir));
      const keysOf = () => filesWith(join(dir, "pods"), "PRIVATE KEY").map((path) => path.slice(dir.length));
      const before = keysOf();

      await withHypervisor(dir, async (vm) => {
        const annotations = {
          ...podAnnotations("web"),
          "io.katacontainers.config.hypervisor.cc_init_data": INITDATA,
        };
        const { agentSocketPath } = await vm.createVM({ id: "sb1", annotations });
        look();
        await vm.startVM({ id: "sb1" });
        scan.add("the pod's initdata, packed", await Deno.readTextFile(join(await vmFolder(dir), "initdata")));
        look();
        await useAgent(agentSocketPath, look);
        await assert.rejects(vm.createVM({ id: "sb1", annotations: { ...annotations, ...podAnnotations("other") } }));
        await vm.stopVM({ id: "sb1" });
      });
      look();
      assert.deepEqual(keysOf(), mode === "automatic" ? ["/pods/.tls/ca.key", "/pods/.tls/client.key"] : []);
      assert.deepEqual(keysOf(), before);
      assert.deepEqual(filesWith(join(dir, "pods"), BROUGHT["the pod's initdata"]), []);
      assert.equal(await caa.stop(), 0);
      looks.push(...scan.inText("the log of caa", caa.lines.join("\n")));
      assert.deepEqual([...new Set(looks)], []);
      assert.ok(scan.seen.files > 5 && scan.seen.processes > 8, JSON.stringify(scan.seen));
      assert.ok(caa.lines.some((line) => line.includes('"level":"debug"')), "caa logs at debug");
    }));
}

Deno.test("demo shows no key in its output, open files or command lines", async () => {
  await withTempDir(async (dir) => {
    const scan = createSecretScan();
    await using demo = startPeerctl(["demo"], { env: { TMPDIR: dir } });
    const looks: string[] = [];
    for (const step of ["start caa", "StartVM", "StartContainer", "WriteStdin"]) {
      await demo.waitForLine(new RegExp(`^${step} +ok`));
      looks.push(...scan.addKeysBelow(dir), ...scan.inFiles(dir), ...scan.inProcesses(dir));
    }
    assert.equal(await demo.closed, 0);
    looks.push(...scan.inText("the output of demo", demo.lines.join("\n")));
    assert.deepEqual(looks, []);
    assert.ok(scan.seen.processes > 8, JSON.stringify(scan.seen));
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  });
});

/** Flags for the certificates of certgen, in private files. */
async function manualTls(dir: string): Promise<string[]> {
  const certs = join(dir, "certs");
  const made = await runPeerctl(["certgen", "--san", "podvm-server", "--out-dir", certs]);
  assert.equal(made.code, 0, made.stderr);
  const files = (name: string) => [
    "-ca-cert-file",
    join(certs, "ca.crt"),
    "-cert-file",
    join(certs, `${name}.crt`),
    "-cert-key",
    join(certs, `${name}.key`),
  ];
  return [
    ...files("client"),
    "-log-level",
    "debug",
    "-forwarder-options",
    ["-log-level debug", ...files("tls")].join(" "),
  ];
}

/** Has an agent get everything a pod may bring. */
async function useAgent(socket: string, look: () => void): Promise<void> {
  const client = createTtrpcClient(await dialUnix(socket));
  try {
    const agent = typedClient(AgentService, client);
    // The stand-in has no policies; that it was asked for must not be told with the text.
    await agent.setPolicy({ policy: `package agent_policy # ${BROUGHT["the text of a policy"]}` }).catch(() => {});
    const data = new TextEncoder().encode(`{"auths":{"r":{"auth":"${BROUGHT["a pull secret in a copied file"]}"}}}`);
    const file = { fileSize: BigInt(data.length), fileMode: 0o600, dirMode: 0o700, data };
    await agent.copyFile({ path: "/run/kata-containers/shared/containers/auth.json", ...file });
    await agent.createContainer({
      containerId: "c1",
      execId: "c1",
      OCI: {
        Process: {
          Args: ["/bin/cat"],
          Env: [`SECRET=${BROUGHT["a container's environment"]}`, "PATH=/usr/bin:/bin"],
          Cwd: "/",
        },
        Root: { Path: "rootfs" },
      },
    });
    await agent.startContainer({ containerId: "c1" });
    const process = { containerId: "c1", execId: "c1" };
    const said = new TextEncoder().encode(BROUGHT["what a container reads"]);
    await agent.writeStdin({ ...process, data: said });
    const { data: answer } = await agent.readStdout({ ...process, len: 1000 });
    assert.equal(new TextDecoder().decode(answer), BROUGHT["what a container reads"]);
    look();
    await agent.closeStdin(process);
    await agent.waitProcess(process);
  } finally {
    client.close();
    await client.closed;
  }
}

async function vmFolder(dir: string): Promise<string> {
  const [entry] = await Array.fromAsync(Deno.readDir(join(dir, "pods/.process")));
  assert.ok(entry);
  return join(dir, "pods/.process", entry.name);
}

/** Files below `dir`, in order, that hold a text. */
function filesWith(dir: string, text: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory, isFile }) => {
    const path = join(dir, name);
    if (isDirectory) return filesWith(path, text);
    return isFile && Deno.readTextFileSync(path).includes(text) ? [path] : [];
  }).sort();
}
