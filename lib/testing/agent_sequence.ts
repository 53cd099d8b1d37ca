// SPDX-License-Identifier: Apache-2.0
/** What the kata shim does with an agent from connecting to DestroySandbox, done by the Go shim, each answer checked. */

import assert from "node:assert/strict";
import type { AgentRequest } from "./go_agent.ts";
import type { GoShim } from "./go_shim.ts";

/** What apf and its Go stand-in put containers into, as the tests start them. */
export const NETNS = "/run/netns/podns";

/** Between two checks, in milliseconds; the real shim lets 5,000 pass. */
export const CHECK_INTERVAL_MS = 100;

/** Two and a half chunks of the shim's CopyFile, in bytes. */
const FILE_BYTES = 2.5 * 1024 * 1024;

/** Answers of the container's process and of the one that is executed in it. */
const EXIT_CODE = 7, EXEC_EXIT_CODE = 3;

const GPU_ANNOTATION = "io.katacontainers.config.hypervisor.default_gpus";

export interface AgentSequenceOptions {
  readonly sandboxId: string;
  /** The agent socket: agentSocketPath of CreateVM. */
  readonly socket: string;
  /** A directory that does not exist; the container has it as a bind mount. */
  readonly bindSource: string;
}

/**
 * Connects, runs a container with stdio and an exec, copies a file and destroys the sandbox.
 *
 * The agent has the file then at /copied/file below its -dir; the file's content is the answer.
 */
export async function playAgentSequence(shim: GoShim, o: AgentSequenceOptions): Promise<Uint8Array> {
  assertOk(await shim.connect(o.socket));
  assert.deepEqual(assertOk(await shim.check()), { status: "SERVING" });
  assertOk(await shim.startChecks(CHECK_INTERVAL_MS));
  assertOk(await shim.createSandbox({ id: o.sandboxId, hostname: "h", dns: ["nameserver 192.0.2.1"] }));
  assertOk(
    await shim.createContainer({
      id: "c1",
      args: ["/bin/sh", "-c", `cat; echo "done" >&2; exit ${EXIT_CODE}`],
      annotations: { a: "b", [GPU_ANNOTATION]: "1" },
      mounts: [{ destination: "/data", source: o.bindSource, type: "bind", options: ["rbind", "ro"] }],
      namespaces: [{ Type: "ipc" }, { Type: "uts" }],
    }),
  );
  assertOk(await shim.startContainer("c1"));
  const waiting = shim.waitProcess("c1");
  const said = new TextEncoder().encode("to stdin and back");
  assert.equal(assertOk(await shim.writeStdin("c1", said)).len, said.length);
  assert.deepEqual(assertOk(await shim.readStdout("c1")), said);

  assertOk(await shim.exec("c1", "e1", ["/bin/sh", "-c", `echo executed; exit ${EXEC_EXIT_CODE}`]));
  assert.equal(text(assertOk(await shim.readStdout("c1", { execId: "e1" }))), "executed\n");
  assert.deepEqual(assertOk(await shim.waitProcess("c1", { execId: "e1" })), { status: EXEC_EXIT_CODE });

  const copied = crypto.getRandomValues(new Uint8Array(65_536));
  const file = new Uint8Array(FILE_BYTES);
  for (let at = 0; at < file.length; at += copied.length) file.set(copied.subarray(0, file.length - at), at);
  assertOk(await shim.copyFile("/copied/file", file));

  assertOk(await shim.closeStdin("c1"));
  assert.equal(text(assertOk(await shim.readStderr("c1"))), "done\n");
  assert.equal(assertOk(await shim.readStdout("c1")).length, 0);
  assert.deepEqual(assertOk(await waiting), { status: EXIT_CODE });
  await shim.checked(2);
  assertOk(await shim.removeContainer("c1"));
  assertOk(await shim.destroySandbox());
  assert.equal((await shim.stats()).checksFailed, 0);
  return file;
}

/** Checks what the agent was asked: what the two ends of the way change is changed, and all else is as it was sent. */
export function assertAgentSaw(requests: readonly AgentRequest[], o: AgentSequenceOptions): void {
  const one = (method: string) => requests.find((request) => request.method === method)?.request;
  assert.deepEqual(one("CreateSandbox"), { hostname: "h", sandbox_id: o.sandboxId });
  const { OCI } = one("CreateContainer");
  assert.deepEqual(OCI.Annotations, { a: "b", [GPU_ANNOTATION]: "1", "cdi.k8s.io/peer-pods": "nvidia.com/gpu=all" });
  assert.deepEqual(OCI.Mounts, [{
    destination: "/data",
    source: o.bindSource,
    type: "bind",
    options: ["rbind", "ro"],
  }]);
  const namespaces = [{ Type: "ipc" }, { Type: "uts" }, { Type: "network", Path: NETNS }];
  assert.deepEqual(OCI.Linux, { Namespaces: namespaces });
  assert.deepEqual(requests.filter(({ method }) => method === "CopyFile").map(({ dataLength }) => dataLength), [
    1024 * 1024,
    1024 * 1024,
    512 * 1024,
  ]);
  assert.ok(Deno.statSync(o.bindSource).isDirectory, "the source of the bind mount was made");
}

/** The result of a reply that is no error. */
export function assertOk<T>(reply: { ok: boolean; code: number; error: string; result: T }): T {
  assert.ok(reply.ok, `code ${reply.code}: ${reply.error}`);
  return reply.result;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
