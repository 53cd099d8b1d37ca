// SPDX-License-Identifier: Apache-2.0
/** Starts the Go shim peer, which calls a hypervisor socket and one agent connection with kata's client packages. */

import { type Line, startLineProcess } from "./line_process.ts";
import { goPeer } from "./peers.ts";

/** `code` is a gRPC code of the other side, or -1 for an error of the Go client itself, such as "ttrpc: closed". */
export interface ShimReply {
  readonly ok: boolean;
  readonly code: number;
  readonly error: string;
  // deno-lint-ignore no-explicit-any -- decoded JSON, read by tests that know its shape
  readonly result: any;
}

export interface ContainerInit {
  readonly id: string;
  readonly args: readonly string[];
  readonly env?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly mounts?: ReadonlyArray<Record<string, unknown>>;
  readonly namespaces?: ReadonlyArray<{ Type: string; Path?: string }>;
}

export interface GoShim {
  /** Any unary call; `grpc.*` goes to the agent, the rest to the hypervisor. Never rejects for an error reply. */
  call(service: string, method: string, request?: unknown, o?: { timeoutMs?: number }): Promise<ShimReply>;
  createVM(o: { id: string; annotations: Readonly<Record<string, string>>; netns?: string }): Promise<ShimReply>;
  startVM(id: string, o?: { timeoutMs?: number }): Promise<ShimReply>;
  stopVM(id: string, o?: { timeoutMs?: number }): Promise<ShimReply>;
  version(): Promise<ShimReply>;
  getInfo(o: { podName: string; podNamespace: string; wait?: boolean }): Promise<ShimReply>;
  /** The messages, enums and services of kata's generated code by full name, see testdata/peers/go/cmd/shim/describe.go. */
  describe(): Promise<Record<string, Record<string, string>>>;
  /** Opens the one agent connection, trying for `timeoutMs` (default 30,000). */
  connect(path: string, o?: { timeoutMs?: number }): Promise<ShimReply>;
  disconnect(): Promise<ShimReply>;
  /** Resolves when the agent connection is gone. */
  agentClosed(): Promise<void>;
  check(o?: { timeoutMs?: number }): Promise<ShimReply>;
  /** Checks at each interval until one fails. */
  startChecks(intervalMs: number): Promise<ShimReply>;
  /** Resolves when `count` checks in all succeeded; rejects at a failed one. */
  checked(count: number): Promise<void>;
  stats(): Promise<{ checksOk: number; checksFailed: number }>;
  createSandbox(o: { id: string; hostname?: string; dns?: readonly string[] }): Promise<ShimReply>;
  createContainer(o: ContainerInit, call?: { timeoutMs?: number }): Promise<ShimReply>;
  startContainer(id: string): Promise<ShimReply>;
  removeContainer(id: string): Promise<ShimReply>;
  exec(id: string, execId: string, args: readonly string[]): Promise<ShimReply>;
  /** `result` is the bytes; none means the end. */
  readStdout(id: string, o?: { execId?: string; length?: number }): Promise<ShimReply>;
  readStderr(id: string, o?: { execId?: string; length?: number }): Promise<ShimReply>;
  writeStdin(id: string, data: Uint8Array, execId?: string): Promise<ShimReply>;
  closeStdin(id: string, execId?: string): Promise<ShimReply>;
  /** Parks until the process ends; `result.status` is its exit code (absent when 0). */
  waitProcess(id: string, o?: { execId?: string; timeoutMs?: number }): Promise<ShimReply>;
  signal(id: string, signal: number, execId?: string): Promise<ShimReply>;
  copyFile(path: string, data: Uint8Array): Promise<ShimReply>;
  getOOMEvent(): Promise<ShimReply>;
  setPolicy(policy: string): Promise<ShimReply>;
  destroySandbox(): Promise<ShimReply>;
  stop(): Promise<void>;
}

const AGENT = "grpc.AgentService";
const HYPERVISOR = "hypervisor.Hypervisor";
/** What the real shim asks for at once, and how much of a file it sends in one call, in bytes. */
const READ_BYTES = 32 << 10, COPY_BYTES = 1 << 20;
/** dial_timeout as shipped, in milliseconds. */
const DIAL_TIMEOUT_MS = 30_000;

