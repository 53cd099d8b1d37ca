// SPDX-License-Identifier: Apache-2.0
/** Plays what the kata shim does with one pod, from CreateVM to StopVM, and checks every answer. */

import { createHash, randomBytes } from "node:crypto";
import { PeerctlError } from "../errors.ts";
import { dialUnix } from "../net/unix_socket.ts";
import { AgentService } from "../proto/gen/agent_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../proto/gen/health_pb.ts";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { createTtrpcClient, type TtrpcClient } from "../ttrpc/client.ts";
import { typedClient } from "../ttrpc/typed.ts";
import type { Steps } from "./steps.ts";

/** Size of one WriteStdin and ReadStdout, in bytes: the buffer of the Go shim. */
const STDIO_CHUNK_BYTES = 32 * 1024;

/** How much goes through the container's stdin and back, in bytes. */
const ECHO_BYTES = 4 << 20;

/** Size of the file that CopyFile brings in, in bytes: one chunk of the Go shim. */
const FILE_BYTES = 1 << 20;

/** Time for StartVM, in milliseconds, as the shipped kata configuration gives it; other calls get a tenth. */
const START_TIMEOUT_MS = 600_000;
const CALL_TIMEOUT_MS = 60_000;

const GREETING = "hello from the pod VM\n";
const EXEC_STATUS = 7;

export interface ShimSequenceOptions {
  readonly hypervisorSocket: string;
  readonly sandboxId: string;
  readonly steps: Steps;
  readonly signal: AbortSignal;
}

/**
 * Runs the sequence; the first wrong answer ends it.
 *
 * @throws {PeerctlError} kind "peer" for a wrong answer, or what a call failed with.
 */
export async function playShim(options: ShimSequenceOptions): Promise<void> {
  const { sandboxId, steps, signal } = options;
  const call = { timeoutMs: CALL_TIMEOUT_MS, signal };

  /** The Go shim opens a connection per hypervisor call and closes it after. */
  async function onHypervisor<T>(use: (client: ReturnType<typeof hypervisorOf>) => Promise<T>): Promise<T> {
    const client = createTtrpcClient(await dialUnix(options.hypervisorSocket, { signal }));
    try {
      return await use(hypervisorOf(client));
    } finally {
      client.close();
    }
  }

  const agentSocket = await steps.step("CreateVM", async () => {
    const annotations = {
      "io.kubernetes.cri.sandbox-name": "demo",
      "io.kubernetes.cri.sandbox-namespace": "default",
    };
    const { agentSocketPath } = await onHypervisor((vm) => vm.createVM({ id: sandboxId, annotations }, call));
    return { value: agentSocketPath, detail: agentSocketPath };
  });
  await steps.step("StartVM", async () => {
    await onHypervisor((vm) => vm.startVM({ id: sandboxId }, { timeoutMs: START_TIMEOUT_MS, signal }));
    return { value: undefined, detail: "pod VM runs, its agent answers over mutual TLS" };
  });
  const connection = createTtrpcClient(await dialUnix(agentSocket, { signal }));
  try {
    await useAgent(connection, options);
  } finally {
    connection.close();
  }
  await steps.step("StopVM", async () => {
    await onHypervisor((vm) => vm.stopVM({ id: sandboxId }, call));
    return { value: undefined, detail: "pod VM gone" };
  });
}

function hypervisorOf(client: TtrpcClient) {
  return typedClient(Hypervisor, client);
}

