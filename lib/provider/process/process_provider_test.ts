// SPDX-License-Identifier: Apache-2.0
import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import assert from "node:assert/strict";
import { encodeCloudConfig } from "../../guest/user_data.ts";
import { withTempDir } from "../../testing/temp_dir.ts";
import type { CreateRequest, Provider } from "../provider.ts";
import { launch } from "./launch.ts";
import { findMarked, isRunning, type Marker } from "./process_identity.ts";
import { createProcessProvider, type ProcessProviderOptions } from "./process_provider.ts";
import { readRecord, type VmRecord, writeRecord } from "./vm_record.ts";

const log = getLogger(["peerctl", "test"]);
const env = { PATH: "/usr/bin:/bin", AWS_SECRET_ACCESS_KEY: "secret" };
const never = new AbortController().signal;

/** Plays peerctl: writes its arguments down, listens, runs on; a file "fail-apf" makes apf fail, after a while. */
const LISTEN =
  'const [hostname, port] = Deno.args[0].split(":"); Deno.listen({ hostname, port }); setInterval(() => {}, 1e9)';
const SELF = `
echo "$@" > "$PWD/$1.args"
case "$1" in
  stand-in-agent)
    touch "$3"
    setsid sh -c 'sleep 1000 & exec sleep 1000' &
    exec sleep 1000 ;;
  apf)
    if [ -e ../../fail-apf ]; then sleep 0.1; echo "apf: error: no such luck" > "$PWD/forwarder.log"; exit 9; fi
    exec "${Deno.execPath()}" eval '${LISTEN}' "$5" ;;
esac
`;

const request = (o: Partial<CreateRequest> = {}): CreateRequest => ({
  sandboxId: "s1",
  podName: "pod",
  podNamespace: "default",
  instanceName: "podvm-pod-s1",
  userData: encodeCloudConfig([
    { path: "/run/peerpod/apf.json", content: '{"pod-name":"pod"}' },
    { path: "/run/peerpod/initdata", content: "xyz" },
  ]),
  spec: { instanceType: "", vcpus: 0, memoryMiB: 0, gpus: 0, image: "" },
  idempotencyKey: "key-1",
  ...o,
});

interface Stage {
  /** A folder around that of the provider. */
  readonly dir: string;
  readonly stateDir: string;
  readonly provider: Provider;
  /** Another provider on the same folder, as after a restart of caa. */
  make(o?: Partial<ProcessProviderOptions>): Provider;
  recordOf(id: string): Promise<VmRecord>;
}

async function withProvider(body: (stage: Stage) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const stateDir = `${dir}/.process`;
    using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const make = (o: Partial<ProcessProviderOptions> = {}) =>
      createProcessProvider({
        stateDir,
        installationId: "install-1",
        nodeName: "node-1",
        selfCommand: ["/bin/sh", "-c", SELF, "peerctl"],
        agentCommand: [],
        forwarderFlags: ["-disable-tls"],
        forwarderPort: free.addr.port,
        env,
        log,
        ...o,
      });
    const provider = make();
    try {
      await body({
        dir,
        stateDir,
        provider,
        make,
        async recordOf(id) {
          const record = await readRecord(`${stateDir}/${id}`);
          assert.ok(record);
          return record;
        },
      });
    } finally {
      for (const { id } of await provider.list(never)) await provider.delete(id, never);
    }
  });
}

const markerOf = (record: VmRecord): Marker => `PEERCTL_VM=${record.marker}`;
const modeOf = async (path: string) => ((await Deno.stat(path)).mode ?? 0) & 0o777;

Deno.test("create() fills a private folder, starts agent and forwarder and remembers them", async () => {
  await withProvider(async ({ stateDir, provider, recordOf }) => {
    const instance = await provider.create(request(), never);
    const folder = `${stateDir}/${instance.id}`;
    assert.deepEqual({ ...instance, addresses: [] }, {
      id: instance.id,
      name: "podvm-pod-s1",
      addresses: [],
      sandboxId: "s1",
      running: true,
    });
    const [address] = instance.addresses;
    assert.match(address ?? "", /^127\.\d+\.\d+\.\d+$/);
    assert.equal(await modeOf(stateDir), 0o700);
    assert.equal(await modeOf(folder), 0o700);
    for (const name of ["user-data", "apf.json", "initdata", "instance.json"]) {
      assert.equal(await modeOf(`${folder}/${name}`), 0o600, name);
    }
    assert.equal(await Deno.readTextFile(`${folder}/apf.json`), '{"pod-name":"pod"}');
    const record = await recordOf(instance.id);
    assert.deepEqual(record.processes.map(({ role }) => role), ["agent", "forwarder"]);
    assert.equal((await findMarked(markerOf(record))).length, 4);
    const environment = await Deno.readTextFile(`/proc/${record.processes[1]?.pid}/environ`);
    assert.doesNotMatch(environment, /secret/);
    assert.match(
      await Deno.readTextFile(`${folder}/stand-in-agent.args`),
      new RegExp(
        `^stand-in-agent -listen ${folder}/agent.sock -dir ${folder}/agent -log-file ${folder}/agent.log$`,
        "m",
      ),
    );
    const apf = await Deno.readTextFile(`${folder}/apf.args`);
    assert.match(apf, new RegExp(`^apf -config ${folder}/apf.json -listen ${address}:\\d+ -kata-agent-socket `));
    assert.match(apf, / -log-file \S+\/forwarder.log -disable-tls$/m);
    assert.deepEqual(await provider.find("s1", never), [instance]);
    assert.deepEqual(await provider.find("s2", never), []);
    await provider.delete(instance.id, never);
    assert.deepEqual(await findMarked(markerOf(record)), []);
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
    assert.deepEqual(await provider.list(never), []);
    await provider.delete(instance.id, never);
  });
});