/** Starts a shim for the hypervisor at `socket` (which need not exist for tests of the agent alone). */
export async function startGoShim(o: { socket: string }): Promise<GoShim> {
  const child = startLineProcess({ path: await goPeer("shim"), args: ["-socket", o.socket] });
  let last = 0;

  async function ask(line: Line): Promise<ShimReply> {
    const n = ++last;
    const answered = child.line((answer) => answer.n === n);
    await child.send({ ...line, n });
    const { ok, code, error, result } = await answered;
    return { ok: ok === true, code: Number(code), error: String(error ?? ""), result };
  }
  const call: GoShim["call"] = (service, method, request = {}, o = {}) =>
    mayBeLeft(ask({ op: "call", service, method, request, timeoutMs: o.timeoutMs ?? 0 }));
  const agent = (method: string, request: unknown, o?: { timeoutMs?: number }) => call(AGENT, method, request, o);
  const vm = (method: string, request: unknown, o?: { timeoutMs?: number }) => call(HYPERVISOR, method, request, o);

  function read(method: string, id: string, o: { execId?: string; length?: number }): Promise<ShimReply> {
    const request = { container_id: id, exec_id: o.execId ?? "", len: o.length ?? READ_BYTES };
    return mayBeLeft(
      agent(method, request).then((reply) => ({
        ...reply,
        result: reply.ok ? Uint8Array.fromBase64(reply.result.data ?? "") : undefined,
      })),
    );
  }

  return {
    call,
    createVM: ({ id, annotations, netns = "" }) => vm("CreateVM", { id, annotations, networkNamespacePath: netns }),
    startVM: (id, o) => vm("StartVM", { id }, o),
    stopVM: (id, o) => vm("StopVM", { id }, o),
    version: () => vm("Version", {}),
    getInfo: ({ podName, podNamespace, wait = false }) =>
      call("podvminfo.PodVMInfo", "GetInfo", { PodName: podName, PodNamespace: podNamespace, Wait: wait }),
    describe: async () => (await ask({ op: "describe" })).result,
    connect: (path, o) => ask({ op: "connect", path, timeoutMs: o?.timeoutMs ?? DIAL_TIMEOUT_MS }),
    disconnect: () => ask({ op: "disconnect" }),
    async agentClosed() {
      await child.line((line) => line.event === "agentClosed");
    },
    check: (o) => call("grpc.Health", "Check", {}, o),
    startChecks: (intervalMs) => ask({ op: "startChecks", intervalMs }),
    async checked(count) {
      const line = await child.line((line) =>
        line.event === "checkFailed" || (line.event === "checked" && Number(line.checksOk) >= count)
      );
      if (line.event === "checkFailed") throw new Error(`A check failed: ${line.error}`);
    },
    stats: async () => (await ask({ op: "stats" })).result,
    createSandbox: ({ id, hostname = "", dns = [] }) => agent("CreateSandbox", { sandbox_id: id, hostname, dns }),
    createContainer: (o, call) =>
      agent("CreateContainer", {
        container_id: o.id,
        OCI: {
          Process: { Args: o.args, Env: o.env ?? [], Cwd: "/" },
          Mounts: o.mounts ?? [],
          Annotations: o.annotations ?? {},
          Linux: { Namespaces: o.namespaces ?? [{ Type: "ipc" }] },
        },
      }, call),
    startContainer: (id) => agent("StartContainer", { container_id: id }),
    removeContainer: (id) => agent("RemoveContainer", { container_id: id }),
    exec: (id, execId, args) =>
      agent("ExecProcess", { container_id: id, exec_id: execId, process: { Args: args, Cwd: "/" } }),
    readStdout: (id, o = {}) => read("ReadStdout", id, o),
    readStderr: (id, o = {}) => read("ReadStderr", id, o),
    writeStdin: (id, data, execId = "") =>
      agent("WriteStdin", { container_id: id, exec_id: execId, data: data.toBase64() }),
    closeStdin: (id, execId = "") => agent("CloseStdin", { container_id: id, exec_id: execId }),
    waitProcess: (id, o) => agent("WaitProcess", { container_id: id, exec_id: o?.execId ?? "" }, o),
    signal: (id, signal, execId = "") => agent("SignalProcess", { container_id: id, exec_id: execId, signal }),
    async copyFile(path, data) {
      let reply = ok;
      for (let offset = 0; reply.ok && (offset === 0 || offset < data.byteLength); offset += COPY_BYTES) {
        const part = data.subarray(offset, offset + COPY_BYTES);
        reply = await agent("CopyFile", {
          path,
          file_size: String(data.byteLength),
          file_mode: 0o600,
          dir_mode: 0o700,
          offset: String(offset),
          data: part.toBase64(),
        });
      }
      return reply;
    },
    getOOMEvent: () => agent("GetOOMEvent", {}),
    setPolicy: (policy) => agent("SetPolicy", { policy }),
    destroySandbox: () => agent("DestroySandbox", {}),
    async stop() {
      await child.stop();
    },
  };
}

/** A test that fails leaves parked calls behind; their end must not hide why it failed. */
function mayBeLeft<T>(reply: Promise<T>): Promise<T> {
  reply.catch(() => {});
  return reply;
}

const ok: ShimReply = { ok: true, code: 0, error: "", result: undefined };
