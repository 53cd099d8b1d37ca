// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { getLogger } from "@logtape/logtape";
import { goldenFrame } from "../testing/golden_frames.ts";
import { withSocketPair } from "../testing/socket_pair.ts";
import { spliceTtrpc } from "../ttrpc/splice.ts";
import { createGuestRewriters } from "./guest_rewrite.ts";

const log = getLogger(["test"]);

Deno.test("the guest rewriters turn F16 and F17 into their golden frames on a spliced connection", () =>
  withSocketPair((shim, client) =>
    withSocketPair(async (server, agent) => {
      const rewriters = createGuestRewriters({ networkNamespacePath: "/run/netns/podns", log });
      const splice = spliceTtrpc({ client, server, rewriters, log });
      const expected = [goldenFrame("F16-out"), goldenFrame("F17-out")];
      const length = expected.reduce((sum, frame) => sum + frame.length, 0);
      shim.write(goldenFrame("F16-in"));
      shim.write(goldenFrame("F17-in"));
      const received: Uint8Array[] = [];
      for await (const chunk of agent) {
        received.push(chunk);
        if (received.reduce((sum, part) => sum + part.length, 0) >= length) break;
      }
      assert.deepEqual(
        received.map((part) => part.toHex()).join(""),
        expected.map((frame) => frame.toHex()).join(""),
      );
      splice.destroy();
      await splice.closed;
    })
  ));
