// SPDX-License-Identifier: Apache-2.0
/** Serves one TTRPC connection: checks its frames, runs the handlers, answers each stream once. */

import type { Logger } from "@logtape/logtape";
import type { Duplex } from "node:stream";
import { PeerctlError } from "../errors.ts";
import { decodeRequest, type RequestEnvelope, type ResponseEnvelope, responseSize, writeResponse } from "./envelope.ts";
import { createFrameParser, Flag, type FrameHeader, MAX_PAYLOAD_BYTES, MessageType, oversizeText } from "./frame.ts";
import { createFrameWriter } from "./frame_writer.ts";
import { createOutlet } from "./outlet.ts";
import { createServerCall, type ServerCall, type Services, type UnaryHandler } from "./server_call.ts";
import { Code, RpcError, statusFrom } from "./status.ts";

const EMPTY = new Uint8Array(0);

export interface ServerConnectionOptions {
  readonly connection: Duplex;
  readonly connectionId: number;
  readonly services: Services;
  readonly maxConcurrentCalls: number;
  readonly log: Logger;
}

export interface ServerConnection {
  /** Resolves when the socket has closed; never rejects. */
  readonly closed: Promise<void>;
  /** Refuses new calls, and ends the connection once the last reply is written. */
  drain(): void;
  /** Ends the connection at once; calls are aborted with `reason` and their replies dropped. */
  destroy(reason: PeerctlError): void;
}

/** An accepted request, running or waiting for its turn. */
interface Job {
  readonly streamId: number;
  readonly call: ServerCall;
  readonly handler: UnaryHandler;
  readonly payload: Uint8Array;
}

