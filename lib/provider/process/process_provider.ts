// SPDX-License-Identifier: Apache-2.0
/** Runs pod VMs as processes on this machine, without isolation: for demos, tests and development. */

import type { Logger } from "@logtape/logtape";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { PeerctlError } from "../../errors.ts";
import { checkSocketPath, dialUnix } from "../../net/unix_socket.ts";
import { createPrivateDir } from "../../os/private_dir.ts";
import type { Environment } from "../../os/detached_process.ts";
import type { CreateRequest, Instance, Provider } from "../provider.ts";
import {
  agentSocketOf,
  type BootOptions,
  provision,
  type StartedProcess,
  startProcesses,
  waitForStart,
} from "./boot.ts";
import { endMarked } from "./end_processes.ts";
import { findProgram } from "./launch.ts";
import { chooseLoopbackAddress } from "./loopback_address.ts";
import {
  isRunningMarked,
  type Marker,
  randomMarkerValue,
  readProcessSpace,
  signalProcess,
  VM_MARKER_NAME,
} from "./process_identity.ts";
import { createTurns } from "./turns.ts";
import { readRecord, RECORD_VERSION, removeFolder, type VmRecord, writeRecord } from "./vm_record.ts";

/** 64 bits of a hash: short, because a unix socket path in the folder of that name has 107 bytes in all. */
const INSTANCE_ID = /^vm-[0-9a-f]{16}$/;

/** How long agent and forwarder may take to end by themselves, in milliseconds. */
const POLITE_END_MS = 1000;

export interface ProcessProviderOptions {
  /** Holds one folder per pod VM; made 0700 if missing. */
  readonly stateDir: string;
  /** Tells this installation's pod VMs from those of another caa on this machine. */
  readonly installationId: string;
  readonly nodeName: string;
  /** How to start peerctl again, program first. */
  readonly selfCommand: readonly string[];
  /** Program and arguments of the agent, see agent_command.ts; empty for the stand-in agent. */
  readonly agentCommand: readonly string[];
  /** More flags for each forwarder, as a pod VM image has them in /etc/default/agent-protocol-forwarder. */
  readonly forwarderFlags?: readonly string[];
  /** Program and first arguments of a forwarder that takes apf's flags; absent or empty for `peerctl apf`. */
  readonly forwarderCommand?: readonly string[];
  /** TCP port of the forwarder; every pod VM has an address of its own. */
  readonly forwarderPort: number;
  /** The environment of this process; only a few harmless names are handed on. */
  readonly env: Environment;
  readonly log: Logger;
}

/**
 * Creates the provider; whoever chooses it says that nothing is isolated, see allowed.ts.
 *
 * A pod VM is a folder with a record, an agent and a forwarder. A process is taken for a part of it only if boot, pid
 * namespace, pid, start time and the random marker in its environment are those of the record, and a record counts only
 * if it names this installation and this node.
 */
