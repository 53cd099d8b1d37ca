// SPDX-License-Identifier: Apache-2.0
/** Makes certificates for tests: a CA of its own, and leaves that are right or wrong in one way. */

import { type Authority, createAuthority } from "../crypto/certificates.ts";
import type { KeyType } from "../crypto/keys.ts";
import { parseAlternativeNames } from "../crypto/subject_alternative_name.ts";

const DAY_MS = 24 * 3_600_000;

export interface TestAuthority {
  readonly caPem: string;
  leaf(o?: {
    usage?: "server" | "client";
    /** Default podvm-server, for clients podvm_client. */
    name?: string;
    /** Days from today at which the certificate begins; it lasts one day. */
    startsIn?: number;
  }): Promise<{ cert: string; key: string }>;
}

/** Makes a CA that has been valid for years, so that its leaves can be expired or not yet valid. */
export async function makeTestAuthority(o: { keyType?: KeyType; name?: string } = {}): Promise<TestAuthority> {
  const keyType = o.keyType ?? "ecdsa-p256";
  const authority: Authority = await createAuthority({
    subject: [{ type: "CN", value: o.name ?? "Test CA" }],
    keyType,
    now: new Date(Date.now() - 1000 * DAY_MS),
    validMs: 2000 * DAY_MS,
  });
  return {
    caPem: authority.cert,
    async leaf({ usage = "server", name = usage === "server" ? "podvm-server" : "podvm_client", startsIn = 0 } = {}) {
      const { cert, key } = await authority.issue({
        subject: [{ type: "CN", value: name }],
        keyType,
        now: new Date(Date.now() + startsIn * DAY_MS),
        validMs: DAY_MS,
        usage,
        names: parseAlternativeNames([name]),
      });
      return { cert, key };
    },
  };
}
