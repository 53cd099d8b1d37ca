// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import * as https from "node:https";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { withKubeletProxy } from "../testing/kubelet_proxy.ts";
import { recordLog } from "../testing/recorded_log.ts";
import { withTempDir } from "../testing/temp_dir.ts";
import { openPolicySource } from "./policy_source.ts";

const SWAPS = 1_000;
const CLIENTS = 4;

/**
 * Each policy denies with two reasons that bear its number, from two files: a request judged by parts of two would show
 * two numbers, or one reason only.
 */
function writePolicy(dir: string, n: number): void {
  for (const name of ["a", "b"]) {
    const text = `package kubelet.policy\nimport rego.v1\ndeny contains "${name}${n}" if input.action == "exec"\n`;
    Deno.writeTextFileSync(join(dir, `${name}.rego`), text);
  }
}

Deno.test("1,000 policies are exchanged under load: no request is judged by half a policy, and none fails", async () => {
  await withTempDir(async (dir) => {
    writePolicy(dir, 0);
    const source = openPolicySource({
      path: dir,
      query: "data.kubelet.policy.deny",
      fallback: "allow",
      log: recordLog().log,
    });
    await withKubeletProxy({ judge: source.judge }, async (bed) => {
      const agent = new https.Agent({ keepAlive: true, maxSockets: CLIENTS });
      const options = await bed.clientOptions() as https.RequestOptions;
      const send = async (path: string) => {
        const request = https.request({ ...options, path, agent });
        request.end();
        const [response] = await once(request, "response") as [IncomingMessage];
        let body = "";
        for await (const chunk of response) body += chunk;
        return { status: response.statusCode, body };
      };
      let isSwapping = true;
      let denied = 0, passed = 0;
      const numbers = new Set<string>();
      const client = async () => {
        while (isSwapping) {
          const exec = await send("/exec/ns/p/c");
          assert.equal(exec.status, 403);
          const reasons = /^Denied by policy: a(\d+); b(\d+)\n$/.exec(exec.body);
          assert.ok(reasons, exec.body);
          assert.equal(reasons[1], reasons[2]);
          numbers.add(reasons[1]!);
          denied++;
          const logs = await send("/containerLogs/ns/p/c");
          assert.deepEqual(logs, { status: 200, body: "GET /containerLogs/ns/p/c" });
          passed++;
        }
      };
      const clients = Array.from({ length: CLIENTS }, client);
      for (let n = 1; n <= SWAPS; n++) {
        writePolicy(dir, n);
        source.reload();
        // Requests get their turn between two policies.
        const before = denied + passed;
        while (denied + passed === before) await new Promise((resolve) => setImmediate(resolve));
      }
      const last = await send("/exec/ns/p/c");
      isSwapping = false;
      await Promise.all(clients);
      agent.destroy();
      assert.equal(last.body, `Denied by policy: a${SWAPS}; b${SWAPS}\n`);
      assert.ok(
        denied >= CLIENTS && passed >= CLIENTS && numbers.size > 10,
        `${denied} requests, ${numbers.size} policies`,
      );
    });
  });
});
