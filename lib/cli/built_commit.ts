// SPDX-License-Identifier: Apache-2.0
/** The commit that peerctl was built from. In a checkout there is none; lib/build/bundle.ts puts its own in place of this file. */

export const BUILT_COMMIT: string | undefined = undefined;
