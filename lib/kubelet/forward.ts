// SPDX-License-Identifier: Apache-2.0
/** Passes one allowed request on to the kubelet and its answer back, as they come and in bounded memory. */

import type * as http from "node:http";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { PeerctlError } from "../errors.ts";
import type { Body } from "./framing.ts";
import { type RawHeaders, requestHeaders, responseHeaders } from "./forwarded_headers.ts";
import type { IncomingRequest, OutgoingResponse } from "./http_servers.ts";
import { carry } from "./splice.ts";
import type { Upstream } from "./upstream.ts";

export interface ForwardOptions {
  readonly request: IncomingRequest;
  readonly response: OutgoingResponse;
  readonly rawHeaders: RawHeaders;
  readonly method: string;
  /** As it came. */
  readonly target: string;
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

export interface Forwarding {
  /** Resolves when everything is sent, the client is gone, or the kubelet failed; never rejects. */
  readonly done: Promise<Forwarded>;
  /** The client has gone. */
  abort(): void;
}

export function forward(o: ForwardOptions): Forwarding {
  const { request, response, upstream } = o;
  const { promise, resolve } = Promise.withResolvers<Forwarded>();
  let bytesIn = 0, bytesOut = 0, status = 0;
  let isDone = false, isAnswered = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sent: http.ClientRequest;

  const finish = (failure?: Failure) => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    resolve({ status, bytesIn, bytesOut, ...(failure !== undefined && { failure }) });
  };

  const fail = (kind: Failure["kind"], error: unknown) => {
    if (isDone) return;
    finish({ kind, error, isUnanswered: !isAnswered });
    sent.destroy();
    // Half an answer must not look like a whole one.
    if (isAnswered) breakOff(response);
  };

  const send = (alone?: Parameters<Upstream["requestAlone"]>[1]) => {
    const outgoing = {
      method: o.method,
      path: o.target,
      headers: [...requestHeaders(o.rawHeaders), ...framingHeaders(o.body, o.method)],
    };
    sent = alone === undefined ? upstream.request(outgoing) : upstream.requestAlone(outgoing, alone);
    const mine = sent;
    mine.on("error", (error: Error) => {
      if (mine !== sent || isDone) return;
      if (!isAnswered && alone === undefined && mine.reusedSocket && o.body.kind === "none" && isSafe(o.method)) {
        return retry();
      }
      fail(kindOf(error, isAnswered), error);
    });
    mine.on("socket", () => {
      if (mine === sent && !isDone) startTimer();
    });
    mine.on("response", (answer: http.IncomingMessage) => mine === sent && onAnswer(answer));
    // The proxy asked for no upgrade, so an answer of 101 is no answer.
    mine.on("upgrade", (_answer: http.IncomingMessage, socket: Socket) => {
      socket.destroy();
      fail("broken", new PeerctlError("peer", "the kubelet changed the protocol without being asked"));
    });
    if (o.body.kind === "none") return void mine.end();
    sendBody(mine);
  };

  /** A kept connection may have been closed by the kubelet as it was used; that says nothing about the request. */
  const retry = () => {
    upstream.dial().then((socket) => {
      if (isDone) socket.destroy();
      else send(socket);
    }, (error) => fail(kindOf(error, false), error));
  };

  function startTimer(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      fail("timeout", new PeerctlError("timeout", `the kubelet did not answer within ${o.responseTimeoutMs} ms`));
    }, o.responseTimeoutMs);
  }

  function sendBody(to: Writable): void {
    const from = request as Readable;
    const transport = "stream" in request ? undefined : request.socket;
    carry(from, to, transport, (count) => bytesIn += count);
    from.once("end", () => to.end());
  }

  function onAnswer(answer: http.IncomingMessage): void {
    clearTimeout(timer);
    if (isDone) return void answer.destroy();
    isAnswered = true;
    status = answer.statusCode ?? 502;
    begin(response, status, responseHeaders(answer.rawHeaders), o.closes);
    carry(answer, response as Writable, answer.socket, (count) => bytesOut += count);
    answer.once("end", () => {
      if (answer.complete) response.end();
      else fail("broken", new PeerctlError("peer", "the kubelet broke its answer off"));
    });
    answer.once("error", (error) => fail("broken", error));
    answer.once("aborted", () => fail("broken", new PeerctlError("peer", "the kubelet broke its answer off")));
  }

  const abort = () => {
    if (isDone) return;
    finish();
    sent.destroy();
  };
  // It comes in every case; before the end of the answer it means that the client has gone.
  response.once("close", abort);
  response.once("finish", () => {
    finish();
    // A kubelet that has answered does not read on: neither do we.
    if (!sent.writableFinished) sent.destroy();
  });
  response.on("error", () => {});
  request.on("error", () => {});
  send();
  return { done: promise, abort };
}

/** RFC 9113 section 7: what an h2 stream is reset with. */
const INTERNAL_ERROR = 2;

function breakOff(response: OutgoingResponse): void {
  if ("stream" in response) response.stream.close(INTERNAL_ERROR);
  else response.destroy();
}

function begin(response: OutgoingResponse, status: number, headers: string[], closes: boolean): void {
  const isHttp2 = "stream" in response;
  // The kubelet's Date is passed on like the rest.
  response.sendDate = false;
  if (closes && !isHttp2) headers.push("Connection", "close");
  // deno-lint-ignore no-explicit-any -- both kinds take a list of names and values, their types do not agree on it.
  (response as any).writeHead(status, headers);
  // Headers go out at once: the first line of a log may come hours later.
  if (!isHttp2) (response as http.ServerResponse).flushHeaders();
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
  if (error instanceof PeerctlError) return error.kind === "timeout" ? "timeout" : "unreachable";
  return isAnswered ? "broken" : "unreachable";
}
