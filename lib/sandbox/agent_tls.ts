// SPDX-License-Identifier: Apache-2.0
/** Decides with which keys and certificates worker node and pod VM prove themselves to each other on the agent path. */

import type { AutomaticTls } from "../crypto/automatic.ts";
import type { ApfConfig } from "../guest/apf_config.ts";
import type { TlsCredentials, TlsProfile } from "../net/tls.ts";

/** Server name that operator-made certificates of pod VMs must carry (cloud-api-adaptor `pkg/adaptor/proxy`). */
export const MANUAL_SERVER_NAME = "podvm-server";

/** What the relay needs to dial one pod VM; the fields of `peerctl.relay.v1.Tls`. */
export interface DialTls {
  readonly serverName: string;
  readonly credentials: TlsCredentials;
  readonly skipVerify: boolean;
  readonly profile: TlsProfile;
}

/** The part of apf.json that concerns TLS. */
export type ApfTls = Pick<
  ApfConfig,
  "tls-server-key" | "tls-server-cert" | "tls-client-ca" | "tls-min-version" | "tls-cipher-suites"
>;

export interface SandboxTls {
  /** For the worker's end; undefined when TLS is disabled. */
  readonly dial: DialTls | undefined;
  /** For the pod VM's end. */
  readonly apf: ApfTls;
}

export type AgentTlsMode = "automatic" | "manual" | "disabled";

export interface AgentTls {
  readonly mode: AgentTlsMode;
  /** Issues, or picks, what the two ends of one sandbox use. */
  forInstance(instanceName: string): Promise<SandboxTls>;
}

interface Policy {
  readonly profile: TlsProfile;
  /** The profile as the operator wrote it, for apf.json: nothing is sent that was not asked for. */
  readonly apfProfile: Pick<ApfTls, "tls-min-version" | "tls-cipher-suites">;
}

/** No TLS at all: for debugging only. */
export function createDisabledTls(): AgentTls {
  return { mode: "disabled", forInstance: () => Promise.resolve({ dial: undefined, apf: {} }) };
}

/** Every instance gets a certificate of its own, named after it, from a CA that lives in this process. */
export function createAutomaticAgentTls(
  options: Policy & { readonly authority: AutomaticTls; readonly skipVerify: boolean },
): AgentTls {
  const { authority, profile, apfProfile, skipVerify } = options;
  return {
    mode: "automatic",
    async forInstance(instanceName) {
      const server = await authority.issueServer(instanceName);
      return {
        dial: {
          serverName: instanceName,
          credentials: { ca: authority.ca.cert, cert: authority.client.cert, key: authority.client.key },
          skipVerify,
          profile,
        },
        apf: {
          "tls-server-key": server.key,
          "tls-server-cert": server.cert,
          "tls-client-ca": authority.client.cert,
          ...apfProfile,
        },
      };
    },
  };
}

/** The operator's own certificates: the pod VM image brings the other half, so apf.json carries no keys. */
export function createManualAgentTls(options: Policy & { readonly credentials: () => TlsCredentials }): AgentTls {
  const { credentials, profile, apfProfile } = options;
  return {
    mode: "manual",
    forInstance: () =>
      Promise.resolve({
        dial: { serverName: MANUAL_SERVER_NAME, credentials: credentials(), skipVerify: false, profile },
        apf: { ...apfProfile },
      }),
  };
}
