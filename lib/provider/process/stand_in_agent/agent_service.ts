// SPDX-License-Identifier: Apache-2.0
/** Answers the kata agent's methods with containers that are plain child processes; what is missing here is UNIMPLEMENTED. */

import type { Logger } from "@logtape/logtape";
import { AgentService } from "../../../proto/gen/agent_pb.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../../../proto/gen/health_pb.ts";
import type { Process } from "../../../proto/gen/oci_pb.ts";
import type { Services } from "../../../ttrpc/server.ts";
import { Code, RpcError } from "../../../ttrpc/status.ts";
import { implementService } from "../../../ttrpc/typed.ts";
import { abortable } from "./abortable.ts";
import { environmentOf } from "./container_process.ts";
import type { Containers, MakeSpec } from "./containers.ts";
import type { CopiedFiles } from "./copied_files.ts";

/** Longest piece of output in one reply, in bytes: a reply must stay under 4 MiB. */
const MAX_READ_BYTES = 1 << 20;

/** What it calls itself wherever a real agent would give its version. */
const AGENT_VERSION = "stand-in (peerctl, no isolation)";
/** Version of the agent API that the real one reports. */
const API_VERSION = "0.0.1";

export interface AgentServiceOptions {
  readonly containers: Containers;
  readonly files: CopiedFiles;
  readonly log: Logger;
}

/** Makes the two services of one sandbox. After DestroySandbox it goes on answering, but runs nothing any more. */
export function createAgentServices(o: AgentServiceOptions): Services {
  const { containers, files, log } = o;
  const destroyed = Promise.withResolvers<void>();
  let isDestroyed = false;
  let hasPolicy = false;

  const agent = implementService(AgentService, {
    // deno-lint-ignore require-await
    async createSandbox(request) {
      if (isDestroyed) throw new RpcError(Code.failedPrecondition, "Cannot create sandbox: it is destroyed");
      log.info("Sandbox created", { sandbox: request.sandboxId });
      return {};
    },
    async destroySandbox() {
      isDestroyed = true;
      destroyed.resolve();
      await containers.end();
      log.info("Sandbox destroyed");
      return {};
    },
    // deno-lint-ignore require-await
    async createContainer(request) {
      containers.create(request.containerId, request.execId, makeSpecOf(request.OCI?.Process));
      return {};
    },
    // deno-lint-ignore require-await
    async startContainer(request) {
      containers.start(request.containerId);
      log.info("Container started", { container: request.containerId });
      return {};
    },
    async removeContainer(request) {
      await containers.remove(request.containerId, request.timeout === 0 ? undefined : request.timeout * 1000);
      log.info("Container removed", { container: request.containerId });
      return {};
    },
    // deno-lint-ignore require-await
    async execProcess(request) {
      containers.exec(request.containerId, request.execId, makeSpecOf(request.process));
      return {};
    },
    async signalProcess(request) {
      if (request.execId === "") await containers.signalAll(request.containerId, request.signal);
      else containers.process(request.containerId, request.execId).signal(request.signal);
      return {};
    },
    async waitProcess(request, { signal }) {
      const { exitStatus } = containers.process(request.containerId, request.execId);
      return { status: await abortable(exitStatus, signal) };
    },
    async writeStdin(request, { signal }) {
      return { len: await containers.process(request.containerId, request.execId).writeStdin(request.data, signal) };
    },
    // deno-lint-ignore require-await
    async closeStdin(request) {
      containers.process(request.containerId, request.execId).closeStdin();
      return {};
    },
    async readStdout(request, { signal }) {
      const { stdout } = containers.process(request.containerId, request.execId);
      return { data: await stdout.read(readLength(request.len), signal) };
    },
    async readStderr(request, { signal }) {
      const { stderr } = containers.process(request.containerId, request.execId);
      return { data: await stderr.read(readLength(request.len), signal) };
    },
    // deno-lint-ignore require-await
    async ttyWinResize() {
      throw new RpcError(Code.unimplemented, "Cannot resize terminal: the stand-in agent has no terminals");
    },
    // deno-lint-ignore require-await
    async statsContainer(request) {
      containers.process(request.containerId, "");
      return {};
    },
    // deno-lint-ignore require-await
    async getGuestDetails() {
      return { agentDetails: { version: AGENT_VERSION } };
    },
    async copyFile(request) {
      await files.copy(request);
      return {};
    },
    async getOOMEvent(_request, { signal }) {
      await abortable(destroyed.promise, signal);
      throw new RpcError(Code.internal, "Cannot wait for an OOM event: the sandbox is destroyed");
    },
    // deno-lint-ignore require-await
    async setPolicy() {
      if (!hasPolicy) log.warn("Policy accepted but not enforced: this is a stand-in agent");
      hasPolicy = true;
      return {};
    },
  });

  const health = implementService(Health, {
    check: () => Promise.resolve({ status: HealthCheckResponse_ServingStatus.SERVING }),
    version: () => Promise.resolve({ grpcVersion: API_VERSION, agentVersion: AGENT_VERSION }),
  });

  return new Map([agent, health]);
}

/** @throws {RpcError} when the container says nothing that could be run here. */
function makeSpecOf(process: Process | undefined): MakeSpec {
  const program = process?.Args[0];
  if (!process || program === undefined || program === "") {
    throw new RpcError(Code.invalidArgument, "Cannot create process: its OCI spec has no process with arguments");
  }
  if (process.Args.some((arg) => arg.includes("\0")) || process.Env.some((entry) => entry.includes("\0"))) {
    throw new RpcError(Code.invalidArgument, "Cannot create process: an argument or variable holds a NUL");
  }
  if (process.Terminal) {
    throw new RpcError(Code.unimplemented, "Cannot create process: the stand-in agent has no terminals");
  }
  return (addedEnv) => ({
    args: process.Args,
    env: environmentOf(process.Env, addedEnv),
    cwd: process.Cwd,
    uid: process.User?.UID ?? 0,
    gid: process.User?.GID ?? 0,
  });
}

function readLength(length: number): number {
  if (length === 0) throw new RpcError(Code.invalidArgument, "Cannot read output: 0 bytes are asked for");
  return Math.min(length, MAX_READ_BYTES);
}
