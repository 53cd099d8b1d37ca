// SPDX-License-Identifier: Apache-2.0
/** Certificates of automatic mutual TLS for one test. */

import { type AutomaticTls, generateAutomaticTlsKeys, openAutomaticTls } from "../crypto/automatic.ts";

/** Makes a new CA and a new client certificate, and issues with them; nothing is kept. */
export async function createAutomaticTls(): Promise<AutomaticTls> {
  return await openAutomaticTls(await generateAutomaticTlsKeys());
}
