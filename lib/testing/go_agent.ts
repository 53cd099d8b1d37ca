// SPDX-License-Identifier: Apache-2.0
/** Starts the Go agent peer: kata's AgentService and Health on containerd/ttrpc, which really runs processes. */

import { type Line, startLineProcess } from "./line_process.ts";
import { goPeer } from "./peers.ts";

/** A request as the agent decoded it; a `data` field is left out, its length is `dataLength`. */
export interface AgentRequest {
  readonly service: string;
  readonly method: string;
  // deno-lint-ignore no-explicit-any -- decoded JSON, read by tests that know its shape
  readonly request: any;
  readonly dataLength: number | undefined;
}

export interface GoAgent {
  /** The requests so far, of one method or of all. */
  requests(method?: string): AgentRequest[];
  /** Waits until `method` was asked for the first time. */
  requested(method: string): Promise<AgentRequest>;
  /** Answers one parked GetOOMEvent. */
  oom(containerId: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the agent on `socket`; `dir` is where CopyFile puts files. */
export async function startGoAgent(o: { socket: string; dir: string }): Promise<GoAgent> {
  const child = startLineProcess({ path: await goPeer("agent"), args: ["-socket", o.socket, "-dir", o.dir] });
  await child.line((line) => line.event === "ready").catch(async (error) => {
    await child.stop();
    throw error;
  });
  return {
    requests: (method) =>
      child.lines.filter((line) => isRequest(line) && (method === undefined || line.method === method)).map(toRequest),
    requested: async (method) => toRequest(await child.line((line) => isRequest(line) && line.method === method)),
    oom: (containerId) => child.send({ op: "oom", container_id: containerId }),
    async stop() {
      await child.stop();
    },
  };
}

/**
 * The command with which `peerctl caa process -agent-command` starts the agent; it appends requests to `record`.
 *
 * `record` must not lie in the pod VM's folder if it is to be read after the pod VM is gone.
 */
export async function goAgentCommand(o: { record: string }): Promise<string> {
  const words = [await goPeer("agent"), "-stay", "-record", o.record, "-socket", "{socket}", "-dir", "{dir}/files"];
  return words.map((word) => `'${word}'`).join(" ");
}

/** Reads what an agent recorded; none when there is no such file yet. */
export async function readAgentRecord(path: string): Promise<AgentRequest[]> {
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Line).filter(isRequest)
    .map(toRequest);
}

const isRequest = (line: Line) => line.event === "request";

function toRequest(line: Line): AgentRequest {
  return {
    service: String(line.service),
    method: String(line.method),
    request: line.request,
    dataLength: line.data_length as number | undefined,
  };
}
