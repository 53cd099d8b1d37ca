// SPDX-License-Identifier: Apache-2.0
/** A cloud that behaves as badly as clouds do, on a fake clock: slow, lost answers, duplicates, errors, hangs, delayed listings. */

import type { Instance, Provider } from "../provider/provider.ts";
import type { FakeClock } from "./fake_clock.ts";

/** How long an instance may stay invisible after the call that made it, in milliseconds. */
const CONSISTENCY_MS = 20_000;

/** Longest time between a call and its effect, in milliseconds; it is part of the time above. */
const SLOWEST_MS = 8_000;

/** What may happen to a call. `lost` takes effect and answers with an error, `hang` takes effect or not and never answers. */
export type Fault = "none" | "slow" | "error" | "lost" | "duplicate" | "hang" | "hang after effect";

export interface FaultyCloud {
  /** The instances that cost money now, by id. */
  alive(): Instance[];
  /** One process's way to the cloud: after `cut`, as after kill -9, no answer reaches it any more. */
  connect(): { readonly provider: Provider; cut(): void };
  /** From now on every call works. */
  heal(): void;
  /** How many calls of `create` came, in all and under one key: more than one is a caller's mistake. */
  readonly createCalls: ReadonlyMap<string, number>;
}

export interface FaultyCloudOptions {
  readonly clock: FakeClock;
  /** Chooses what happens to the next call. */
  fault(call: "create" | "delete" | "find" | "list"): Fault;
}

interface Stored extends Instance {
  readonly visibleMs: number;
}

/** Creates a cloud with no instances. */
export function createFaultyCloud(options: FaultyCloudOptions): FaultyCloud {
  const { clock } = options;
  const instances = new Map<string, Stored>();
  const createCalls = new Map<string, number>();
  const never = new AbortController().signal;
  let next = 1;
  let isHealthy = false;
  const chooseFault: FaultyCloudOptions["fault"] = (call) => isHealthy ? "none" : options.fault(call);

  /** Makes `effect` happen or not, now or later, whatever becomes of the caller, and answers as the fault says. */
  async function suffer<T>(fault: Fault, effect: () => T): Promise<T> {
    switch (fault) {
      case "error":
        throw new Error("the cloud says no");
      case "hang":
        return await new Promise<never>(() => {});
      case "slow":
        await clock.delay(SLOWEST_MS, never);
        return effect();
      case "lost":
        effect();
        throw new Error("the answer of the cloud was lost");
      case "hang after effect":
        effect();
        return await new Promise<never>(() => {});
      default:
        return effect();
    }
  }

  function add(sandboxId: string, name: string): Instance {
    const id = `i-${next++}`;
    const instance = { id, name, addresses: ["127.0.0.1"], sandboxId };
    instances.set(id, { ...instance, visibleMs: clock.now() + CONSISTENCY_MS - SLOWEST_MS });
    return instance;
  }

  const visible = () => [...instances.values()].filter(({ visibleMs }) => isHealthy || visibleMs <= clock.now());

  function connect(): { provider: Provider; cut(): void } {
    let isCut = false;
    /** Passes an answer on, unless the asker is gone or gives up first. */
    function answer<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const done = (settle: () => void) => () => {
          signal.removeEventListener("abort", abort);
          if (!isCut) settle();
        };
        const abort = done(() => reject(signal.reason));
        if (signal.aborted) return abort();
        signal.addEventListener("abort", abort);
        work.then((value) => done(() => resolve(value))(), (error) => done(() => reject(error))());
      });
    }
    /** A process that is gone makes no calls, either. */
    function call<T>(signal: AbortSignal, make: () => Promise<T>): Promise<T> {
      return isCut ? new Promise(() => {}) : answer(signal, make());
    }
    const provider: Provider = {
      name: "faulty",
      consistencyMs: CONSISTENCY_MS,
      verifyConfig: () => Promise.resolve(),
      create: ({ sandboxId, instanceName, idempotencyKey }, signal) =>
        call(signal, () => {
          createCalls.set(idempotencyKey, (createCalls.get(idempotencyKey) ?? 0) + 1);
          const fault = chooseFault("create");
          return suffer(fault, () => {
            if (fault === "duplicate") add(sandboxId, instanceName);
            return add(sandboxId, instanceName);
          });
        }),
      delete: (id, signal) => call(signal, () => suffer(chooseFault("delete"), () => void instances.delete(id))),
      find: (sandboxId, signal) =>
        call(signal, () => suffer(chooseFault("find"), () => visible().filter((one) => one.sandboxId === sandboxId))),
      list: (signal) => call(signal, () => suffer(chooseFault("list"), visible)),
    };
    return { provider, cut: () => isCut = true };
  }

  return {
    alive: () => [...instances.values()],
    connect,
    heal: () => isHealthy = true,
    createCalls,
  };
}
