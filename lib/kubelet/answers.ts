// SPDX-License-Identifier: Apache-2.0
/** Answers of the proxy's own: denials and failures, as text or as a Kubernetes Status. */

import { STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Exchange } from "./exchange.ts";
import { headText } from "./message_writer.ts";

/** Names of the Kubernetes API for a status code (meta/v1 StatusReason). */
const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  403: "Forbidden",
  405: "MethodNotAllowed",
  500: "InternalError",
  502: "ServiceUnavailable",
  503: "ServiceUnavailable",
  504: "Timeout",
};

export interface Answer {
  readonly status: number;
  /** One line, shown to the client. */
  readonly message: string;
  /** Finds the request in the audit log. */
  readonly requestId: string;
  /** The client's Accept header. */
  readonly accept?: string | undefined;
  /** Nothing more may come on this http/1.1 connection. */
  readonly closes?: boolean;
}

/** Sends the answer to an exchange whose answer has not begun. */
export function sendAnswer(exchange: Exchange, answer: Answer): number {
  const { headers, body } = render(answer);
  exchange.begin(answer.status, headers, answer.closes === true);
  exchange.write(body);
  exchange.end();
  return body.byteLength;
}

/**
 * Sends the answer on a socket whose request asked for an upgrade, and closes it. It is always a Status: client-go reads
 * the answer to a failed upgrade as one, in JSON or YAML, and takes a text with a colon in it for one without a message.
 */
export function sendAnswerRaw(socket: TLSSocket, answer: Answer): number {
  const { headers, body } = render({ ...answer, accept: "application/json" });
  const statusLine = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? "Error"}`;
  socket.write(headText(statusLine, [...headers, "Connection", "close"]));
  socket.end(body);
  socket.destroySoon();
  return body.byteLength;
}

function render({ status, message, accept, requestId }: Answer): { headers: string[]; body: Uint8Array } {
  const isJson = /\bapplication\/json\b/.test(accept ?? "");
  const body = utf8(isJson ? `${JSON.stringify(statusObject(status, message))}\n` : `${message}\n`);
  const headers = [
    ...["Content-Type", isJson ? "application/json" : "text/plain; charset=utf-8"],
    ...["Content-Length", String(body.byteLength)],
    ...["X-Content-Type-Options", "nosniff"],
    ...["X-Request-Id", requestId],
  ];
  return { headers, body };
}

function statusObject(code: number, message: string) {
  const reason = REASONS[code] ?? "Unknown";
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