Deno.test("create() with the same key gives the same pod VM, also to a caa that was started again", async () => {
  await withProvider(async ({ provider, make, recordOf }) => {
    const [first, second] = await Promise.all([provider.create(request(), never), provider.create(request(), never)]);
    assert.deepEqual(second, first);
    const before = await recordOf(first.id);
    assert.deepEqual(await make().create(request(), never), first);
    assert.deepEqual(await recordOf(first.id), before);
    const other = await provider.create(request({ sandboxId: "s2", idempotencyKey: "key-2" }), never);
    assert.notEqual(other.addresses[0], first.addresses[0]);
    assert.equal((await provider.list(never)).length, 2);
    await assert.rejects(provider.create(request({ sandboxId: "s3" }), never), { kind: "state" });
  });
});

Deno.test("create() starts a pod VM again whose processes are gone, and ends what they left", async () => {
  await withProvider(async ({ provider, recordOf }) => {
    const { id } = await provider.create(request(), never);
    const before = await recordOf(id);
    for (const { pid } of before.processes) Deno.kill(pid, "SIGKILL");
    while ((await findMarked(markerOf(before))).length > 2) { /* every scan is a turn of the loop */ }
    assert.equal((await provider.find("s1", never))[0]?.running, false);
    assert.equal((await provider.create(request(), never)).id, id);
    assert.notEqual((await recordOf(id)).marker, before.marker);
    assert.deepEqual(await findMarked(markerOf(before)), []);
    assert.equal((await provider.find("s1", never))[0]?.running, true);
  });
});

Deno.test("create() that fails or is aborted leaves nothing", async () => {
  await withProvider(async ({ stateDir, provider, make }) => {
    const none = async (wish: Promise<unknown>, error: object) => {
      await assert.rejects(wish, error);
      assert.deepEqual(Array.from(Deno.readDirSync(stateDir)), []);
    };
    await none(provider.create(request({ userData: "#cloud-config\nruncmd: [x]\n" }), never), { kind: "config" });
    await none(make({ agentCommand: ["/nonexistent", "{socket}"] }).create(request(), never), { kind: "config" });
    await none(make({ agentCommand: ["sh", "-c", "exit 5", "{socket}"] }).create(request(), never), {
      message: /its agent ended with exit code 5/,
    });
    const wiping = ["sh", "-c", 'exec env -i /bin/sh -c "touch $0; exec sleep 1000"', "{socket}"];
    await none(make({ agentCommand: wiping }).create(request(), never), { message: /its agent dropped PEERCTL_VM/ });
    const abort = new AbortController();
    const waiting = make({ agentCommand: ["sleep", "1000", "{socket}"] });
    using watcher = Deno.watchFs(stateDir);
    const creating = none(waiting.create(request({ idempotencyKey: "key-9" }), abort.signal), /pod is gone/);
    for await (const { paths } of watcher) if (paths.some((path) => path.endsWith("apf.args"))) break;
    abort.abort(new Error("pod is gone"));
    await creating;
  });
});

Deno.test("create() tells the last words of a forwarder that ended at once", async () => {
  await withProvider(async ({ dir, make }) => {
    await Deno.writeTextFile(`${dir}/fail-apf`, "");
    const provider = make();
    await assert.rejects(provider.create(request(), never), {
      message: /its forwarder ended with exit code 9/,
      hint: /no such luck/,
    });
  });
});