/** Takes the connection and serves it until either side ends it. */
export function serveConnection(options: ServerConnectionOptions): ServerConnection {
  const { connection, connectionId, services, maxConcurrentCalls, log } = options;
  const closed = Promise.withResolvers<void>();
  /** Every stream that is owed an answer. */
  const jobs = new Map<number, Job>();
  /** Jobs over the limit: at most what one chunk brought, because reading stops while there are any. */
  const waiting: Job[] = [];
  /** Handlers that have not returned, also those whose answer is no longer wanted. */
  let running = 0;
  let highestId = 0;
  let isDraining = false;
  let isOver = false;

  const outlet = createOutlet({ socket: connection, onFull: regulate, onDrained: advance });
  const frames = createFrameWriter(outlet);
  const parser = createFrameParser({
    onFrame(header, payload) {
      if (isOver) return;
      if (header.type === MessageType.request) acceptRequest(header, payload);
      else if (header.type === MessageType.data) refuseData(header.streamId);
      // Other types are skipped in silence, as the protocol asks.
    },
    onOversized({ streamId, length }) {
      if (!isOver) refuse(streamId, Code.resourceExhausted, oversizeText(length));
    },
  });

  function acceptRequest(header: FrameHeader, payload: Uint8Array): void {
    const { streamId } = header;
    if (!isClientId(streamId)) return refuse(streamId, Code.invalidArgument, "stream id must be odd");
    if (streamId <= highestId) {
      return refuse(streamId, Code.invalidArgument, `stream id must be higher than ${highestId}, the last one`);
    }
    highestId = streamId;
    let request: RequestEnvelope;
    try {
      request = decodeRequest(payload);
    } catch (error) {
      return refuse(streamId, Code.invalidArgument, (error as Error).message);
    }
    const handler = findHandler(services, request, header.flags);
    if (typeof handler === "string") return refuse(streamId, Code.unimplemented, handler);
    if (isDraining) return refuse(streamId, Code.unavailable, "the server is shutting down");
    const job: Job = { streamId, call: createServerCall(request, connectionId), handler, payload: request.payload };
    jobs.set(streamId, job);
    waiting.push(job);
    advance();
  }

  /** All methods are unary, so stream data never belongs to anything. */
  function refuseData(streamId: number): void {
    if (!isClientId(streamId)) refuse(streamId, Code.invalidArgument, "stream id must be odd");
    else if (jobs.has(streamId)) refuse(streamId, Code.invalidArgument, "the method is unary and takes no stream data");
    else refuse(streamId, Code.invalidArgument, "StreamID is no longer active");
  }

  /** Answers with an error. A call that runs on that stream is over by it: no stream is answered twice. */
  function refuse(streamId: number, code: number, message: string): void {
    const job = jobs.get(streamId);
    if (job !== undefined) {
      jobs.delete(streamId);
      job.call.abort(new PeerctlError("closed", `Cannot finish call: ${message}`));
    }
    respond(streamId, { status: { code, message }, payload: EMPTY });
    endIfDrained();
  }

  /** Starts what waits, as far as the limit and the outlet allow. */
  function advance(): void {
    while (waiting.length > 0 && running < maxConcurrentCalls && !outlet.full) {
      const job = waiting.shift()!;
      if (jobs.get(job.streamId) === job) start(job);
    }
    regulate();
  }

  /** Reads on only while nothing waits: a client that is too fast, or reads too slowly, is stopped by its own socket. */
  function regulate(): void {
    if (isOver) return;
    const shouldPause = waiting.length > 0 || outlet.full;
    if (shouldPause === connection.isPaused()) return;
    if (shouldPause) connection.pause();
    else connection.resume();
  }

  function start(job: Job): void {
    running++;
    Promise.try(job.handler, job.payload, job.call).then(
      (payload) => finish(job, { payload }),
      (error) => finish(job, { status: failureStatus(job, error), payload: EMPTY }),
    );
  }

  function finish(job: Job, response: ResponseEnvelope): void {
    running--;
    job.call.release();
    if (jobs.get(job.streamId) === job) {
      jobs.delete(job.streamId);
      respond(job.streamId, response);
      endIfDrained();
    }
    if (waiting.length > 0) advance();
  }

  function failureStatus({ call }: Job, error: unknown) {
    const status = statusFrom(error);
    const { service, method } = call;
    if (status.code === Code.unknown && !(error instanceof RpcError)) {
      log.error("Handler failed in an unforeseen way", { connectionId, service, method, error });
    } else log.debug("Call failed", { connectionId, service, method, code: status.code });
    return status;
  }

  function respond(streamId: number, response: ResponseEnvelope): void {
    let length = responseSize(response);
    if (length > MAX_PAYLOAD_BYTES) {
      response = { status: { code: Code.resourceExhausted, message: oversizeText(length) }, payload: EMPTY };
      length = responseSize(response);
    }
    frames.write(
      { length, streamId, type: MessageType.response, flags: 0 },
      (target, offset) => writeResponse(target, offset, response),
    );
  }

  function endIfDrained(): void {
    if (!isDraining || isOver || jobs.size > 0) return;
    isOver = true;
    frames.end(() => connection.destroy());
  }

  function destroy(reason: PeerctlError): void {
    isOver = true;
    for (const { call } of jobs.values()) call.abort(reason);
    jobs.clear();
    waiting.length = 0;
    connection.destroy();
  }

  connection.on("data", (chunk: Uint8Array) => parser.push(chunk));
  connection.once("end", () => {
    try {
      parser.end();
    } catch (error) {
      log.debug("Connection ended inside a frame", { connectionId, error });
    }
    destroy(new PeerctlError("closed", "Cannot finish call: the client closed its connection"));
  });
  // Stays for good: a socket may report an error after it is destroyed, and nobody else listens.
  connection.on("error", (error) => {
    log.debug("Connection failed", { connectionId, error });
    destroy(new PeerctlError("closed", "Cannot finish call: the connection failed", { cause: error }));
  });
  connection.once("close", () => {
    destroy(new PeerctlError("closed", "Cannot finish call: the connection is closed"));
    closed.resolve();
  });
  // A listener may hand sockets over paused.
  connection.resume();

  return {
    closed: closed.promise,
    drain() {
      isDraining = true;
      endIfDrained();
    },
    destroy,
  };
}

/** Clients open odd streams; even ones are kept for servers, which open none (PROTOCOL.md, "Stream ids"). */
function isClientId(streamId: number): boolean {
  return streamId % 2 === 1;
}

/** Finds the handler of a request, or the text that goes with UNIMPLEMENTED: the Go server's where it has one. */
function findHandler(
  services: Services,
  { service, method }: RequestEnvelope,
  flags: number,
): UnaryHandler | string {
  const methods = services.get(service);
  if (methods === undefined) return `service ${service}`;
  // "Remote closed" only says that no data follows, which is so for a unary call; "remote open" promises data.
  if ((flags & Flag.remoteOpen) !== 0 && methods.has(method)) return `method ${method} is unary`;
  return methods.get(method) ?? `method ${method}`;
}
