// SPDX-License-Identifier: Apache-2.0
/** The certificates of automatic mutual TLS, all in memory: a CA for pod VMs and the worker's own client certificate. */

import { withCommonName } from "./subject.ts";

/** Validity in milliseconds: 730 days, as upstream's; a restart makes everything anew. */
const VALID_MS = 730 * 24 * 3_600_000;

/** Organisations that upstream's certificates carry, kept so that logs read the same. */
const CLIENT_SUBJECT = [{ type: "O", value: "cloud-api-adaptor" }] as const;
const CA_SUBJECT = [{ type: "O", value: "agent-protocol-forwarder" }] as const;

/** PEM texts. */
export interface AutomaticTls {
  /** What the worker verifies pod VMs with. */
  readonly ca: { readonly cert: string };
  /** What the worker shows; its certificate is also what a pod VM gets as its client CA. */
  readonly client: { readonly cert: string; readonly key: string };
  /** Issues the server certificate of one pod VM, valid for its instance name only. */
  issueServer(instanceName: string): Promise<{ cert: string; key: string }>;
}

/** Makes a new CA and a new client certificate; both keys stay in memory. */
export async function createAutomaticTls(): Promise<AutomaticTls> {
  const { createAuthority, createSelfSignedClient } = await import("./certificates.ts");
  const common = () => ({ keyType: "ecdsa-p256", validMs: VALID_MS, now: new Date() }) as const;
  const authority = await createAuthority({ ...common(), subject: CA_SUBJECT });
  const client = await createSelfSignedClient({ ...common(), subject: CLIENT_SUBJECT });
  return {
    ca: { cert: authority.cert },
    client: { cert: client.cert, key: client.key },
    async issueServer(instanceName) {
      const { cert, key } = await authority.issue({
        ...common(),
        subject: withCommonName([], instanceName),
        usage: "server",
        names: [{ type: "dns", value: instanceName }],
      });
      return { cert, key };
    },
  };
}
