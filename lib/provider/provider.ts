// SPDX-License-Identifier: Apache-2.0
/** What every place that can run a pod VM offers: create, delete, find, list, verify. */

/** The size of a pod VM; an empty text or 0 means "the provider's default". */
export interface InstanceSpec {
  readonly instanceType: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly image: string;
}

export interface CreateRequest {
  readonly sandboxId: string;
  readonly podName: string;
  readonly podNamespace: string;
  /** Also the name in the pod VM's certificate when caa issued it. */
  readonly instanceName: string;
  /** Cloud-init user data; holds private keys, so it is never logged. */
  readonly userData: string;
  readonly spec: InstanceSpec;
  /** Two calls with the same key are one wish: the second returns the instance of the first. */
  readonly idempotencyKey: string;
}

export interface Instance {
  /** The provider's own id. */
  readonly id: string;
  readonly name: string;
  /** The first one is where the forwarder listens. */
  readonly addresses: string[];
  readonly sandboxId: string;
  /** False if the pod VM is there but has ended; absent if the provider did not look. */
  readonly running?: boolean;
}

export interface Provider {
  readonly name: string;

  /** How long after a create call an instance may not show in `find` and `list`, in milliseconds. */
  readonly consistencyMs: number;

  /**
   * Checks what can be checked before the first pod VM is wanted.
   *
   * @throws {PeerctlError} kind "config" with everything that is wrong.
   */
  verifyConfig(): Promise<void>;

  /**
   * Resolves when the pod VM was started, maybe before anything in it answers. When it fails or `signal` aborts,
   * nothing of the instance is left.
   */
  create(request: CreateRequest, signal: AbortSignal): Promise<Instance>;

  /** Resolves when the instance and all it used are gone; an id that is not known is fine. */
  delete(instanceId: string, signal: AbortSignal): Promise<void>;

  /** The instances made for this sandbox by this installation on this node, running or not; one, unless a call was answered twice. */
  find(sandboxId: string, signal: AbortSignal): Promise<Instance[]>;

  /** Every instance that this installation on this node made and has not deleted, running or not. */
  list(signal: AbortSignal): Promise<Instance[]>;
}
