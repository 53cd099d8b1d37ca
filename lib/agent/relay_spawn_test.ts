// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { join } from "node:path";
import { getLogger } from "@logtape/logtape";
import { withTempDir } from "../testing/temp_dir.ts";
import { takeRelaySlot } from "./relay_slot.ts";
import { createRelayStarter, type RelayStarterOptions } from "./relay_spawn.ts";
import { currentUnit, relayUnitName } from "./relay_unit.ts";

const log = getLogger(["peerctl", "test"]);

interface Setup {
  readonly dir: string;
  readonly options: RelayStarterOptions;
  /** Puts a `systemd-run` on the PATH that ends with `code` after it wrote its arguments, one a line, and environment. */
  fakeSystemdRun(code: number): Promise<void>;
  /** What it wrote; undefined if it was not called. */
  systemdRunCall(): { args: string[]; env: string[] } | undefined;
  /** Resolves with the arguments of the relay that was started as a process, once that has ended. */
  relayCall(): Promise<string[]>;
}

/** Starters inside a made-up unit, whose "peerctl" writes down what it was started with. */
async function withStarter(body: (setup: Setup) => Promise<void>): Promise<void> {
  await withTempDir(async (parent) => {
    const bin = join(parent, "bin");
    await Deno.mkdir(bin);
    const dir = join(parent, "relay");
    const [called, spawned, cgroupFile] = [join(parent, "called"), join(parent, "spawned"), join(parent, "cgroup")];
    let ended = Promise.withResolvers<Deno.CommandStatus>();
    const peerctl = join(bin, "peerctl");
    await writeProgram(peerctl, `printf '%s\\n' "$@" >${spawned}`);
    await Deno.writeTextFile(cgroupFile, "0::/system.slice/cloud-api-adaptor.service\n");
    const read = (path: string) => {
      try {
        return Deno.readTextFileSync(path).trimEnd().split("\n");
      } catch {
        return undefined;
      }
    };
    await body({
      dir,
      options: {
        dir,
        mode: "auto",
        selfCommand: [peerctl, "-x"],
        flags: ["-log-level", "debug"],
        // Nothing else on the PATH: this machine may have a systemd-run.
        env: { PATH: bin, INVOCATION_ID: "0123", AZURE_CLIENT_SECRET: "s3cret", LANG: "C" },
        log,
        cgroupFile,
        onEnd: (_, status) => ended.resolve(status),
      },
      fakeSystemdRun: (code) =>
        writeProgram(
          join(bin, "systemd-run"),
          `printf '%s\\n' "$@" >${called}; /usr/bin/env >${called}.env; echo "Failed to connect to bus" >&2; exit ${code}`,
        ),
      systemdRunCall() {
        const args = read(called);
        return args && { args, env: read(`${called}.env`) ?? [] };
      },
      async relayCall() {
        // What was started does not keep this process alive; here something has to.
        const awake = setInterval(() => {}, 1_000);
        try {
          assert.equal((await ended.promise).code, 0);
        } finally {
          clearInterval(awake);
        }
        ended = Promise.withResolvers();
        return read(spawned) ?? [];
      },
    });
  });
}

Deno.test("currentUnit() knows a service of systemd and nothing else", async () => {
  await withTempDir(async (dir) => {
    const file = join(dir, "cgroup");
    const env = { INVOCATION_ID: "0123" };
    const cases: [string, string | undefined][] = [
      ["0::/system.slice/caa.service\n", "caa.service"],
      ["12:pids:/x\n1:name=systemd:/system.slice/caa.service\n0::/\n", "caa.service"],
      ["0::/user.slice/user-0.slice/session-1.scope\n", undefined],
      ["0::/system.slice/docker.service/container\n", undefined],
      ["0::/\n", undefined],
      ["4:memory:/a.service\n", undefined],
      ["", undefined],
    ];
    for (const [text, unit] of cases) {
      await Deno.writeTextFile(file, text);
      assert.equal(await currentUnit(env, file), unit, text);
    }
    await Deno.writeTextFile(file, "0::/system.slice/caa.service\n");
    assert.equal(await currentUnit({}, file), undefined);
    assert.equal(await currentUnit(env, join(dir, "none")), undefined);
  });
});

