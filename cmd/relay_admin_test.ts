// SPDX-License-Identifier: Apache-2.0
/** `peerctl relay list` and `peerctl relay drain`. */

import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { takeRelaySlot } from "../lib/agent/relay_slot.ts";
import { listenUnix } from "../lib/net/unix_socket.ts";
import { Relay } from "../lib/proto/gen/relay_pb.ts";
import { runPeerctl } from "../lib/testing/peerctl.ts";
import { withPools } from "../lib/testing/relay_pools.ts";
import { createTtrpcServer } from "../lib/ttrpc/server.ts";
import { implementService } from "../lib/ttrpc/typed.ts";

const never = new AbortController().signal;

Deno.test("relay list and relay drain say so when no relay runs", async () => {
  await withPools(async ({ dir, start }) => {
    const nothing = { code: 0, stdout: `no relay runs in ${dir}\n`, stderr: "" };
    assert.deepEqual(await runPeerctl(["relay", "list", "-dir", dir]), nothing);
    assert.deepEqual(await runPeerctl(["relay", "drain", "-dir", dir]), nothing);
    const json = await runPeerctl(["relay", "list", "-dir", dir, "--output", "json"]);
    assert.deepEqual([json.code, JSON.parse(json.stdout)], [0, { dir, relays: [], errors: [] }]);
    // One that has ended leaves its folder behind.
    await (await start("0")).stop();
    assert.deepEqual(await runPeerctl(["relay", "list", "-dir", dir]), nothing);
    const one = await runPeerctl(["relay", "drain", "-dir", dir, "-slot", "7"]);
    assert.deepEqual(one, { ...nothing, stdout: `no relay runs in slot 7 of ${dir}\n` });
  });
});

Deno.test("relay list shows relays with their sandboxes, relay drain has one or all of them end", async () => {
  await withPools(async ({ dir, start, pool, sandbox, guest }) => {
    const first = await start("0", { build: "1.2.3+abc" });
    const relays = pool({ mode: "wait" });
    await relays.open({ ...sandbox("s1"), labels: { pod: "web", namespace: "shop" } }, never);
    await relays.open({ ...sandbox("s2"), labels: { pod: "db", namespace: "shop" } }, never);
    const second = await start("1", { build: "1.2.3+def", stay: true });
    const { code, stdout } = await runPeerctl(["relay", "list", "-dir", dir, "--output", "json"]);
    assert.equal(code, 0);
    const listed = JSON.parse(stdout);
    const [{ ageMs }] = listed.relays[0].sandboxes;
    assert.ok(ageMs >= 0 && ageMs < 60_000, `${ageMs}`);
    for (const one of listed.relays[0].sandboxes) one.ageMs = 0;
    const open = { namespace: "shop", state: "open", ageMs: 0, connections: 0, peer: `${guest.host}:${guest.port}` };
    const relay = { pid: Deno.pid, state: "serving" };
    assert.deepEqual(listed, {
      dir,
      relays: [
        {
          ...relay,
          slot: "0",
          stay: false,
          build: "1.2.3+abc",
          sandboxes: [{ ...open, id: "s1", pod: "web" }, { ...open, id: "s2", pod: "db" }],
        },
        { ...relay, slot: "1", stay: true, build: "1.2.3+def", sandboxes: [] },
      ],
      errors: [],
    });

    const drained = await runPeerctl(["relay", "drain", "-dir", dir, "-slot", "0"]);
    assert.deepEqual(drained, { code: 0, stdout: "relay 0 drains: it ends with its 2 sandboxes\n", stderr: "" });
    const table = (await runPeerctl(["relay", "list", "-dir", dir])).stdout;
    assert.match(
      table,
      /^SLOT {2}PID +BUILD +STATE +STAYS {2}SANDBOXES\n0 +\d+ +1\.2\.3\+abc {2}draining {2}no +2\n1 /,
    );
    assert.match(
      table,
      /\nSANDBOX {2}SLOT {2}POD +STATE {2}AGE {2}CONNECTIONS {2}PEER\ns1 +0 +shop\/web {2}open +\d+s/,
    );
    await relays.close("s1");
    await relays.close("s2");
    await first.closed;

    const rest = await runPeerctl(["relay", "drain", "-dir", dir, "--output", "json"]);
    assert.deepEqual(JSON.parse(rest.stdout), { dir, relays: [{ slot: "1", sandboxes: 0 }], errors: [] });
    await second.closed;
  });
});

Deno.test("relay list and relay drain name a relay that cannot be asked, serve the others and end with 1", async () => {
  await withPools(async ({ dir, start }) => {
    await start("1", { stay: true });
    using slot = await takeRelaySlot(dir, "0");
    const hello = () => Promise.resolve({ protocol: 99, build: "future" });
    const services = new Map([implementService(Relay, { hello })]);
    const server = createTtrpcServer({ services, log: getLogger(["peerctl", "test"]) });
    const listener = await listenUnix({
      path: slot.paths.controlSocket,
      onConnection: (socket) => server.serve(socket),
    });
    try {
      const refusal = /^peerctl relay (list|drain): error: Cannot use relay 0: it speaks control protocol 99/;
      const list = await runPeerctl(["relay", "list", "-dir", dir]);
      assert.equal(list.code, 1);
      assert.match(list.stderr, refusal);
      assert.match(list.stdout, /^SLOT.*\n1 .*\n$/);
      const drain = await runPeerctl(["relay", "drain", "-dir", dir]);
      assert.deepEqual([drain.code, drain.stdout], [1, "relay 1 drains: it ends now\n"]);
      assert.match(drain.stderr, refusal);
      const json = await runPeerctl(["relay", "drain", "-dir", dir, "--output", "json"]);
      assert.deepEqual([json.code, json.stderr, JSON.parse(json.stdout).errors[0].slot], [1, "", "0"]);
    } finally {
      server.close();
      await listener.close();
    }
  });
});

Deno.test("relay drain refuses a slot that is none, relay list an argument, with exit 2", async () => {
  const drain = await runPeerctl(["relay", "drain", "-slot", "../x"]);
  assert.deepEqual([drain.code, drain.stdout], [2, ""]);
  assert.match(drain.stderr, /Cannot use --slot "\.\.\/x": must be a number from 0 to 999, or all/);
  assert.equal((await runPeerctl(["relay", "list", "0"])).code, 2);
});
