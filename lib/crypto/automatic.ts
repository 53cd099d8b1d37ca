// SPDX-License-Identifier: Apache-2.0
/** The certificate authority that a worker keeps in memory for automatic mutual TLS. */

export interface AutomaticTls {
  readonly ca: { readonly cert: string };
  readonly client: { readonly cert: string; readonly key: string };
  issueServer(instanceName: string): Promise<{ cert: string; key: string }>;
}
export function createAutomaticTls(): Promise<AutomaticTls> {
  throw new Error("not written yet");
}