Deno.test("relayUnitName() differs by directory and slot", () => {
  const names = [["/a", "0"], ["/a", "1"], ["/b", "0"]].map(([dir = "", slot = ""]) => relayUnitName(dir, slot));
  assert.equal(new Set(names).size, 3);
  for (const name of names) assert.match(name, /^peerctl-relay-[0-9a-f]{8}-\d$/);
});

Deno.test("start() in a unit has systemd start one of its own, with a clean environment", async () => {
  await withStarter(async ({ options, dir, fakeSystemdRun, systemdRunCall }) => {
    await fakeSystemdRun(0);
    const starter = createRelayStarter(options);
    await starter.start("2");
    const call = systemdRunCall();
    assert.ok(call);
    const after = call.args.slice(call.args.indexOf("--") + 1);
    assert.deepEqual(after, [...options.selfCommand, "relay", "-dir", dir, "-slot", "2", "-log-level", "debug"]);
    assert.ok(call.args.includes("--collect"));
    assert.ok(call.args.includes(`--unit=${relayUnitName(dir, "2")}`));
    assert.ok(call.args.includes("--setenv=LANG=C"));
    assert.doesNotMatch([...call.args, ...call.env].join("\n"), /s3cret|INVOCATION_ID/);
    assert.deepEqual(starter.warnings(), []);
  });
});

Deno.test("start() in a unit without systemd-run starts a process, and warns", async () => {
  await withStarter(async ({ options, dir, fakeSystemdRun, relayCall }) => {
    for (const isThere of [false, true]) {
      if (isThere) await fakeSystemdRun(1);
      const starter = createRelayStarter(options);
      await starter.start("0");
      assert.deepEqual(await relayCall(), ["-x", "relay", "-dir", dir, "-slot", "0", "-log-level", "debug"]);
      const [warning, ...more] = starter.warnings();
      assert.match(warning ?? "", /cloud-api-adaptor\.service.*pods end too/);
      assert.match(warning ?? "", isThere ? /Failed to connect to bus/ : /systemd-run/);
      assert.deepEqual(more, []);
    }
  });
});

Deno.test("start() does not warn when systemd-run fails because another caa was first", async () => {
  await withStarter(async ({ options, dir, fakeSystemdRun }) => {
    await fakeSystemdRun(1);
    using _taken = await takeRelaySlot(dir, "0");
    const starter = createRelayStarter({ ...options, selfCommand: ["/nonexistent"] });
    await starter.start("0");
    assert.deepEqual(starter.warnings(), []);
  });
});

Deno.test("start() with mode spawn never asks systemd, and warns in a unit and in a container", async () => {
  await withStarter(async ({ options, fakeSystemdRun, systemdRunCall, relayCall }) => {
    await fakeSystemdRun(0);
    const inUnit = createRelayStarter({ ...options, mode: "spawn" });
    await inUnit.start("0");
    await relayCall();
    assert.equal(systemdRunCall(), undefined);
    assert.match(inUnit.warnings().join(), /-relay spawn was asked for/);
    const env = { PATH: options.env["PATH"], KUBERNETES_SERVICE_HOST: "10.0.0.1" };
    const inContainer = createRelayStarter({ ...options, mode: "spawn", env });
    await inContainer.start("0");
    await relayCall();
    assert.match(inContainer.warnings().join(), /DaemonSet/);
    const outside = createRelayStarter({ ...options, mode: "spawn", env: { PATH: options.env["PATH"] } });
    await outside.start("0");
    await relayCall();
    assert.deepEqual(outside.warnings(), []);
  });
});

Deno.test("start() says when the program is not there", async () => {
  await withStarter(async ({ options }) => {
    const starter = createRelayStarter({ ...options, mode: "spawn", selfCommand: ["/nonexistent/peerctl"] });
    await assert.rejects(starter.start("0"), { kind: "config", message: /Cannot start "\/nonexistent/ });
  });
});

async function writeProgram(path: string, body: string): Promise<void> {
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`);
  await Deno.chmod(path, 0o700);
}
