// SPDX-License-Identifier: Apache-2.0
/** One connection to the kubelet: a request at a time, and the answer as it comes. */

import type { TLSSocket } from "node:tls";
import { PeerctlError } from "../errors.ts";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import { createDeadline } from "./deadline.ts";
import type { BodySink } from "./exchange.ts";
import { headerValue, type RawHeaders } from "./forwarded_headers.ts";
import { createMessageParser } from "./http_parser.ts";
import { createMessageWriter } from "./message_writer.ts";

/** Where an answer goes. One of onEnd, onUpgrade and onFail is called, and nothing after it. */
export interface AnswerSink extends BodySink {
  onAnswer(status: number, headers: RawHeaders): void;
  /** The kubelet has changed the protocol; the socket is paused and nobody else's. `early` is what came behind its answer. */
  onUpgrade(headers: RawHeaders, socket: TLSSocket, early: Uint8Array): void;
  /** `isStale`: the connection had been used before, and was lost before a byte of an answer came. */
  onFail(error: unknown, isStale: boolean): void;
  /** More of the body may be written. */
  onDrain(): void;
}

export interface OutgoingRequest {
  readonly method: string;
  /** The whole head. */
  readonly head: string;
  readonly answerTimeoutMs: number;
}

export interface KubeletConnection {
  /** Begins a request; only when none is under way. */
  send(request: OutgoingRequest, sink: AnswerSink): void;
  write(chunk: Uint8Array): void;
  writeText(text: string): void;
  /** Sends what was written; false when the kubelet is to be waited for. */
  flush(): boolean;
  /** The request is complete. */
  end(): void;
  pauseAnswer(): void;
  resumeAnswer(): void;
  /** Unused from now on; `onLate` is called when it has been so for too long. */
  rest(ms: number): void;
  destroy(): void;
}

export interface KubeletConnectionOptions {
  readonly socket: TLSSocket;
  /** It may be used again. */
  onFree(connection: KubeletConnection): void;
  onClose(connection: KubeletConnection): void;
}

interface UnderWay {
  readonly request: OutgoingRequest;
  readonly sink: AnswerSink;
  isSent: boolean;
  /** undefined while the final head has not come. */
  answer: { readonly isUpgrade: boolean; readonly keepsAlive: boolean; readonly rawHeaders: RawHeaders } | undefined;
  isAnswered: boolean;
}

export function createKubeletConnection({ socket, onFree, onClose }: KubeletConnectionOptions): KubeletConnection {
  const writer = createMessageWriter(socket);
  const deadline = createDeadline();
  let underWay: UnderWay | undefined;
  let uses = 0, isInterim = false, isSilent = true;
  /** Why nothing that is read goes to anybody. */
  let objection: string | undefined;

  const parser = createMessageParser("response", {
    onBegin() {
      // An answer to nothing, or behind an answer: whose would it be?
      if (underWay === undefined || underWay.isAnswered) objection = "it answered what nobody asked";
    },
    onHead({ status, rawHeaders, isUpgrade, keepsAlive }) {
      objection ??= objectionTo(status, rawHeaders);
      if (objection !== undefined) return false;
      // 101 without an upgrade among them: the parser stops behind it.
      isInterim = status < 200 && !isUpgrade;
      if (isInterim) return false;
      deadline.clear();
      underWay!.answer = { isUpgrade, keepsAlive, rawHeaders };
      if (!isUpgrade) underWay!.sink.onAnswer(status, rawHeaders);
      return underWay?.request.method === "HEAD";
    },
    onData(chunk) {
      if (objection === undefined) underWay?.sink.onData(chunk);
    },
    onEnd() {
      if (objection === undefined && !isInterim && underWay !== undefined) underWay.isAnswered = true;
    },
  });

  function onData(bytes: Uint8Array): void {
    isSilent = false;
    let result: number | string;
    try {
      result = parser.read(bytes);
    } catch (error) {
      // No sink is meant to throw; what does must not end the proxy.
      return fail(error);
    }
    if (objection !== undefined) return fail(broken(objection));
    if (typeof result === "string") return fail(broken(`its answer is no HTTP (${result})`));
    afterRead(bytes, result);
  }

  /** What stands behind `read` belongs to another protocol. */
  function afterRead(bytes: Uint8Array, read: number): void {
    const done = underWay;
    if (done === undefined) return;
    if (!done.isAnswered) return done.sink.onFlush();
    underWay = undefined;
    const { isUpgrade, keepsAlive, rawHeaders } = done.answer!;
    if (isUpgrade) {
      release();
      socket.pause();
      return done.sink.onUpgrade(rawHeaders, socket, bytes.subarray(read));
    }
    // A kubelet that has answered does not read on: neither does anyone write to it.
    if (keepsAlive && done.isSent && !socket.destroyed) onFree(connection);
    else socket.destroy();
    done.sink.onEnd();
  }

  function fail(error: unknown, isLost = true): void {
    const failed = underWay;
    underWay = undefined;
    socket.destroy();
    // Its 'close' comes later, and nobody must be given it until then.
    onClose(connection);
    failed?.sink.onFail(error, isLost && uses > 1 && isSilent);
  }

  /** The end of an answer that has no length; anything else is broken off. */
  function onEnd(): void {
    parser.finish();
    if (underWay?.isAnswered) afterRead(new Uint8Array(), 0);
    else fail(broken("it broke its answer off"));
  }

  function onError(error: Error): void {
    fail(error);
  }

  function onClosed(): void {
    deadline.close();
    fail(broken("it closed the connection"));
  }

  function onDrain(): void {
    underWay?.sink.onDrain();
  }

  function release(): void {
    deadline.close();
    socket.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClosed).off("drain", onDrain);
    socket.on("error", () => {});
    onClose(connection);
  }

  const connection: KubeletConnection = {
    send(request, sink) {
      uses++;
      isSilent = true;
      underWay = { request, sink, isSent: false, answer: undefined, isAnswered: false };
      deadline.set(request.answerTimeoutMs, () => {
        fail(new PeerctlError("timeout", `the kubelet did not answer within ${request.answerTimeoutMs} ms`), false);
      });
      writer.addText(request.head);
    },
    write: (chunk) => writer.addBytes(chunk),
    writeText: (text) => writer.addText(text),
    flush: () => writer.flush(),
    end() {
      if (underWay !== undefined) underWay.isSent = true;
      writer.flush();
    },
    pauseAnswer: () => pauseReading(socket),
    resumeAnswer: () => resumeReading(socket),
    rest: (ms) => deadline.set(ms, () => fail(broken("it was not used"))),
    destroy() {
      underWay = undefined;
      socket.destroy();
    },
  };
  socket.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClosed).on("drain", onDrain);
  return connection;
}

/** What llhttp lets through, and nobody could pass on as it is meant. */
function objectionTo(status: number, rawHeaders: RawHeaders): string | undefined {
  if (status < 100) return "its answer has no status";
  const encoding = headerValue(rawHeaders, "transfer-encoding") ?? "chunked";
  return encoding.toLowerCase() === "chunked" ? undefined : "its answer is encoded in another way than chunked";
}

function broken(why: string): PeerctlError {
  return new PeerctlError("peer", `the kubelet's connection cannot be used: ${why}`);
}
