// SPDX-License-Identifier: Apache-2.0
/** Asks the kernel what its sockets hold for a process, with ss of iproute2. */

export interface SocketQueues {
  /** Bytes that wait in the kernel to be read from the process's unix sockets. */
  readonly unixUnread: number;
  /** Bytes that the process has read from its TCP connections. */
  readonly tcpRead: number;
  /** Bytes that the process has written to its TCP connections, taken by the peer or not. */
  readonly tcpWritten: number;
}

/** Sums over all connections of `pid`. */
export async function socketQueues(pid: number): Promise<SocketQueues> {
  const [unix, tcp] = await Promise.all([
    ss(["-HOxp", "state", "established"], pid),
    ss(["-HOtinp", "state", "established"], pid),
  ]);
  let unixUnread = 0, tcpRead = 0, tcpWritten = 0;
  for (const line of unix) unixUnread += queuesOf(line).received;
  for (const line of tcp) {
    const { received, sent } = queuesOf(line);
    tcpRead += counter(line, "bytes_received") - received;
    tcpWritten += counter(line, "bytes_acked") + sent;
  }
  return { unixUnread, tcpRead, tcpWritten };
}

async function ss(args: readonly string[], pid: number): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command("ss", { args: [...args] }).output();
  if (!success) throw new Error(`ss failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.includes(`pid=${pid},`));
}

/** A line begins with the queues, for unix sockets after the kind of socket. */
function queuesOf(line: string): { received: number; sent: number } {
  const [, received, sent] = /^(?:[a-z_]+\s+)?(\d+)\s+(\d+)\s/.exec(line) ?? [];
  if (received === undefined) throw new Error(`ss printed what is not known: ${line}`);
  return { received: Number(received), sent: Number(sent) };
}

/** One that is still 0 is not printed. */
function counter(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
}
