// SPDX-License-Identifier: Apache-2.0
/** Bridges TTRPC's byte payloads to the service descriptors that protoc-gen-es writes. */

import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { PeerctlError } from "../errors.ts";
import type { CallOptions, TtrpcClient } from "./client.ts";
import type { CallContext, UnaryHandler } from "./server.ts";
import { Code, RpcError } from "./status.ts";

/** A handler per method, by its local (camelCase) name; a method left out is answered with UNIMPLEMENTED. */
export type ServiceMethods<S extends DescService> = {
  readonly [K in keyof S["method"]]?: (
    request: MessageShape<S["method"][K]["input"]>,
    context: CallContext,
  ) => Promise<MessageInitShape<S["method"][K]["output"]>>;
};

/** A function per method of the service, by its local (camelCase) name; errors are those of {@link TtrpcClient}'s call. */
export type TypedClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: (
    request: MessageInitShape<S["method"][K]["input"]>,
    options?: CallOptions,
  ) => Promise<MessageShape<S["method"][K]["output"]>>;
};

/** What both mapped types come down to once the names are gone. */
type AnyHandler = (request: unknown, context: CallContext) => Promise<MessageInitShape<DescMethod["output"]>>;
type AnyCall = (request: MessageInitShape<DescMethod["input"]>, options?: CallOptions) => Promise<unknown>;

/** Returns the entry of a server's `services`: the name on the wire, and a byte handler per method that is given. */
export function implementService<S extends DescService>(
  service: S,
  methods: ServiceMethods<S>,
): [string, ReadonlyMap<string, UnaryHandler>] {
  const handlers = new Map<string, UnaryHandler>();
  for (const method of service.methods) {
    const handler = methods[method.localName] as AnyHandler | undefined;
    if (handler !== undefined) handlers.set(method.name, toUnaryHandler(method, handler));
  }
  return [service.typeName, handlers];
}

/** Returns typed calls of one service over `client`, which stays the caller's. */
export function typedClient<S extends DescService>(service: S, client: TtrpcClient): TypedClient<S> {
  const calls: Record<string, AnyCall> = {};
  for (const { name, localName, input, output } of service.methods) {
    calls[localName] = async (request, options) => {
      const reply = await client.call(service.typeName, name, toBinary(input, create(input, request)), options);
      try {
        return fromBinary(output, reply);
      } catch (cause) {
        const what = `the reply is not a ${output.typeName}`;
        throw new PeerctlError("peer", `Cannot call ${service.typeName}/${name}: ${what}`, { cause });
      }
    };
  }
  return calls as TypedClient<S>;
}

function toUnaryHandler({ input, output }: DescMethod, handler: AnyHandler): UnaryHandler {
  return async (payload, context) => {
    const request = decodeBody(input, payload);
    return toBinary(output, create(output, await handler(request, context)));
  };
}

/** @throws {RpcError} INTERNAL with the Go server's text when `payload` is not a message of that type. */
function decodeBody(input: DescMethod["input"], payload: Uint8Array): MessageShape<DescMethod["input"]> {
  try {
    return fromBinary(input, payload);
  } catch (cause) {
    throw new RpcError(Code.internal, `ttrpc: error unmarshalling payload: ${(cause as Error).message}`, { cause });
  }
}