export function createProcessProvider(options: ProcessProviderOptions): Provider {
  const { stateDir, installationId, nodeName, selfCommand, agentCommand, forwarderPort, env, log } = options;
  const turns = createTurns();
  /** Processes that we started ourselves: theirs is the only end that we are told of, and have to ask for. */
  const started = new Map<string, StartedProcess[]>();
  const ending = new Set<string>();
  /** Folders whose record is just being written. */
  const making = new Set<string>();

  const folderOf = (id: string) => join(stateDir, id);
  const isOurs = (record: VmRecord) => record.installationId === installationId && record.nodeName === nodeName;

  async function boot(id: string, request: CreateRequest, signal: AbortSignal): Promise<VmRecord> {
    const folder = folderOf(id);
    const space = await readProcessSpace();
    // Choosing and writing down in one turn: two pod VMs must not be given the same address.
    let record = await turns.take("address", async () => {
      const taken = new Set((await readAll()).map((other) => other.address));
      const chosen: VmRecord = {
        version: RECORD_VERSION,
        id,
        name: request.instanceName,
        sandboxId: request.sandboxId,
        podName: request.podName,
        podNamespace: request.podNamespace,
        idempotencyKey: request.idempotencyKey,
        installationId,
        nodeName,
        address: chooseLoopbackAddress({ seed: id, port: forwarderPort, taken }),
        marker: randomMarkerValue(),
        ...space,
        processes: [],
      };
      making.add(id);
      try {
        await createPrivateDir(folder);
        await writeRecord(folder, chosen);
      } catch (error) {
        await removeFolder(folder).catch(() => {});
        throw error;
      } finally {
        making.delete(id);
      }
      return chosen;
    });
    const bootOptions: BootOptions = {
      folder,
      name: request.instanceName,
      userData: request.userData,
      marker: markerOf(record),
      address: record.address,
      port: forwarderPort,
      selfCommand,
      agentCommand,
      forwarderFlags: options.forwarderFlags ?? [],
      forwarderCommand: options.forwarderCommand ?? [],
      env,
      log: log.with({ instance: id }),
    };
    const processes: StartedProcess[] = [];
    try {
      await provision(folder, request.userData);
      signal.throwIfAborted();
      started.set(id, processes);
      startProcesses(bootOptions, (process) => processes.push(process));
      record = { ...record, processes: processes.map(({ role, identity }) => ({ role, ...identity })) };
      await writeRecord(folder, record);
      await waitForStart(bootOptions, processes, signal);
    } catch (error) {
      await end(record).catch((cause) => log.error("Pod VM could not be undone", { instance: id, error: cause }));
      throw error;
    }
    for (const { role, ended } of processes) {
      ended.then(({ code }) => {
        if (!ending.has(id)) log.warn("Pod VM process ended", { instance: id, role, code });
      });
    }
    return record;
  }

  async function end(record: VmRecord, signal?: AbortSignal): Promise<void> {
    const { id } = record;
    ending.add(id);
    try {
      const space = await readProcessSpace();
      if (record.bootId === space.bootId && record.pidNamespace === space.pidNamespace) {
        await endMarked(markerOf(record), {
          polite: record.processes,
          politeMs: POLITE_END_MS,
          ...(signal === undefined ? {} : { signal }),
        });
      } else if (record.bootId === space.bootId && await answers(agentSocketOf(folderOf(id)))) {
        throw new PeerctlError("state", `Cannot end pod VM "${record.name}": it runs in another pid namespace`, {
          hint: "delete it from where it was started",
        });
      }
      const children = started.get(id) ?? [];
      for (const { identity } of children) signalProcess(identity, "SIGKILL"); // one may have dropped the marker
      await Promise.all(children.map((child) => child.reap()));
      await removeFolder(folderOf(id));
      started.delete(id);
    } finally {
      ending.delete(id);
    }
  }

  /**
   * All records of this installation on this node; what cannot be read is logged and left alone. A folder without a
   * record was made by a caa that was killed before it had started anything, and is removed.
   */
  async function readAll(): Promise<VmRecord[]> {
    const records: VmRecord[] = [];
    for (const id of await folderNames(stateDir)) {
      try {
        const record = await readRecord(folderOf(id));
        if (record === undefined && !making.has(id)) await removeFolder(folderOf(id));
        if (record && isOurs(record)) records.push(record);
      } catch (error) {
        log.warn("Pod VM record cannot be read", { instance: id, error });
      }
    }
    return records;
  }

  async function isAlive(record: VmRecord): Promise<boolean> {
    const space = await readProcessSpace();
    if (record.bootId !== space.bootId || record.pidNamespace !== space.pidNamespace) return false;
    const running = await Promise.all(record.processes.map((process) => isRunningMarked(process, markerOf(record))));
    return running.length > 0 && running.every(Boolean);
  }

  const describe = async (record: VmRecord): Promise<Instance> => ({
    id: record.id,
    name: record.name,
    addresses: [record.address],
    sandboxId: record.sandboxId,
    running: await isAlive(record),
  });

  return {
    name: "process",
    // The record is written before anything is started.
    consistencyMs: 0,

    async verifyConfig() {
      const problems: PeerctlError[] = [];
      const check = async (what: () => unknown) => {
        try {
          await what();
        } catch (error) {
          if (!(error instanceof PeerctlError)) throw error;
          problems.push(error);
        }
      };
      await check(readProcessSpace);
      await check(() => findProgram(selfCommand[0] ?? "", env));
      for (const [program] of [agentCommand, options.forwarderCommand ?? []]) {
        if (program !== undefined) await check(() => findProgram(program, env));
      }
      await check(() => checkSocketPath(agentSocketOf(folderOf(idOf("", ""))), "agent socket"));
      await check(() => chooseLoopbackAddress({ seed: installationId, port: forwarderPort, taken: new Set() }));
      await check(() => createPrivateDir(stateDir));
      if (problems.length === 1) throw problems[0];
      if (problems.length > 1) throw new AggregateError(problems, 'Cannot use provider "process"');
    },

    create(request, signal) {
      const id = idOf(installationId, request.idempotencyKey);
      return turns.take(id, async () => {
        signal.throwIfAborted();
        await createPrivateDir(stateDir);
        const known = await readRecord(folderOf(id));
        if (known === undefined) {
          await removeFolder(folderOf(id)); // made by one that died before it had written anything
        } else {
          if (!isOurs(known) || known.idempotencyKey !== request.idempotencyKey || !isFor(known, request)) {
            throw new PeerctlError("state", `Cannot create pod VM "${request.instanceName}": "${id}" is another one`);
          }
          if (await isAlive(known)) return { ...await describe(known), running: true };
          await end(known, signal);
        }
        checkSocketPath(agentSocketOf(folderOf(id)), "agent socket");
        const record = await boot(id, request, signal);
        log.info("Pod VM started", { instance: id, sandbox: record.sandboxId, address: record.address });
        return { ...await describe(record), running: true };
      });
    },

    async delete(instanceId, signal) {
      if (!INSTANCE_ID.test(instanceId)) return;
      await turns.take(instanceId, async () => {
        const record = await readRecord(folderOf(instanceId));
        if (record === undefined) return await removeFolder(folderOf(instanceId));
        if (!isOurs(record)) {
          throw new PeerctlError("state", `Cannot delete pod VM "${instanceId}": it belongs to another installation`);
        }
        await end(record, signal);
        log.info("Pod VM ended", { instance: instanceId, sandbox: record.sandboxId });
      });
    },

    async find(sandboxId) {
      const records = (await readAll()).filter((one) => one.sandboxId === sandboxId);
      return await Promise.all(records.map(describe));
    },

    list: async () => await Promise.all((await readAll()).map(describe)),
  };
}

const markerOf = (record: VmRecord): Marker => `${VM_MARKER_NAME}=${record.marker}`;

const isFor = (record: VmRecord, request: CreateRequest): boolean => record.sandboxId === request.sandboxId;

/** The same wish of the same installation always has the same folder, so that looking it up is all there is to do. */
function idOf(installationId: string, idempotencyKey: string): string {
  return `vm-${createHash("sha256").update(`${installationId} ${idempotencyKey}`).digest("hex").slice(0, 16)}`;
}

async function folderNames(stateDir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(stateDir)) if (INSTANCE_ID.test(name)) names.push(name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names;
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    (await dialUnix(socketPath, { timeoutMs: 1000 })).destroy();
    return true;
  } catch {
    return false;
  }
}
