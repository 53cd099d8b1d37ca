// SPDX-License-Identifier: Apache-2.0
/** The containers of one sandbox and the processes in them. */

import { Code, RpcError } from "../../../ttrpc/status.ts";
import { endMarked } from "../end_processes.ts";
import { findMarked, type Marker, randomMarkerValue, signalProcess } from "../process_identity.ts";
import { type ContainerProcess, createContainerProcess, type ProcessSpec, signalName } from "./container_process.ts";

/** What kata-agent accepts as a container id. */
const CONTAINER_ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** Longest id of a container or process, in characters: a runtime's are 64 hex digits. */
const MAX_ID_LENGTH = 256;

const MAX_CONTAINERS = 256;
const SIGKILL = 9;
/** Processes of one container that run, or have ended and may still be asked about. */
const MAX_PROCESSES = 256;

/** Names a container in the environment of its processes; its value is random, as ids come again. */
const CONTAINER_MARKER_NAME = "PEERCTL_CONTAINER";

/** What a process shall run; the environment becomes its own once the markers are in it. */
export type MakeSpec = (addedEnv: Readonly<Record<string, string>>) => ProcessSpec;

export interface Containers {
  /** Prepares a container whose first process answers to `execId`, and to "". */
  create(id: string, execId: string, makeSpec: MakeSpec): void;
  start(id: string): void;
  /** Starts one more process in a container that runs. */
  exec(id: string, execId: string, makeSpec: MakeSpec): void;
  /** @throws {RpcError} INVALID_ARGUMENT for an unknown container, NOT_FOUND for an unknown process in a known one. */
  process(id: string, execId: string): ContainerProcess;
  /** Sends a signal to everything that was started in the container, by whomever. */
  signalAll(id: string, number: number): Promise<void>;
  /** Kills everything in the container, then forgets it. */
  remove(id: string, limitMs?: number): Promise<void>;
  /** Removes all containers; from now on nothing can be created or started. */
  end(): Promise<void>;
}

interface Container {
  readonly first: ContainerProcess;
  readonly marker: Marker;
  readonly addedEnv: Readonly<Record<string, string>>;
  readonly processes: Map<string, ContainerProcess>;
  removing?: Promise<void>;
}

/** @param o `addedEnv` is put into the environment of every process, whatever its container says. */
export function createContainers(o: { addedEnv: Readonly<Record<string, string>> }): Containers {
  const containers = new Map<string, Container>();
  let hasEnded = false;

  function find(id: string): Container {
    const container = containers.get(id);
    if (!container) throw new RpcError(Code.invalidArgument, `Invalid container id ${JSON.stringify(id.slice(0, 64))}`);
    return container;
  }

  function refuseIfEnded(): void {
    if (hasEnded) throw new RpcError(Code.failedPrecondition, "Cannot run anything: the sandbox is destroyed");
  }

  async function removeNow(id: string, container: Container, limitMs: number | undefined): Promise<void> {
    await killAll(container, limitMs);
    await Promise.all(Array.from(container.processes.values(), (process) => process.exitStatus));
    await Promise.all(Array.from(container.processes.values(), (process) => process.release()));
    containers.delete(id);
  }

  async function remove(id: string, limitMs?: number): Promise<void> {
    const container = find(id);
    container.removing ??= removeNow(id, container, limitMs).finally(() => delete container.removing);
    await container.removing;
  }

  return {
    create(id, execId, makeSpec) {
      checkId(id, "container");
      refuseIfEnded();
      if (containers.has(id)) throw new RpcError(Code.alreadyExists, `Cannot create container "${id}": it is there`);
      if (containers.size >= MAX_CONTAINERS) {
        throw new RpcError(Code.resourceExhausted, `Cannot create container "${id}": there are ${MAX_CONTAINERS}`);
      }
      const value = randomMarkerValue();
      const addedEnv = { ...o.addedEnv, [CONTAINER_MARKER_NAME]: value };
      const first = createContainerProcess(makeSpec(addedEnv));
      containers.set(id, {
        first,
        marker: `${CONTAINER_MARKER_NAME}=${value}`,
        addedEnv,
        processes: new Map([[execId === "" ? id : execId, first]]),
      });
    },

    start(id) {
      const container = find(id);
      refuseIfEnded();
      refuseIfRemoving(id, container);
      container.first.start();
    },

    exec(id, execId, makeSpec) {
      checkId(execId, "process");
      const container = find(id);
      refuseIfEnded();
      refuseIfRemoving(id, container);
      if (container.first.state !== "running") {
        throw new RpcError(Code.failedPrecondition, `Cannot run a process in container "${id}": it does not run`);
      }
      if (container.processes.has(execId)) {
        throw new RpcError(
          Code.alreadyExists,
          `Cannot run process "${execId}": container "${id}" has one of that name`,
        );
      }
      makeRoom(id, container);
      const process = createContainerProcess(makeSpec(container.addedEnv));
      process.start();
      container.processes.set(execId, process);
    },

    process(id, execId) {
      const container = find(id);
      const process = execId === "" ? container.first : container.processes.get(execId);
      if (!process) throw new RpcError(Code.notFound, `Cannot find process "${execId.slice(0, 64)}"`);
      return process;
    },

    async signalAll(id, number) {
      const container = find(id);
      const name = signalName(number);
      if (name === undefined) return;
      if (container.first.state === "created") container.first.signal(number);
      else if (number === SIGKILL) await killAll(container);
      else for (const process of await findMarked(container.marker)) signalProcess(process, name);
    },

    remove,

    async end() {
      hasEnded = true;
      await Promise.all(Array.from(containers.keys(), (id) => remove(id)));
    },
  };
}

function checkId(id: string, what: string): void {
  if (id.length > MAX_ID_LENGTH || !CONTAINER_ID.test(id)) {
    throw new RpcError(Code.invalidArgument, `Invalid ${what} id ${JSON.stringify(id.slice(0, 64))}`);
  }
}

function refuseIfRemoving(id: string, container: Container): void {
  if (container.removing) {
    throw new RpcError(Code.failedPrecondition, `Cannot run anything in container "${id}": it is being removed`);
  }
}

/** Our own children by their handles, as one that wiped its environment carries no marker; then all that does. */
async function killAll(container: Container, limitMs?: number): Promise<void> {
  for (const process of container.processes.values()) process.signal(SIGKILL);
  await endMarked(container.marker, limitMs === undefined ? {} : { limitMs });
}

/** Forgets the oldest ended process when there are too many: nobody asks about it any more. */
function makeRoom(id: string, container: Container): void {
  if (container.processes.size < MAX_PROCESSES) return;
  for (const [execId, process] of container.processes) {
    if (process.state !== "ended") continue;
    container.processes.delete(execId);
    process.release();
    return;
  }
  throw new RpcError(Code.resourceExhausted, `Cannot run a process in container "${id}": ${MAX_PROCESSES} run`);
}
