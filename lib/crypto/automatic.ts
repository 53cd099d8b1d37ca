// SPDX-License-Identifier: Apache-2.0
/** The certificates of automatic mutual TLS: a CA for pod VMs and the worker's own client certificate. */

import { DAY_MS } from "./expiry.ts";
import { withCommonName } from "./subject.ts";

const KEY_TYPE = "ecdsa-p256" as const;

/** Validity in milliseconds: 730 days, as upstream's. */
const VALID_MS = 730 * DAY_MS;

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

/** Everything that has to be kept for the same certificates to go on being issued and shown; PEM texts. */
export interface AutomaticTlsKeys {
  readonly caCert: string;
  readonly caKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Makes a new CA and a new client certificate. */
export async function generateAutomaticTlsKeys(): Promise<AutomaticTlsKeys> {
  const { createAuthority, createSelfSignedClient } = await import("./certificates.ts");
  const common = { keyType: KEY_TYPE, validMs: VALID_MS, now: new Date() } as const;
  const authority = await createAuthority({ ...common, subject: CA_SUBJECT });
  const client = await createSelfSignedClient({ ...common, subject: CLIENT_SUBJECT });
  return { caCert: authority.cert, caKey: authority.key, clientCert: client.cert, clientKey: client.key };
}

/** Issues with keys that were made earlier. */
export async function openAutomaticTls(keys: AutomaticTlsKeys): Promise<AutomaticTls> {
  const { openAuthority } = await import("./certificates.ts");
  const authority = openAuthority({ cert: keys.caCert, key: keys.caKey });
  return {
    ca: { cert: keys.caCert },
    client: { cert: keys.clientCert, key: keys.clientKey },
    async issueServer(instanceName) {
      const { cert, key } = await authority.issue({
        keyType: KEY_TYPE,
        validMs: VALID_MS,
        now: new Date(),
        subject: withCommonName([], instanceName),
        usage: "server",
        names: [{ type: "dns", value: instanceName }],
      });
      return { cert, key };
    },
  };
}
