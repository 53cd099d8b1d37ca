// SPDX-License-Identifier: Apache-2.0
/** Speaks http/1.1 with one client: requests one after the other, each answered before the next is looked at. */

import { STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import { pauseReading, resumeReading } from "../net/read_pause.ts";
import { createDeadline } from "./deadline.ts";
import type { BodySink, Exchange, RequestHead } from "./exchange.ts";
import { countHeader, headerValue } from "./forwarded_headers.ts";
import { createMessageParser, type MessageHead } from "./http_parser.ts";
import { createMessageWriter, headText } from "./message_writer.ts";

export interface H1Options {
  readonly socket: TLSSocket;
  /** For a request's headers to be complete, in milliseconds. */
  readonly headerTimeoutMs: number;
  /** How long the connection may be without a request, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** No further request: answers say so. */
  isEnding(): boolean;
  onRequest(exchange: Exchange): void;
  /** The request asks for another protocol; `early` is what came behind it. The socket is paused and nobody else's. */
  onUpgrade(head: RequestHead, socket: TLSSocket, early: Uint8Array): void;
  /**
   * The bytes are no request that can be answered, and nothing behind them is looked at. `status` is what the client has
   * been told, 0 for nothing; `error` is there for what is not the client's fault.
   */
  onBadRequest(reason: string, status: number, error?: unknown): void;
}

/** A request that has been read, or is being read. */
interface Incoming {
  readonly head: MessageHead;
  /** Bytes of the body that nobody has taken. */
  waiting: Uint8Array[];
  isComplete: boolean;
  sink: BodySink | undefined;
  /** Why it cannot be answered. */
  failure: string | undefined;
  /** What came behind an upgrade. */
  early: Uint8Array;
}

const NOTHING = new Uint8Array();
const DISCARD: BodySink = { onData() {}, onEnd() {}, onFlush() {} };
const NO_HEAD: MessageHead = {
  httpVersion: "",
  method: "",
  target: "",
  status: 0,
  rawHeaders: [],
  isUpgrade: false,
  keepsAlive: false,
};

export function serveH1(o: H1Options): void {
  const { socket } = o;
  const writer = createMessageWriter(socket);
  const deadline = createDeadline();
  /** Read, and not begun to be answered: more than one only from clients that do not wait for answers. */
  const queue: Incoming[] = [];
  let current: Incoming | undefined;
  let exchange: Exchange | undefined;
  let reading: Incoming | undefined;
  /** The answer to `current` has begun. */
  let hasBegun = false;
  let isInHead = false, isOver = false, isAdvancing = false, isBodyPaused = false, isPaused = false;
  let state: "fresh" | "head" | "busy" | "idle" | undefined;

  const parser = createMessageParser("request", {
    onBegin() {
      isInHead = true;
      reading = undefined;
    },
    onHead(head) {
      isInHead = false;
      const failure = head.method === "CONNECT" ? "CONNECT" : undefined;
      reading = incoming(head, failure);
      queue.push(reading);
      return false;
    },
    onData(chunk) {
      if (reading!.sink !== undefined) reading!.sink.onData(chunk);
      else reading!.waiting.push(chunk);
    },
    onEnd() {
      reading!.isComplete = true;
      reading!.sink?.onEnd();
    },
  });

  function onData(bytes: Uint8Array): void {
    if (isOver) return;
    let result: number | string;
    try {
      result = parser.read(bytes);
    } catch (error) {
      return giveUp(error);
    }
    if (typeof result === "string") onUnreadable(result);
    else if (reading?.head.isUpgrade) reading.early = bytes.subarray(result);
    current?.sink?.onFlush();
    advance();
  }

  function onUnreadable(code: string): void {
    if (reading === undefined || reading.isComplete) queue.push(incoming(NO_HEAD, code));
    else if (queue.includes(reading)) reading.failure = code;
    // It was begun, or answered already: whatever is under way stops.
    else refuse(code);
  }

  /** Answers what is no request, unless an answer has begun. */
  function refuse(reason: string): void {
    isOver = true;
    queue.length = 0;
    // Half an answer must not look like a whole one.
    if (current !== undefined && hasBegun) return lose(reason);
    const status = reason === "HPE_HEADER_OVERFLOW" ? 431 : reason === LATE ? 408 : 400;
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    socket.end();
    socket.destroySoon();
    exchange?.onLost?.();
    o.onBadRequest(reason, status);
  }

  function lose(reason: string, error?: unknown): void {
    isOver = true;
    socket.destroy();
    exchange?.onLost?.();
    o.onBadRequest(reason, 0, error);
  }

  /** Nothing here is meant to throw; what does must not end the proxy. */
  function giveUp(error: unknown): void {
    lose("internal error", error);
  }

  /** Begins the next request when the one before is answered and its answer on its way. */
  function advance(): void {
    if (isAdvancing) return;
    isAdvancing = true;
    while (current === undefined && !isOver && queue.length > 0 && isWritable()) start(queue.shift()!);
    isAdvancing = false;
    if (isOver) return deadline.clear();
    watchTime();
    const mustPause = queue.length > 0 || isBodyPaused ||
      (current !== undefined && current.sink === undefined && current.waiting.length > 0);
    if (mustPause === isPaused) return;
    isPaused = mustPause;
    if (isPaused) pauseReading(socket);
    else resumeReading(socket);
  }

  /** What cannot be answered is not begun: the client is slow, or the connection about to end. */
  function isWritable(): boolean {
    return !socket.writableNeedDrain && !socket.writableEnded;
  }

  function watchTime(): void {
    const isBusy = current !== undefined || queue.length > 0;
    const now = isBusy ? "busy" : isInHead ? "head" : state === undefined ? "fresh" : "idle";
    if (now === state || (now === "idle" && state === "fresh")) return;
    state = now;
    if (now === "busy") deadline.clear();
    else if (now === "head") deadline.set(o.headerTimeoutMs, () => refuse(LATE));
    else deadline.set(now === "fresh" ? o.headerTimeoutMs : o.idleTimeoutMs, () => socket.destroy());
  }

  function start(next: Incoming): void {
    const { head, failure } = next;
    if (failure !== undefined) return refuse(failure);
    if (head.isUpgrade) {
      isOver = true;
      release();
      return o.onUpgrade({ ...head, isHttp2: false }, socket, next.early);
    }
    current = next;
    hasBegun = false;
    exchange = exchangeOf(next);
    try {
      o.onRequest(exchange);
    } catch (error) {
      giveUp(error);
    }
  }

  function exchangeOf(request: Incoming): Exchange {
    const { head } = request;
    let isChunked = false, isBodyless = false, isLast = false;
    return {
      method: head.method,
      target: head.target,
      rawHeaders: head.rawHeaders,
      httpVersion: head.httpVersion,
      isHttp2: false,
      expectsContinue: head.httpVersion === "1.1" &&
        headerValue(head.rawHeaders, "expect")?.toLowerCase() === "100-continue",
      onDrain: undefined,
      onLost: undefined,
      sendContinue: () => void socket.write("HTTP/1.1 100 Continue\r\n\r\n"),
      readBody(sink) {
        request.sink = sink;
        for (const chunk of request.waiting) sink.onData(chunk);
        request.waiting = [];
        if (request.isComplete) sink.onEnd();
        sink.onFlush();
        advance();
      },
      pauseBody() {
        isBodyPaused = true;
        advance();
      },
      resumeBody() {
        isBodyPaused = false;
        advance();
      },
      begin(status, headers, closes) {
        hasBegun = true;
        isBodyless = head.method === "HEAD" || status === 204 || status === 304;
        const hasLength = countHeader(headers, "content-length") > 0;
        isChunked = !isBodyless && !hasLength && head.httpVersion === "1.1";
        isLast = closes || o.isEnding() || !head.keepsAlive || head.httpVersion !== "1.1";
        const all = [...headers];
        if (isChunked) all.push("Transfer-Encoding", "chunked");
        if (isLast) all.push("Connection", "close");
        writer.addText(headText(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, all));
      },
      write(chunk) {
        if (isBodyless || chunk.byteLength === 0) return;
        if (isChunked) writer.addText(`${chunk.byteLength.toString(16)}\r\n`);
        writer.addBytes(chunk);
        if (isChunked) writer.addText("\r\n");
      },
      flush: () => writer.flush(),
      end() {
        if (isChunked) writer.addText("0\r\n\r\n");
        writer.flush();
        finish(request, isLast || o.isEnding());
      },
      breakOff() {
        isOver = true;
        socket.destroy();
      },
    };
  }

  function finish(request: Incoming, isLast: boolean): void {
    if (current !== request) return;
    current = exchange = undefined;
    isBodyPaused = false;
    // It may have been answered at once: time runs anew all the same.
    state = "busy";
    deadline.clear();
    if (isLast) {
      isOver = true;
      queue.length = 0;
      socket.end();
      socket.destroySoon();
      return;
    }
    if (!request.isComplete) {
      request.sink = DISCARD;
      request.waiting = [];
    }
    advance();
  }

  function onDrain(): void {
    exchange?.onDrain?.();
    advance();
  }

  /** A client that ends its side waits for nothing more: a log that nobody follows would never notice otherwise. */
  function onEnd(): void {
    if (current !== undefined || queue.length > 0) socket.destroy();
  }

  function onClose(): void {
    isOver = true;
    release();
    exchange?.onLost?.();
  }

  function release(): void {
    deadline.close();
    socket.off("data", onData).off("drain", onDrain).off("end", onEnd).off("close", onClose);
    if (!socket.destroyed) pauseReading(socket);
  }

  socket.on("error", () => {});
  socket.on("data", onData).on("drain", onDrain).on("end", onEnd).on("close", onClose);
  watchTime();
}

/** Why a request whose headers take too long is refused. */
const LATE = "the headers took too long";

function incoming(head: MessageHead, failure: string | undefined): Incoming {
  return { head, failure, waiting: [], isComplete: false, sink: undefined, early: NOTHING };
}
