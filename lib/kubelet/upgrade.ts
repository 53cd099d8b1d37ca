// SPDX-License-Identifier: Apache-2.0
/** Passes one allowed upgrade on to the kubelet, over a connection of its own, and joins the two when it agrees. */

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import { PeerctlError } from "../errors.ts";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import type { Failure } from "./forward.ts";
import { headerValue, type RawHeaders, requestHeaders, responseHeaders } from "./forwarded_headers.ts";
import { headText } from "./message_writer.ts";
import { splice } from "./splice.ts";
import type { Upstream } from "./upstream.ts";

/** Longest answer other than 101 that is passed on, in bytes: it is an error message. */
const MAX_ERROR_BYTES = 1 << 20;

/** How much of a client that does not wait for the kubelet's answer is kept, in bytes: clients do wait. */
const MAX_EARLY_BYTES = 64 << 10;

export interface ForwardUpgradeOptions {
  readonly client: TLSSocket;
  /** What the client sent behind its request; it goes on only when the kubelet has agreed. */
  readonly early: Uint8Array;
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: RawHeaders;
  readonly upstream: Upstream;
  readonly responseTimeoutMs: number;
  readonly idleMs: number;
  /** The kubelet has agreed. */
  onOpen(): void;
}

export interface Upgraded {
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly failure?: Failure;
}

/** Resolves when the stream has ended; the client's socket is closed then, unless an unanswered failure is returned. */
export async function forwardUpgrade(o: ForwardUpgradeOptions): Promise<Upgraded> {
  const { client } = o;
  const gone = new AbortController();
  const onGone = () => gone.abort();
  client.once("close", onGone);
  try {
    return await exchange(o, gone.signal);
  } catch (error) {
    if (client.destroyed) return { status: 0, bytesIn: 0, bytesOut: 0 };
    const isLate = error instanceof PeerctlError && error.kind === "timeout";
    const failure: Failure = { kind: isLate ? "timeout" : "unreachable", error, isUnanswered: true };
    return { status: 0, bytesIn: 0, bytesOut: 0, failure };
  } finally {
    client.off("close", onGone);
  }
}

async function exchange(o: ForwardUpgradeOptions, gone: AbortSignal): Promise<Upgraded> {
  const { client } = o;
  const wanted = headerValue(o.rawHeaders, "upgrade") ?? "";
  const waiting = keepEarly(client, o.early);
  const answered = await ask(o, wanted, gone).finally(() => waiting.stop());
  if (answered.kind === "other") return passAnswer(client, answered);
  const { socket, headers, early } = answered;
  if ((headerValue(headers, "upgrade") ?? "").toLowerCase() !== wanted.toLowerCase()) {
    socket.destroy();
    throw new PeerctlError("peer", "the kubelet changed to another protocol than the one asked for");
  }
  const head = headText("HTTP/1.1 101 Switching Protocols", [
    ...["Connection", "Upgrade", "Upgrade", wanted],
    ...responseHeaders(headers),
  ]);
  client.setNoDelay(true);
  client.allowHalfOpen = true;
  socket.allowHalfOpen = true;
  client.write(Buffer.from(head, "latin1"));
  if (early.byteLength > 0) client.write(early);
  const sent = waiting.bytes();
  if (sent.byteLength > 0) socket.write(sent);
  o.onOpen();
  const spliced = splice(client, socket, { idleMs: o.idleMs });
  // Both wait since their heads were read.
  resumeReading(client);
  resumeReading(socket);
  const { fromClient, fromKubelet } = await spliced;
  return { status: 101, bytesIn: fromClient + sent.byteLength, bytesOut: fromKubelet + early.byteLength };
}

/** Reads on while the kubelet is waited for, which is how a client that leaves is noticed; ending its side is leaving. */
function keepEarly(client: TLSSocket, first: Uint8Array): { stop(): void; bytes(): Uint8Array } {
  const chunks = [first];
  let length = first.byteLength;
  const onData = (chunk: Uint8Array) => {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > MAX_EARLY_BYTES) pauseReading(client);
  };
  const onEnd = () => void client.destroy();
  client.on("data", onData).on("end", onEnd);
  resumeReading(client);
  return {
    stop() {
      pauseReading(client);
      client.off("data", onData).off("end", onEnd);
    },
    bytes: () => Buffer.concat(chunks),
  };
}

interface OtherAnswer {
  readonly kind: "other";
  readonly status: number;
  readonly headers: RawHeaders;
  readonly chunks: readonly Uint8Array[];
  readonly length: number;
}

type Answered =
  | { readonly kind: "upgrade"; readonly socket: TLSSocket; readonly headers: RawHeaders; readonly early: Uint8Array }
  | OtherAnswer;

async function ask(o: ForwardUpgradeOptions, wanted: string, gone: AbortSignal): Promise<Answered> {
  const { method, target, upstream } = o;
  const head = upstream.head(method, target, [
    ...requestHeaders(o.rawHeaders),
    ...["Connection", "Upgrade", "Upgrade", wanted],
    ...(method === "POST" ? ["Content-Length", "0"] : []),
  ]);
  const connection = await upstream.dialAlone(gone);
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const give = (error: unknown) => {
    connection.destroy();
    reject(error);
  };
  const abort = () => give(new PeerctlError("closed", "the client has gone"));
  gone.addEventListener("abort", abort);
  let status = 0, length = 0;
  let headers: RawHeaders = [];
  const chunks: Uint8Array[] = [];
  connection.send({ method, head, answerTimeoutMs: o.responseTimeoutMs }, {
    onUpgrade: (answered, socket, early) => resolve({ kind: "upgrade", headers: answered, socket, early }),
    onAnswer(code, answered) {
      status = code;
      headers = answered;
    },
    onData(chunk) {
      length += chunk.byteLength;
      if (length > MAX_ERROR_BYTES) give(new PeerctlError("limit", "the kubelet's refusal of an upgrade is too long"));
      else chunks.push(chunk);
    },
    onEnd: () => resolve({ kind: "other", status, headers, chunks, length }),
    onFail: reject,
    onFlush() {},
    onDrain() {},
  });
  connection.end();
  return await promise.finally(() => gone.removeEventListener("abort", abort));
}

/** The kubelet said no: its answer is passed on, and the connection closed, so that nothing can follow. */
function passAnswer(client: TLSSocket, { status, headers, chunks, length }: OtherAnswer): Upgraded {
  const passed = responseHeaders(headers);
  const kept: string[] = [];
  for (let i = 0; i + 1 < passed.length; i += 2) {
    if (passed[i]!.toLowerCase() !== "content-length") kept.push(passed[i]!, passed[i + 1]!);
  }
  const own = ["Content-Length", String(length), "Connection", "close"];
  const head = headText(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, [...kept, ...own]);
  client.write(Buffer.from(head, "latin1"));
  for (const chunk of chunks) client.write(chunk);
  client.end();
  client.destroySoon();
  return { status, bytesIn: 0, bytesOut: length };
}
