// SPDX-License-Identifier: Apache-2.0
/** Brings journal, relays and folders to agree when caa starts: what runs goes on, the rest is taken back or finished. */

import type { Logger } from "@logtape/logtape";
import type { RelayPool, RelaySandbox } from "../agent/relay_pool.ts";
import { PeerctlError, toPeerctlError } from "../errors.ts";
import type { Journal } from "./journal.ts";
import type { PodFolders } from "./pod_folders.ts";
import type { Reaper } from "./reaper.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Sandbox, SandboxStore } from "./store.ts";

export interface RecoveryOptions {
  readonly journal: Pick<Journal, "isNew">;
  readonly store: SandboxStore;
  readonly sandboxes: Sandboxes;
  readonly reaper: Reaper;
  readonly relays: RelayPool;
  readonly folders: PodFolders;
  readonly providerName: string;
  readonly log: Logger;
}

/**
 * Reconciles once, before anything is served. Deleting instances goes on in the background where it takes long: the
 * sandboxes concerned are busy until then.
 */
export async function recover(options: RecoveryOptions): Promise<void> {
  const { store, relays, folders, providerName, log } = options;
  const foreign = store.all().find(({ row }) => row.provider !== providerName);
  if (foreign) {
    throw new PeerctlError(
      "config",
      `Cannot use provider "${providerName}": sandbox "${foreign.row.id}" was made with provider "${foreign.row.provider}"`,
      {
        hint: "start caa with that provider until its pods are stopped, or give this one its own -pods-dir and -socket",
      },
    );
  }
  const carried = new Map((await relays.list()).map((one) => [one.sandboxId, one]));
  for (const sandbox of store.all()) await settleKnown(sandbox, carried.get(sandbox.row.id), options);
  for (const [id, one] of carried) if (!store.get(id)) await settleStranger(one, options);
  for (const id of await folders.list()) {
    if (store.get(id)) continue;
    await folders.remove(id);
    log.info("Folder without a sandbox removed", { sandbox: id });
  }
}

async function settleKnown(
  sandbox: Sandbox,
  carried: RelaySandbox | undefined,
  options: RecoveryOptions,
): Promise<void> {
  const { sandboxes, store, relays, folders, log } = options;
  const { id, podName, podNamespace, state } = sandbox.row;
  const names = { sandbox: id, pod: podName, namespace: podNamespace };
  switch (state) {
    case "created":
      return;
    case "running":
      if (carried?.state === "open") return log.info("Sandbox goes on", { ...names, instance: sandbox.row.instanceId });
      // A relay that does not answer may still carry it; its socket must not be taken away from a pod that runs.
      if (relays.isBlind()) return log.warn("Sandbox may go on in a relay that does not answer", names);
      return await sandboxes.relayLost([id]);
    case "failed":
      return await folders.removeAgentSocket(id);
    case "starting":
      log.warn("Half-started sandbox is taken back", names);
      sandbox.takingBack = takeBack(sandbox, options).finally(() => sandbox.takingBack = undefined);
      sandbox.takingBack.catch((error) => {
        store.note(sandbox, { state: "failed", lastError: toPeerctlError(error).message });
        log.error("Half-started sandbox could not be taken back", { ...names, error });
      });
      return;
    case "stopping":
      log.warn("Half-stopped sandbox is finished", names);
      sandboxes.stop(id).catch((error) => log.error("Half-stopped sandbox could not be finished", { ...names, error }));
      return;
  }
}

/** Nobody was told that it runs: its instance goes, the sandbox is as after CreateVM. */
async function takeBack(sandbox: Sandbox, options: RecoveryOptions): Promise<void> {
  const { relays, reaper, folders, store, log } = options;
  const { id, instanceId, changedMs } = sandbox.row;
  try {
    await relays.close(id);
  } catch (error) {
    // No reason to keep the VM: without it the path leads nowhere.
    log.warn("Agent path could not be closed", { sandbox: id, reason: toPeerctlError(error).message });
  }
  await folders.removeAgentSocket(id);
  await reaper.reap({ sandboxId: id, instanceId, mayExistSinceMs: changedMs });
  store.note(sandbox, { state: "created", instanceId: "", lastError: "caa was restarted while the pod VM started" });
}

/**
 * A relay carries what the journal does not know. Without an old journal (its file system is gone, the relay is not)
 * the relay is believed: pods that need not die do not. Otherwise the journal is.
 */
async function settleStranger(one: RelaySandbox, options: RecoveryOptions): Promise<void> {
  const { journal, store, relays, reaper, providerName, log } = options;
  const { sandboxId: id, agentSocket, state } = one;
  const { pod = "", namespace = "", netns = "", provider = "", instance = "" } = one.labels;
  if (journal.isNew && state === "open" && provider === providerName && instance !== "") {
    store.add({
      id,
      podName: pod,
      podNamespace: namespace,
      networkNamespacePath: netns,
      agentSocket,
      spec: "{}",
      state: "running",
      provider,
      idempotencyKey: "",
      instanceId: instance,
      lastError: "",
    });
    return log.info("Sandbox found running", { sandbox: id, pod, namespace, instance });
  }
  log.warn("Sandbox that nobody knows is ended", { sandbox: id, pod, namespace, instance });
  await relays.close(id);
  if (provider === providerName) await reaper.reap({ sandboxId: id, instanceId: instance, mayExistSinceMs: 0 });
}