async function useAgent(connection: TtrpcClient, options: ShimSequenceOptions): Promise<void> {
  const { sandboxId, steps, signal } = options;
  const agent = typedClient(AgentService, connection);
  const health = typedClient(Health, connection);
  const call = { timeoutMs: CALL_TIMEOUT_MS, signal };
  const containerId = `${sandboxId}-c1`;
  const execId = "exec-1";

  await steps.step("Check", async () => {
    const { status } = await health.check({}, call);
    expect(status === HealthCheckResponse_ServingStatus.SERVING, `the agent says status ${status}, not SERVING`);
    return { value: undefined, detail: "agent is serving" };
  });
  await steps.step("CreateSandbox", async () => {
    await agent.createSandbox({ hostname: "demo", dns: ["nameserver 192.0.2.53"], sandboxId }, call);
    return { value: undefined, detail: "hostname demo" };
  });
  await steps.step("CopyFile", async () => {
    const data = randomBytes(FILE_BYTES);
    await agent.copyFile({
      path: "/run/kata-containers/shared/containers/demo-file",
      fileSize: BigInt(FILE_BYTES),
      fileMode: 0o644,
      dirMode: 0o755,
      data,
    }, call);
    return { value: undefined, detail: "1 MiB" };
  });
  await steps.step("CreateContainer", async () => {
    const args = ["/bin/sh", "-c", `printf '%s' "$GREETING"; exec cat`];
    await agent.createContainer({
      containerId,
      execId: containerId,
      OCI: {
        Version: "1.1.0",
        Process: { Args: args, Env: [`GREETING=${GREETING}`, "PATH=/usr/bin:/bin"], Cwd: "/" },
        Root: { Path: "rootfs" },
        Linux: { Namespaces: [{ Type: "ipc" }, { Type: "uts" }, { Type: "mount" }] },
      },
    }, call);
    return { value: undefined, detail: args[0] ?? "" };
  });
  await steps.step("StartContainer", async () => {
    await agent.startContainer({ containerId }, call);
    return { value: undefined, detail: containerId };
  });

  const process = { containerId, execId: containerId };
  await steps.step("ReadStdout", async () => {
    const seen = new TextDecoder().decode(await readStdout(process, GREETING.length));
    expect(seen === GREETING, `stdout says ${JSON.stringify(seen)}`);
    return { value: undefined, detail: JSON.stringify(seen) };
  });
  await steps.step("ExecProcess", async () => {
    const exec = { containerId, execId };
    await agent.execProcess({
      ...exec,
      process: { Args: ["/bin/sh", "-c", `echo executed; exit ${EXEC_STATUS}`], Env: ["PATH=/usr/bin:/bin"], Cwd: "/" },
    }, call);
    const seen = new TextDecoder().decode(await readStdout(exec, "executed\n".length));
    const { status } = await agent.waitProcess(exec, { signal });
    expect(seen === "executed\n" && status === EXEC_STATUS, `stdout ${JSON.stringify(seen)}, status ${status}`);
    return { value: undefined, detail: `status ${status}` };
  });
  await steps.step("WriteStdin", async () => {
    const sent = randomBytes(ECHO_BYTES);
    const [, received] = await Promise.all([writeStdin(process, sent), readStdout(process, ECHO_BYTES)]);
    expect(sha256(received) === sha256(sent), "stdout is not what was written to stdin");
    return { value: undefined, detail: "4 MiB echoed, sha256 equal" };
  });
  await steps.step("WaitProcess", async () => {
    const exited = agent.waitProcess(process, { signal });
    exited.catch(() => {}); // when the connection is lost, CloseStdin says so first
    await agent.closeStdin(process, call);
    const { status } = await exited;
    expect(status === 0, `the container ended with status ${status}`);
    await agent.removeContainer({ containerId }, call);
    return { value: undefined, detail: `status ${status}` };
  });
  await steps.step("DestroySandbox", async () => {
    await agent.destroySandbox({}, call);
    return { value: undefined, detail: "done" };
  });

  type ProcessId = { containerId: string; execId: string };

  async function writeStdin(target: ProcessId, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length;) {
      const { len } = await agent.writeStdin({ ...target, data: data.subarray(at, at + STDIO_CHUNK_BYTES) }, call);
      expect(len > 0, "WriteStdin took nothing");
      at += len;
    }
  }

  /** Reads until `bytes` bytes came. Like the shim's, these calls have no deadline: they wait for output. */
  async function readStdout(target: ProcessId, bytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const { data } = await agent.readStdout({ ...target, len: STDIO_CHUNK_BYTES }, { signal });
      expect(data.length > 0, `stdout ended after ${at} of ${bytes} bytes`);
      expect(at + data.length <= bytes, `stdout holds more than ${bytes} bytes`);
      all.set(data, at);
      at += data.length;
    }
    return all;
  }
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new PeerctlError("peer", `Cannot accept the agent's answer: ${otherwise}`);
}
