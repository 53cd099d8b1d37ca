// SPDX-License-Identifier: Apache-2.0
/** An exchange over one stream of an h2 connection. */

import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Exchange } from "./exchange.ts";

/** RFC 9113 section 7: what a stream is reset with. */
const INTERNAL_ERROR = 2;

export function h2Exchange(
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  expectsContinue: boolean,
): Exchange {
  let isTaken = true, isEnded = false;
  const exchange: Exchange = {
    method: request.method,
    target: request.url,
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    isHttp2: true,
    expectsContinue,
    onDrain: undefined,
    onLost: undefined,
    sendContinue: () => void response.writeContinue(),
    readBody(sink) {
      request.on("data", (chunk: Uint8Array) => {
        sink.onData(chunk);
        sink.onFlush();
      });
      request.once("end", () => {
        // A stream that was reset without an error ends, too: what came is not the whole body.
        if (request.stream.closed) return;
        sink.onEnd();
        sink.onFlush();
      });
    },
    pauseBody: () => void request.pause(),
    resumeBody: () => void request.resume(),
    begin(status, headers) {
      // The kubelet's Date is passed on like the rest.
      response.sendDate = false;
      // deno-lint-ignore no-explicit-any -- it takes a list of names and values, its type does not know.
      (response as any).writeHead(status, [...headers]);
    },
    write(chunk) {
      isTaken = response.write(chunk);
    },
    flush: () => isTaken,
    end() {
      isEnded = true;
      response.end();
    },
    breakOff: () => void response.stream.close(INTERNAL_ERROR),
  };
  request.on("error", () => {});
  response.on("error", () => {});
  response.on("drain", () => {
    isTaken = true;
    exchange.onDrain?.();
  });
  response.once("close", () => {
    if (!isEnded) exchange.onLost?.();
  });
  return exchange;
}
