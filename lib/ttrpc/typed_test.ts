// SPDX-License-Identifier: Apache-2.0

import { getLogger } from "@logtape/logtape";
import assert from "node:assert/strict";
import { Hypervisor } from "../proto/gen/hypervisor_pb.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { createTtrpcClient, type TtrpcClient } from "./client.ts";
import { createTtrpcServer } from "./server.ts";
import { Code, RpcError } from "./status.ts";
import { implementService, type ServiceMethods, typedClient } from "./typed.ts";

const NOTHING = new Uint8Array(0);

function withHypervisor(
  methods: ServiceMethods<typeof Hypervisor>,
  body: (client: TtrpcClient) => Promise<void>,
): Promise<void> {
  return withSocketPair(async (dialled, accepted) => {
    const services = new Map([implementService(Hypervisor, methods)]);
    const server = createTtrpcServer({ services, log: getLogger("test") });
    server.serve(accepted);
    const client = createTtrpcClient(dialled);
    await body(client);
    client.close();
    await server.shutdown();
  });
}

/** A TTRPC client that answers every call with the same bytes. */
function answering(reply: Uint8Array): TtrpcClient {
  return { call: () => Promise.resolve(reply), closed: Promise.resolve(undefined), close() {} };
}

Deno.test("implementService() uses the names of the wire", () => {
  const [name, handlers] = implementService(Hypervisor, {
    createVM: () => Promise.resolve({}),
    stopVM: () => Promise.resolve({}),
  });
  assert.equal(name, "hypervisor.Hypervisor");
  assert.deepEqual([...handlers.keys()], ["CreateVM", "StopVM"]);
});

Deno.test("implementService() and typedClient() carry messages both ways", async () => {
  const seen: unknown[] = [];
  await withHypervisor({
    createVM({ id, annotations, networkNamespacePath }, { method, metadata }) {
      seen.push(id, annotations, networkNamespacePath, method, metadata);
      return Promise.resolve({ agentSocketPath: `/run/${id}` });
    },
  }, async (client) => {
    const hypervisor = typedClient(Hypervisor, client);
    const metadata = [{ key: "k", value: "v" }];
    const request = { id: "sb1", annotations: { a: "b" }, networkNamespacePath: "/n" };
    const { agentSocketPath } = await hypervisor.createVM(request, { metadata });
    assert.equal(agentSocketPath, "/run/sb1");
    assert.deepEqual(seen, ["sb1", { a: "b" }, "/n", "CreateVM", metadata]);
  });
});

Deno.test("implementService() leaves a method that is not given unimplemented", () =>
  withHypervisor({}, async (client) => {
    await assert.rejects(typedClient(Hypervisor, client).version({ version: "1" }), {
      code: Code.unimplemented,
      message: "method Version",
    });
  }));

Deno.test("implementService() answers a body that does not decode as the Go server does", () =>
  withHypervisor({ stopVM: () => Promise.resolve({}) }, async (client) => {
    await assert.rejects(client.call("hypervisor.Hypervisor", "StopVM", Uint8Array.fromHex("0a05")), {
      code: Code.internal,
      message: /^ttrpc: error unmarshalling payload: /,
    });
    assert.deepEqual(new Uint8Array(await client.call("hypervisor.Hypervisor", "StopVM", NOTHING)), NOTHING);
  }));

Deno.test("implementService() passes on what a handler throws", () =>
  withHypervisor({
    startVM() {
      throw new RpcError(Code.notFound, "no sandbox sb1");
    },
  }, async (client) => {
    await assert.rejects(typedClient(Hypervisor, client).startVM({ id: "sb1" }), {
      code: Code.notFound,
      message: "no sandbox sb1",
    });
  }));

Deno.test("typedClient() says so when a reply is of another type", async () => {
  const hypervisor = typedClient(Hypervisor, answering(Uint8Array.fromHex("0a05")));
  await assert.rejects(hypervisor.createVM({ id: "sb1" }), {
    kind: "peer",
    message: "Cannot call hypervisor.Hypervisor/CreateVM: the reply is not a hypervisor.CreateVMResponse",
  });
});
