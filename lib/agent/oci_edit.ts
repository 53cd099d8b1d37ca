// SPDX-License-Identifier: Apache-2.0
/** What the rewriters read and edit of a CreateContainerRequest: mounts, annotations, storages and namespaces. */

import {
  bodiesOf,
  delimitedField,
  indexOfSingle,
  joinFields,
  splitMessage,
  textOf,
  type WireField,
} from "./wire_edit.ts";

/** Field numbers, from lib/proto/agent.proto and lib/proto/oci.proto. */
const Request = { containerId: 1, devices: 4, storages: 5, oci: 6 } as const;
const Spec = { mounts: 5, annotations: 7, linux: 8 } as const;
const MapEntry = { key: 1, value: 2 } as const;
const Mount = { destination: 1, source: 2, type: 3 } as const;
const Storage = { driver: 1 } as const;
const Linux = { namespaces: 6 } as const;
const Namespace = { type: 1, path: 2 } as const;

/** The `type` of the network namespace in an OCI spec. */
const NETWORK = "network";

export interface OciMount {
  readonly destination: string;
  readonly source: string;
  readonly type: string;
}

/** A request whose edits become bytes with `encode`; nothing that was not edited moves or changes. */
export interface ContainerRequest {
  readonly containerId: string;
  readonly mounts: readonly OciMount[];
  readonly storageDrivers: readonly string[];
  readonly devices: number;
  readonly annotations: ReadonlyMap<string, string>;
  setAnnotation(key: string, value: string): void;
  /** Makes `path` the one network namespace of the container, also when there was none, or no `Linux` at all. */
  setNetworkNamespace(path: string): void;
  /** The very bytes that came in if nothing was edited. */
  encode(): Uint8Array;
}

/**
 * Opens a CreateContainerRequest for editing; undefined when it has no OCI spec, which an agent refuses.
 *
 * @throws {RpcError} INVALID_ARGUMENT when what is looked at is not well-formed.
 */
export function openContainerRequest(payload: Uint8Array): ContainerRequest | undefined {
  const request = splitMessage(payload);
  const place = indexOfSingle(request, Request.oci);
  const ociBody = place === undefined ? undefined : request[place]?.body;
  if (place === undefined || ociBody === undefined) return undefined;
  const spec = splitMessage(ociBody);
  const annotations = new Map(bodiesOf(spec, Spec.annotations).map(readEntry));
  let edited = false;

  return {
    containerId: textOf(request, Request.containerId),
    mounts: bodiesOf(spec, Spec.mounts).map(readMount),
    storageDrivers: bodiesOf(request, Request.storages).map((body) => textOf(splitMessage(body), Storage.driver)),
    devices: bodiesOf(request, Request.devices).length,
    annotations,
    setAnnotation(key, value) {
      const entry = delimitedField(
        Spec.annotations,
        joinFields([delimitedField(MapEntry.key, key), delimitedField(MapEntry.value, value)]),
      );
      // Of several entries with one key the last counts.
      const last = spec.findLastIndex((f) => f.number === Spec.annotations && f.body && readEntry(f.body)[0] === key);
      spec.splice(last === -1 ? spec.length : last, last === -1 ? 0 : 1, entry);
      annotations.set(key, value);
      edited = true;
    },
    setNetworkNamespace(path) {
      const at = indexOfSingle(spec, Spec.linux) ?? spec.length;
      const linux = splitMessage(spec[at]?.body ?? new Uint8Array());
      spec[at] = delimitedField(Spec.linux, joinFields(withNetworkNamespace(linux, path)));
      edited = true;
    },
    encode() {
      if (!edited) return payload;
      return joinFields(request.with(place, delimitedField(Request.oci, joinFields(spec))));
    },
  };
}

/**
 * Both shims strip the network namespace and upstream's forwarder appends one. Should one be there all the same, it
 * is given the path, and further ones go: a container that is told to join two would be in whichever came last.
 */
function withNetworkNamespace(linux: readonly WireField[], path: string): WireField[] {
  bodiesOf(linux, Linux.namespaces);
  const isNetwork = (field: WireField) =>
    field.number === Linux.namespaces && field.body !== undefined &&
    textOf(splitMessage(field.body), Namespace.type) === NETWORK;
  const first = linux.findIndex(isNetwork);
  if (first === -1) {
    const added = joinFields([delimitedField(Namespace.type, NETWORK), delimitedField(Namespace.path, path)]);
    return [...linux, delimitedField(Linux.namespaces, added)];
  }
  return linux.flatMap((field, index) => {
    if (!isNetwork(field)) return [field];
    if (index !== first || field.body === undefined) return [];
    const kept = splitMessage(field.body).filter((inner) => inner.number !== Namespace.path);
    return [delimitedField(Linux.namespaces, joinFields([...kept, delimitedField(Namespace.path, path)]))];
  });
}

function readEntry(body: Uint8Array): [key: string, value: string] {
  const entry = splitMessage(body);
  return [textOf(entry, MapEntry.key), textOf(entry, MapEntry.value)];
}

function readMount(body: Uint8Array): OciMount {
  const mount = splitMessage(body);
  return {
    destination: textOf(mount, Mount.destination),
    source: textOf(mount, Mount.source),
    type: textOf(mount, Mount.type),
  };
}
