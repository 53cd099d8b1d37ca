// SPDX-License-Identifier: Apache-2.0
/** A reader that stops: relay and apf keep little, stop their sender, and lose nothing. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { requirePeer } from "../peers.ts";
import { withTempDir } from "../temp_dir.ts";
import { makeCertificates, startPeerctlHops } from "./agent_path.ts";
import { startBenchAgent, startLoad } from "./load.ts";
import { type Direction, measureStop } from "./slow_reader.ts";

/** How long the reader stops, in seconds; `deno task bench slow-reader --seconds 60` stops it for a minute. */
const SECONDS = 2;

/** What one hop may keep, in bytes. */
const LIMIT_BYTES = 1 << 20;

const stop = (running: { stop(): Promise<void> }) => running.stop();

for (const direction of ["replies", "requests"] satisfies Direction[]) {
  Deno.test({
    name: `relay and apf keep at most 1 MiB each while ${direction} are not read, and then lose nothing`,
    ignore: requirePeer("go").ignore || requirePeer("ss").ignore,
    fn: () =>
      withTempDir(async (dir) => {
        await using stack = new AsyncDisposableStack();
        const agentSocket = join(dir, "agent.sock");
        const agent = stack.adopt(await startBenchAgent(agentSocket), stop);
        const certificates = await makeCertificates(dir);
        const hops = stack.adopt(await startPeerctlHops({ dir, agentSocket, certificates }), stop);
        const load = stack.adopt(await startLoad(), stop);
        await load.dial(hops.socket);
        const { worker, guest, kernelBytes, measured } = await measureStop({
          hops,
          load,
          agent,
          direction,
          seconds: SECONDS,
        });
        assert.ok(worker.bytes <= LIMIT_BYTES, `relay kept ${worker.bytes} bytes`);
        assert.ok(guest.bytes <= LIMIT_BYTES, `apf kept ${guest.bytes} bytes`);
        // What is measured is what a stop does: both hops are full, and most was never sent.
        assert.ok(worker.bytes > 0 && guest.bytes > 0, `relay kept ${worker.bytes} bytes, apf ${guest.bytes}`);
        assert.ok(kernelBytes < measured.bytes / 2, `${kernelBytes} of ${measured.bytes} bytes lie in the kernel`);
      }),
  });
}