Deno.test("delete() spares a process that got a recorded pid, and a process of another installation", async () => {
  await withProvider(async ({ stateDir, provider, make, recordOf }) => {
    const foreign = make({ installationId: "install-2" });
    const other = await foreign.create(request(), never);
    const { id } = await provider.create(request(), never);
    assert.notEqual(id, other.id);
    const bystander = launch(["sleep", "1000"], {
      env,
      marker: "PEERCTL_VM=00000000000000000000000000000000",
      cwd: "/",
    });
    const record = await recordOf(id);
    const [agent] = record.processes;
    assert.ok(agent);
    await writeRecord(`${stateDir}/${id}`, {
      ...record,
      processes: [...record.processes, { ...agent, ...bystander.identity }, { ...agent, pid: Deno.pid }],
    });
    await assert.rejects(provider.delete(other.id, never), { kind: "state", message: /another installation/ });
    await assert.rejects(make({ nodeName: "node-2" }).delete(id, never), { kind: "state" });
    assert.deepEqual((await provider.list(never)).map((one) => one.id), [id]);
    await provider.delete(id, never);
    assert.equal(isRunning(bystander.identity), true);
    assert.equal((await foreign.find("s1", never))[0]?.running, true);
    await foreign.delete(other.id, never);
    Deno.kill(bystander.identity.pid, "SIGKILL");
    await bystander.reap();
  });
});

Deno.test("delete() only removes the folder when the machine has booted since", async () => {
  await withProvider(async ({ stateDir, provider, make, recordOf }) => {
    const { id } = await provider.create(request(), never);
    const record = await recordOf(id);
    await writeRecord(`${stateDir}/${id}`, { ...record, bootId: "another boot" });
    const restarted = make();
    assert.equal((await restarted.find("s1", never))[0]?.running, false);
    await restarted.delete(id, never);
    assert.equal((await findMarked(markerOf(record))).length, 4, "nothing was signalled");
    await Deno.mkdir(`${stateDir}/${id}`);
    await writeRecord(`${stateDir}/${id}`, record);
    await provider.delete(id, never);
  });
});

Deno.test("delete() finds nothing behind ids that are not its own", async () => {
  await withProvider(async ({ dir, provider }) => {
    await provider.create(request(), never);
    await Deno.mkdir(`${dir}/precious`);
    for (const id of ["", "../precious", "vm-0123456789abcdef", "/", "vm-../../precious"]) {
      await provider.delete(id, never);
    }
    assert.ok(await Deno.stat(`${dir}/precious`));
  });
});

Deno.test("list() removes the folder of a pod VM of which nothing was written down, and none that is being made", async () => {
  await withProvider(async ({ stateDir, provider, make }) => {
    await Deno.mkdir(`${stateDir}/vm-0123456789abcdef`, { recursive: true });
    await Deno.writeTextFile(`${stateDir}/vm-0123456789abcdef/instance.json.1.tmp`, "{");
    await Deno.mkdir(`${stateDir}/other`);
    assert.deepEqual(await make().list(never), []);
    assert.deepEqual([...Deno.readDirSync(stateDir)].map(({ name }) => name), ["other"]);
    const created = provider.create(request(), never);
    let isCreated = false;
    const ended = created.finally(() => isCreated = true);
    while (!isCreated) await provider.list(never);
    await ended;
    assert.equal((await provider.list(never)).length, 1);
  });
});

Deno.test("list() warns of a record it cannot read and goes on; delete() leaves it", async () => {
  const records: LogRecord[] = [];
  configureSync({
    sinks: { keep: (record) => records.push(record) },
    loggers: [{ category: "peerctl", sinks: ["keep"] }, { category: ["logtape", "meta"], lowestLevel: "error" }],
  });
  try {
    await withProvider(async ({ stateDir, provider }) => {
      const { id } = await provider.create(request(), never);
      const broken = `${stateDir}/vm-00000000000000ff`;
      await Deno.mkdir(broken);
      await Deno.writeTextFile(`${broken}/instance.json`, "{");
      assert.deepEqual((await provider.list(never)).map((one) => one.id), [id]);
      assert.ok(
        records.some(({ level, rawMessage }) => level === "warning" && `${rawMessage}`.includes("cannot be read")),
      );
      await assert.rejects(provider.delete("vm-00000000000000ff", never), { kind: "state" });
      await Deno.remove(broken, { recursive: true });
      assert.doesNotMatch(JSON.stringify(records.map((record) => record.properties)), /cloud-config|PEERCTL_VM/);
    });
  } finally {
    resetSync();
  }
});

Deno.test("verifyConfig() reports all that is wrong together", async () => {
  await withProvider(async ({ provider, make }) => {
    await provider.verifyConfig();
    await assert.rejects(make({ agentCommand: ["/nonexistent/agent", "{socket}"] }).verifyConfig(), {
      kind: "config",
      message: /Cannot run "\/nonexistent\/agent"/,
    });
    const two = make({ agentCommand: ["/nonexistent/agent"], selfCommand: ["/nonexistent/peerctl"] });
    await assert.rejects(two.verifyConfig(), (error) => error instanceof AggregateError && error.errors.length === 2);
    await assert.rejects(make({ stateDir: `/tmp/${"x".repeat(100)}` }).verifyConfig(), { message: /107/ });
  });
});
