// SPDX-License-Identifier: Apache-2.0
/** A provider whose instances are entries in a map: for tests of what stands on a provider. */

import type { Instance, InstanceSpec, Provider } from "../provider/provider.ts";

export interface FakeProvider extends Provider {
  readonly instances: ReadonlyMap<string, Instance>;
  /** User data of every create call, oldest first. */
  readonly userData: readonly string[];
  /** What every create call asked for, oldest first. */
  readonly specs: readonly InstanceSpec[];
  /** The idempotency key of every create call, oldest first. */
  readonly keys: readonly string[];
  /** Makes the next calls of `create` wait until `release` is called or their signal aborts. */
  holdCreate(): { release(): void; readonly waiting: Promise<void> };
  /** Makes every call of `delete` wait until `release` is called. */
  holdDelete(): { release(): void };
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
  const keys: string[] = [];
  let hold: { released: Promise<void>; reached(): void } | undefined;
  let deleteError: Error | undefined;
  let deleteHeld: Promise<void> | undefined;
  let next = 1;
  return {
    name: "fake",
    consistencyMs: 0,
    instances,
    userData,
    specs,
    keys,
    addresses: ["127.0.0.1"],
    verifyConfig: () => Promise.resolve(),
    async create(request, signal) {
      userData.push(request.userData);
      specs.push(request.spec);
      keys.push(request.idempotencyKey);
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
    async delete(id) {
      await deleteHeld;
      const error = deleteError;
      deleteError = undefined;
      if (error) throw error;
      instances.delete(id);
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
    holdDelete() {
      const { promise, resolve } = Promise.withResolvers<void>();
      deleteHeld = promise;
      return { release: resolve };
    },
    failNextDelete(error) {
      deleteError = error;
    },
  };
}
