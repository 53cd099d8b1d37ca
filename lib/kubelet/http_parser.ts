// SPDX-License-Identifier: Apache-2.0
/** Reads http/1.1 messages from bytes with llhttp, the parser that is built into the runtime. */

import { HTTPParser, methods } from "node:_http_common";
import type { RawHeaders } from "./forwarded_headers.ts";

/** Longest start line and headers of a message, in bytes: an exec has its command in it. A kubelet takes 1 MiB. */
export const MAX_HEADER_BYTES = 256 << 10;

/** What llhttp tells of a message's head. */
export interface MessageHead {
  /** "1.1", or whatever else stands there. */
  readonly httpVersion: string;
  /** "" for an answer. */
  readonly method: string;
  /** As it stands in the request line; "" for an answer. */
  readonly target: string;
  /** 0 for a request. */
  readonly status: number;
  /** Each character is one byte. */
  readonly rawHeaders: RawHeaders;
  /** What follows is another protocol. */
  readonly isUpgrade: boolean;
  /** Another message may follow on the connection. */
  readonly keepsAlive: boolean;
}

export interface MessageHandlers {
  /** The first byte of a message. */
  onBegin(): void;
  /** True: the message has no body, whatever its headers say. */
  onHead(head: MessageHead): boolean;
  onData(chunk: Uint8Array): void;
  onEnd(): void;
}

export interface MessageParser {
  /**
   * Takes the next bytes of the connection; handlers are called before it returns. Messages may follow each other.
   * Returns how many bytes were read, which is fewer than given behind an upgrade only; or an error's code.
   */
  read(bytes: Uint8Array): number | string;
  /** The other side ends: the end of an answer that has no length. */
  finish(): void;
}

/** The slots of the runtime's parser for its callbacks. */
const ON_BEGIN = HTTPParser.kOnMessageBegin | 0;
const ON_HEADERS = HTTPParser.kOnHeaders | 0;
const ON_HEADERS_COMPLETE = HTTPParser.kOnHeadersComplete | 0;
const ON_BODY = HTTPParser.kOnBody | 0;
const ON_MESSAGE_COMPLETE = HTTPParser.kOnMessageComplete | 0;

/** What a callback returns: llhttp goes on, or takes the message to have no body. */
const GOES_ON = 0;
const HAS_NO_BODY = 1;

/** No leniency: lengths, chunks and line ends as the standard has them, nothing else. */
const STRICT = 0;

/** Prepares a parser for one connection; nothing is shared with another. */
export function createMessageParser(kind: "request" | "response", handlers: MessageHandlers): MessageParser {
  const parser = new HTTPParser();
  parser.initialize(kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, MAX_HEADER_BYTES, STRICT);
  // More than 32 headers come in parts; trailers come in the same way, and are left behind.
  let headers: string[] = [];
  let target = "";
  let isHeadRead = false;
  parser[ON_BEGIN] = () => {
    headers = [];
    target = "";
    isHeadRead = false;
    handlers.onBegin();
  };
  parser[ON_HEADERS] = (part: string[], targetPart: string) => {
    if (isHeadRead) return;
    headers.push(...part);
    target += targetPart;
  };
  parser[ON_HEADERS_COMPLETE] = (
    major: number,
    minor: number,
    all: string[] | undefined,
    method: number | undefined,
    wholeTarget: string | undefined,
    status: number | undefined,
    _message: string | undefined,
    isUpgrade: boolean,
    keepsAlive: boolean,
  ) => {
    isHeadRead = true;
    const hasNoBody = handlers.onHead({
      httpVersion: `${major}.${minor}`,
      method: method === undefined ? "" : methods[method] ?? "",
      target: wholeTarget ?? target,
      status: status ?? 0,
      rawHeaders: all ?? headers,
      isUpgrade,
      keepsAlive,
    });
    return hasNoBody ? HAS_NO_BODY : GOES_ON;
  };
  parser[ON_BODY] = (chunk: Uint8Array) => handlers.onData(chunk);
  parser[ON_MESSAGE_COMPLETE] = () => handlers.onEnd();
  return {
    read(bytes) {
      const result = parser.execute(bytes);
      return typeof result === "number" ? result : String(result.code);
    },
    finish: () => void parser.finish(),
  };
}
