// SPDX-License-Identifier: Apache-2.0
/** Drives the Go client and the Go agent of the benches (testdata/peers/go/cmd/benchload, benchagent). */

import { type Line, startLineProcess } from "../line_process.ts";
import { goPeer } from "../peers.ts";

export interface CallKind {
  readonly call: "unary" | "read" | "copy";
  /** Of the request or of the reply. */
  readonly bytes: number;
  readonly inFlight: number;
}

/** What came of some calls, all of them answered rightly. */
export interface Measured {
  readonly calls: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Bytes that have gone over the held connection, as its user sees them. */
export interface Counted {
  readonly read: number;
  readonly written: number;
}

export interface Load {
  readonly pid: number;
  /** Opens the one held connection. */
  dial(socket: string): Promise<void>;
  /** Calls for `seconds`, or `calls` times. @throws at the first reply that is wrong. */
  run(kind: CallKind, until: { readonly seconds: number } | { readonly calls: number }): Promise<Measured>;
  /** Starts calls of WaitProcess that stay. */
  park(count: number): Promise<void>;
  /** Has all parked calls answered; resolves with how many were still parked. */
  release(): Promise<number>;
  /** Creates a container that waits in the pod VM until `path` is mounted; resolves with what came of it. */
  createContainer(o: { readonly path: string; readonly seconds: number }): Promise<string>;
  /** Stops reading replies. */
  hold(): Promise<Counted>;
  go(): Promise<Counted>;
  count(): Promise<Counted>;
  /** TLS connections that are ended again at once. */
  handshakes(o: HandshakeOptions): Promise<Measured>;
  /** Opens one connection to each socket; resolves when the agent behind each has answered. */
  open(sockets: readonly string[]): Promise<void>;
  /** Checks the agent behind each of them every five seconds; measures the checks. */
  checkAll(seconds: number): Promise<Measured>;
  stop(): Promise<void>;
}

export interface HandshakeOptions {
  readonly address: string;
  readonly serverName: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly inFlight: number;
  readonly seconds: number;
}

export async function startLoad(): Promise<Load> {
  let last = Promise.resolve();
  const waiting = new Map<string, (line: Line) => void>();
  const child = startLineProcess({
    path: await goPeer("benchload"),
    args: [],
    onLine(line) {
      waiting.get(String(line.event))?.(line);
      waiting.delete(String(line.event));
    },
  });
  const ended = child.line(() => false);
  ended.catch(() => {});

  /** One command of each op at a time; commands of different ops run side by side. */
  async function ask(op: string, fields: object = {}): Promise<Line> {
    const answered = new Promise<Line>((resolve) => waiting.set(op, resolve));
    last = last.then(() => child.send({ op, ...fields }));
    await last;
    const answer = await Promise.race([answered, ended]);
    if (answer.error !== undefined) throw new Error(`A call failed or its reply is wrong: ${answer.error}`);
    return answer;
  }

  return {
    pid: child.pid,
    dial: async (socket) => void await ask("dial", { socket }),
    async run({ call, bytes, inFlight }, until) {
      return measured(await ask("run", { call, bytes, in_flight: inFlight, ...until }));
    },
    park: async (count) => void await ask("park", { count }),
    release: async () => Number((await ask("release")).calls),
    createContainer: (o) => ask("hold_container", o).then(() => "created", (error) => (error as Error).message),
    hold: async () => counted(await ask("hold")),
    go: async () => counted(await ask("go")),
    count: async () => counted(await ask("count")),
    async handshakes({ address, serverName, caFile, certFile, keyFile, inFlight, seconds }) {
      const files = { ca_file: caFile, cert_file: certFile, key_file: keyFile };
      return measured(
        await ask("handshakes", { address, server_name: serverName, ...files, in_flight: inFlight, seconds }),
      );
    },
    open: async (sockets) => void await ask("open", { sockets }),
    checkAll: async (seconds) => measured(await ask("check_all", { seconds })),
    async stop() {
      await child.stop();
    },
  };
}

export interface BenchAgent {
  readonly pid: number;
  /** Stops reading requests. */
  hold(): Promise<Counted>;
  go(): Promise<Counted>;
  count(): Promise<Counted>;
  stop(): Promise<void>;
}

export async function startBenchAgent(socket: string): Promise<BenchAgent> {
  const seen = new Map<string, (line: Line) => void>();
  const child = startLineProcess({
    path: await goPeer("benchagent"),
    args: ["-socket", socket],
    onLine: (line) => seen.get(String(line.event))?.(line),
  });
  await child.line((line) => line.event === "ready").catch(async (error) => {
    await child.stop();
    throw error;
  });
  const ask = async (op: string) => {
    const answered = new Promise<Line>((resolve) => seen.set(op, resolve));
    await child.send({ op });
    return counted(await answered);
  };
  return {
    pid: child.pid,
    hold: () => ask("hold"),
    go: () => ask("go"),
    count: () => ask("count"),
    async stop() {
      await child.stop();
    },
  };
}

function measured(line: Line): Measured {
  return {
    calls: Number(line.calls),
    bytes: Number(line.bytes),
    seconds: Number(line.seconds),
    p50Us: Number(line.p50_us),
    p99Us: Number(line.p99_us),
  };
}

function counted({ read, written }: Line): Counted {
  return { read: Number(read), written: Number(written) };
}
