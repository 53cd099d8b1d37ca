// SPDX-License-Identifier: Apache-2.0
/** Answers of the proxy's own: denials and failures, as text or as a Kubernetes Status. */

import { STATUS_CODES } from "node:http";
import type { TLSSocket } from "node:tls";
import type { OutgoingResponse } from "./http_servers.ts";

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

/** Sends the answer on a response that has not begun. */
export function sendAnswer(response: OutgoingResponse, answer: Answer): number {
  const { type, body } = render(answer);
  const headers: [string, string][] = [
    ["Content-Type", type],
    ["Content-Length", String(body.byteLength)],
    ["X-Content-Type-Options", "nosniff"],
    ["X-Request-Id", answer.requestId],
  ];
  if (answer.closes && !("stream" in response)) headers.push(["Connection", "close"]);
  for (const [name, value] of headers) response.setHeader(name, value);
  response.statusCode = answer.status;
  (response.end as (body: Uint8Array) => void)(body);
  return body.byteLength;
}

/**
 * Sends the answer on a socket whose request asked for an upgrade, and closes it. It is always a Status: client-go reads
 * the answer to a failed upgrade as one, in JSON or YAML, and takes a text with a colon in it for one without a message.
 */
export function sendAnswerRaw(socket: TLSSocket, answer: Answer): number {
  const { type, body } = render({ ...answer, accept: "application/json" });
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? "Error"}`,
    `Content-Type: ${type}`,
    `Content-Length: ${body.byteLength}`,
    "X-Content-Type-Options: nosniff",
    `X-Request-Id: ${answer.requestId}`,
    "Connection: close",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  socket.end(body);
  socket.destroySoon();
  return body.byteLength;
}

function render({ status, message, accept }: Answer): { type: string; body: Uint8Array } {
  if (!/\bapplication\/json\b/.test(accept ?? "")) {
    return { type: "text/plain; charset=utf-8", body: utf8(`${message}\n`) };
  }
  const reason = REASONS[status] ?? "Unknown";
  const object = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code: status };
  return { type: "application/json", body: utf8(`${JSON.stringify(object)}\n`) };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
