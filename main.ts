#!/usr/bin/env -S deno run -A
// SPDX-License-Identifier: Apache-2.0
/** peerctl: starts the command that the command line, or the name it was called by, asks for. */

import { type CommandLoaders, runProgram } from "./lib/cli/program.ts";
import { createWriter, readStart } from "./lib/cli/start.ts";

const caa = () => import("./cmd/caa.ts");
const apf = () => import("./cmd/apf.ts");

/** Every command by every name it answers to. Each file is loaded only when it runs, or for the list in help. */
export const loaders: CommandLoaders = {
  caa,
  "cloud-api-adaptor": caa,
  relay: () => import("./cmd/relay.ts"),
  apf,
  "agent-protocol-forwarder": apf,
  "kubelet-proxy": () => import("./cmd/kubelet_proxy.ts"),
  certgen: () => import("./cmd/certgen.ts"),
  policy: () => import("./cmd/policy.ts"),
  demo: () => import("./cmd/demo.ts"),
  "stand-in-agent": () => import("./cmd/stand_in_agent.ts"),
  completion: () => import("./cmd/completion.ts"),
  version: () => import("./cmd/version.ts"),
};

if (import.meta.main) {
  const start = readStart({ names: Object.keys(loaders), mainUrl: import.meta.url });
  const code = await runProgram({
    ...start,
    loaders,
    args: Deno.args,
    stdout: createWriter(Deno.stdout),
    stderr: createWriter(Deno.stderr),
  });
  Deno.exit(code);
}
