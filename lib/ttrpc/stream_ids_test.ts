// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import fc from "fast-check";
import { createStreamIds } from "./stream_ids.ts";

/** Ids of which 1, 3 and 7 went through and 5 was sent last. */
function overtaken() {
  const ids = createStreamIds(() => {});
  for (const id of [1, 3]) ids.send(id, ids.arrive(id));
  const inOrder = ids.arrive(5);
  ids.send(7, ids.arrive(7));
  assert.equal(ids.renumbered, false);
  assert.equal(ids.send(5, inOrder), 9);
  assert.equal(ids.renumbered, true);
  return ids;
}

Deno.test("send() passes every id unchanged as long as the order is kept", () => {
  const ids = createStreamIds(() => assert.fail("renumbered"));
  for (const id of [1, 3, 9, 11, 4_000_000_001]) {
    assert.equal(ids.send(id, ids.arrive(id)), id);
    assert.equal(ids.toClient(id), id);
    assert.equal(ids.toServer(id), id);
  }
});

Deno.test("send() lets the server judge what it can judge: even and used ids", () => {
  const ids = createStreamIds(() => assert.fail("renumbered"));
  ids.send(5, ids.arrive(5));
  for (const id of [5, 3, 0, 8]) {
    assert.equal(ids.arrive(id), false);
    assert.equal(ids.send(id, false), id);
  }
});

Deno.test("arrive() refuses an id that the server would take for a new one", () => {
  const ids = createStreamIds(() => {});
  ids.send(1, ids.arrive(1));
  ids.arrive(5);
  assert.throws(() => ids.arrive(5), { code: 3 });
  assert.throws(() => ids.arrive(3), { code: 3 });
});

Deno.test("send() gives an overtaken request the next free id and keeps those in flight", () => {
  const ids = overtaken();
  assert.deepEqual([ids.toClient(9), ids.toServer(5)], [5, 9]);
  for (const id of [1, 3, 7]) assert.deepEqual([ids.toClient(id), ids.toServer(id)], [id, id]);
  assert.equal(ids.send(9, ids.arrive(9)), 11);
  assert.deepEqual([ids.toClient(11), ids.toServer(9)], [9, 11]);
});

Deno.test("arrive() refuses even and used ids once renumbered", () => {
  const ids = overtaken();
  for (const id of [7, 5, 1, 2, 0]) assert.throws(() => ids.arrive(id), { code: 3 }, String(id));
  assert.equal(ids.arrive(9), true);
});

Deno.test("send() refuses an id that was out of order when the connection is renumbered by then", () => {
  const ids = createStreamIds(() => {});
  const first = ids.arrive(1);
  ids.send(3, ids.arrive(3));
  const used = ids.arrive(3);
  assert.equal(used, false);
  ids.send(1, first);
  assert.throws(() => ids.send(3, used), { code: 3 });
});

Deno.test("finish() makes both ids of a stream unknown", () => {
  const ids = overtaken();
  ids.finish(9);
  assert.equal(ids.toClient(9), undefined);
  assert.equal(ids.toServer(9), undefined, "or it would land on the client's next stream");
  assert.equal(ids.toServer(5), 5);
});

Deno.test("toClient() knows no id that was not given to the server", () => {
  const ids = overtaken();
  assert.equal(ids.toClient(11), undefined);
  assert.equal(ids.toClient(12), 12, "even ids are never given");
});

Deno.test("send() refuses when the server has no id left", () => {
  const ids = createStreamIds(() => {});
  const first = ids.arrive(1);
  ids.send(0xffff_fffd, ids.arrive(0xffff_fffd));
  assert.equal(ids.send(1, first), 0xffff_ffff);
  assert.throws(() => ids.send(0xffff_ffff, ids.arrive(0xffff_ffff)), { code: 8 });
});

Deno.test("send() never gives an id that does not grow, and every reply finds its request", () => {
  // Each number is how many later requests overtake this one.
  fc.assert(fc.property(fc.array(fc.nat({ max: 6 }), { maxLength: 40 }), (delays) => {
    const ids = createStreamIds(() => {});
    const waiting: { due: number; id: number; inOrder: boolean }[] = [];
    const sent = new Map<number, number>();
    let last = 0;
    const release = (now: number) => {
      for (const one of waiting.filter(({ due }) => due <= now)) {
        waiting.splice(waiting.indexOf(one), 1);
        const serverId = ids.send(one.id, one.inOrder);
        assert.ok(serverId > last && serverId % 2 === 1);
        last = serverId;
        sent.set(serverId, one.id);
      }
    };
    delays.forEach((delay, i) => {
      const id = 2 * i + 1;
      waiting.push({ due: i + delay, id, inOrder: ids.arrive(id) });
      release(i);
    });
    release(Infinity);
    assert.equal(sent.size, delays.length);
    for (const [serverId, id] of sent) assert.deepEqual([ids.toClient(serverId), ids.toServer(id)], [id, serverId]);
  }));
});
