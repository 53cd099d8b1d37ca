// SPDX-License-Identifier: Apache-2.0
/** Passes one allowed request on to the kubelet and its answer back, as they come and in bounded memory. */

import { PeerctlError } from "../errors.ts";
import type { BodySink, Exchange } from "./exchange.ts";
import type { Body } from "./framing.ts";
import { requestHeaders, responseHeaders } from "./forwarded_headers.ts";
import type { AnswerSink, KubeletConnection } from "./kubelet_connection.ts";
import type { Upstream } from "./upstream.ts";

export interface ForwardOptions {
  readonly exchange: Exchange;
  readonly body: Body;
  readonly upstream: Upstream;
  /** For the kubelet's headers, in milliseconds from the end of connecting. */
  readonly responseTimeoutMs: number;
  /** The connection to the client ends after this answer. */
  readonly closes: boolean;
}

export interface Forwarded {
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The kubelet gave no answer, or not all of it; the first is for the caller to answer. */
  readonly failure?: Failure;
}

export interface Failure {
  readonly kind: "unreachable" | "timeout" | "broken";
  readonly error: unknown;
  /** Nothing was sent to the client. */
  readonly isUnanswered: boolean;
}

/** Resolves when everything is sent, the client is gone, or the kubelet failed; never rejects. */
export function forward({ exchange, body, upstream, responseTimeoutMs, closes }: ForwardOptions): Promise<Forwarded> {
  const { promise, resolve } = Promise.withResolvers<Forwarded>();
  let bytesIn = 0, bytesOut = 0, status = 0;
  let isDone = false, isAnswered = false;
  let connection: KubeletConnection | undefined;

  const finish = (failure?: Failure) => {
    if (isDone) return;
    isDone = true;
    exchange.onLost = exchange.onDrain = undefined;
    resolve({ status, bytesIn, bytesOut, ...(failure !== undefined && { failure }) });
  };

  const fail = (kind: Failure["kind"], error: unknown) => {
    if (isDone) return;
    finish({ kind, error, isUnanswered: !isAnswered });
    connection?.destroy();
    // Half an answer must not look like a whole one.
    if (isAnswered) exchange.breakOff();
  };

  const sink: AnswerSink = {
    onAnswer(code, headers) {
      isAnswered = true;
      status = code;
      try {
        exchange.begin(status, responseHeaders(headers), closes);
      } catch (error) {
        // Headers that h2 does not know how to say.
        fail("broken", error);
      }
    },
    onData(chunk) {
      bytesOut += chunk.byteLength;
      exchange.write(chunk);
    },
    onFlush() {
      if (exchange.flush() || connection === undefined) return;
      connection.pauseAnswer();
      exchange.onDrain = () => {
        exchange.onDrain = undefined;
        connection?.resumeAnswer();
      };
    },
    onEnd() {
      if (isDone) return;
      connection = undefined;
      finish();
      exchange.end();
    },
    onUpgrade(_headers, socket) {
      socket.destroy();
      fail("broken", new PeerctlError("peer", "the kubelet changed the protocol without being asked"));
    },
    onFail(error, isStale) {
      connection = undefined;
      // A kept connection may have been closed by the kubelet as it was used; that says nothing about the request.
      if (isStale && !isAnswered && body.kind === "none" && isSafe(exchange.method)) dial();
      else fail(kindOf(error, isAnswered), error);
    },
    onDrain: () => exchange.resumeBody(),
  };

  const upload: BodySink = {
    onData(chunk) {
      // An empty chunk would be the last.
      if (chunk.byteLength === 0) return;
      bytesIn += chunk.byteLength;
      if (body.kind === "chunked") connection?.writeText(`${chunk.byteLength.toString(16)}\r\n`);
      connection?.write(chunk);
      if (body.kind === "chunked") connection?.writeText("\r\n");
    },
    onEnd() {
      // What h2 counts otherwise than its headers say.
      if (body.kind === "sized" && bytesIn !== Number(body.length)) {
        return fail("broken", new PeerctlError("peer", "the request's body is not as long as it said"));
      }
      if (body.kind === "chunked") connection?.writeText("0\r\n\r\n");
      connection?.end();
    },
    onFlush() {
      if (connection?.flush() === false) exchange.pauseBody();
    },
  };

  function send(over: KubeletConnection): void {
    connection = over;
    try {
      begin(over);
    } catch (error) {
      // Headers that h2 can carry and http/1.1 cannot.
      fail("unreachable", error);
    }
  }

  function begin(over: KubeletConnection): void {
    const headers = requestHeaders(exchange.rawHeaders);
    headers.push(...framingHeaders(body, exchange.method));
    const { method, target } = exchange;
    over.send({ method, head: upstream.head(method, target, headers), answerTimeoutMs: responseTimeoutMs }, sink);
    if (body.kind === "none") over.end();
    else exchange.readBody(upload);
  }

  function dial(): void {
    upstream.dial().then((fresh) => {
      if (isDone) fresh.destroy();
      else send(fresh);
    }, (error) => fail(kindOf(error, isAnswered), error));
  }

  exchange.onLost = () => {
    if (isDone) return;
    finish();
    connection?.destroy();
  };
  const kept = upstream.take();
  if (kept === undefined) dial();
  else send(kept);
  return promise;
}

function framingHeaders(body: Body, method: string): string[] {
  if (body.kind === "sized") return ["Content-Length", body.length];
  if (body.kind === "chunked") return ["Transfer-Encoding", "chunked"];
  return method === "POST" || method === "PUT" || method === "PATCH" ? ["Content-Length", "0"] : [];
}

function isSafe(method: string): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS";
}

function kindOf(error: unknown, isAnswered: boolean): Failure["kind"] {
  if (isAnswered) return "broken";
  return error instanceof PeerctlError && error.kind === "timeout" ? "timeout" : "unreachable";
}
