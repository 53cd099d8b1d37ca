// SPDX-License-Identifier: Apache-2.0
/** The one way to @peculiar/x509: with the polyfill that it refuses to load without, in the one order that a bundler keeps. */

import "reflect-metadata";
export * from "@peculiar/x509";
