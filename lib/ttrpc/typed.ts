// SPDX-License-Identifier: Apache-2.0
/** Bridges TTRPC's byte payloads to the service descriptors that protoc-gen-es writes. */

import type { DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallOptions, TtrpcClient } from "./client.ts";
import type { CallContext, UnaryHandler } from "./server.ts";

/** A handler per method, by its local (camelCase) name; a method left out is answered with UNIMPLEMENTED. */
export type ServiceMethods<S extends DescService> = {
  readonly [K in keyof S["method"]]?: (
    request: MessageShape<S["method"][K]["input"]>,
    context: CallContext,
  ) => Promise<MessageInitShape<S["method"][K]["output"]>>;
};

/** A function per method of the service, by its local (camelCase) name. */
export type TypedClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: (
    request: MessageInitShape<S["method"][K]["input"]>,
    options?: CallOptions,
  ) => Promise<MessageShape<S["method"][K]["output"]>>;
};

export function implementService<S extends DescService>(
  _service: S,
  _methods: ServiceMethods<S>,
): [string, ReadonlyMap<string, UnaryHandler>] {
  throw new Error("being written");
}

export function typedClient<S extends DescService>(_service: S, _client: TtrpcClient): TypedClient<S> {
  throw new Error("being written");
}
