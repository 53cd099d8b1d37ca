// SPDX-License-Identifier: Apache-2.0
/** A provider whose instances are entries in a map: for tests of what stands on a provider. */

import type { Instance, InstanceSpec, Provider } from "../provider/provider.ts";

export interface FakeProvider extends Provider {
  readonly instances: ReadonlyMap<string, Instance>;
  /** User data of every create call, oldest first. */
  readonly userData: readonly string[];
  /** What every create call asked for, oldest first. */
  readonly specs: readonly InstanceSpec[];
  /** Makes the next calls of `create` wait until `release` is called or their signal aborts. */
  holdCreate(): { release(): void; readonly waiting: Promise<void> };
  /** Makes the next `delete` fail with this error. */
  failNextDelete(error: Error): void;
  /** Addresses given to instances; `["127.0.0.1"]` at first. */
  addresses: string[];
}

/** Creates a provider with no instances. */
export function createFakeProvider(): FakeProvider {
  const instances = new Map<string, Instance>();
  const userData: string[] = [];
  const specs: InstanceSpec[] = [];
  let hold: { released: Promise<void>; reached(): void } | undefined;
  let deleteError: Error | undefined;
  let next = 1;
  return {
    name: "fake",
    consistencyMs: 0,
    instances,
    userData,
    specs,
    addresses: ["127.0.0.1"],
    verifyConfig: () => Promise.resolve(),
    async create(request, signal) {
      userData.push(request.userData);
      specs.push(request.spec);
      if (hold) {
        hold.reached();
        const aborted = Promise.withResolvers<never>();
        signal.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
        await Promise.race([hold.released, aborted.promise]);
      }
      signal.throwIfAborted();
      const id = `i-${next++}`;
      const instance = { id, name: request.instanceName, addresses: [...this.addresses], sandboxId: request.sandboxId };
      instances.set(id, instance);
      return instance;
    },
    delete(id) {
      const error = deleteError;
      deleteError = undefined;
      if (error) return Promise.reject(error);
      instances.delete(id);
      return Promise.resolve();
    },
    find: (sandboxId) => Promise.resolve([...instances.values()].filter((one) => one.sandboxId === sandboxId)),
    list: () => Promise.resolve([...instances.values()]),
    holdCreate() {
      const released = Promise.withResolvers<void>();
      const waiting = Promise.withResolvers<void>();
      hold = { released: released.promise, reached: waiting.resolve };
      return {
        waiting: waiting.promise,
        release() {
          hold = undefined;
          released.resolve();
        },
      };
    },
    failNextDelete(error) {
      deleteError = error;
    },
  };
}
