// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import * as net from "node:net";
import { join } from "node:path";
import { withTempDir } from "../testing/temp_dir.ts";
import { checkSocketPath, dialUnix, listenUnix, MAX_SOCKET_PATH_BYTES } from "./unix_socket.ts";

const echo = (socket: net.Socket) => socket.pipe(socket);

async function ask(path: string, text: string): Promise<string> {
  const socket = await dialUnix(path);
  socket.end(text);
  const [data] = await once(socket, "data");
  await once(socket, "close");
  return String(data);
}

Deno.test("listenUnix() serves a socket of mode 0600 and leaves nothing beside it", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    const listener = await listenUnix({ path, onConnection: echo });
    const { mode, isSocket } = await Deno.lstat(path);
    assert.equal(mode! & 0o777, 0o600);
    assert.ok(isSocket);
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["a.sock"]);
    assert.equal(await ask(path, "hello"), "hello");
    await listener.close();
    assert.equal(existsSync(path), false);
    await listener.close();
  }));

Deno.test("listenUnix() clears away what a killed process left beside the path, and nothing else", () =>
  withTempDir(async (dir) => {
    await Deno.mkdir(join(dir, ".~left"));
    await leaveStaleSocket(join(dir, ".~left/s"));
    await Deno.mkdir(join(dir, ".~empty"));
    await Deno.mkdir(join(dir, ".~full"));
    await Deno.writeTextFile(join(dir, ".~full/file"), "");
    await Deno.mkdir(join(dir, ".other"));
    const listener = await listenUnix({ path: join(dir, "a.sock"), onConnection: echo });
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [".other", ".~full", "a.sock"]);
    await listener.close();
  }));

Deno.test("listenUnix() refuses a path where a live process listens, and does not disturb it", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    const first = await listenUnix({ path, onConnection: echo });
    await assert.rejects(listenUnix({ path, onConnection: echo }), {
      kind: "state",
      message: /another process listens there/,
    });
    assert.equal(await ask(path, "still here"), "still here");
    await first.close();
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("listenUnix() lets exactly one of many that start together have a stale socket's path", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    await leaveStaleSocket(path);
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => listenUnix({ path, onConnection: echo })),
    );
    const winners = results.filter((result) => result.status === "fulfilled");
    assert.equal(winners.length, 1);
    for (const result of results) if (result.status === "rejected") assert.equal(result.reason.kind, "state");
    assert.equal(await ask(path, "one"), "one");
    await winners[0]!.value.close();
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

Deno.test("listenUnix() lets exactly one of two processes have the path", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    await leaveStaleSocket(path);
    const script = `
      const { listenUnix } = await import(${JSON.stringify(new URL("./unix_socket.ts", import.meta.url).href)});
      try {
        const listener = await listenUnix({ path: Deno.args[0], onConnection: (socket) => socket.destroy() });
        console.log("listening");
        await Deno.stdin.read(new Uint8Array(1));
        await listener.close();
      } catch (error) {
        console.log(error.kind);
      }`;
    const start = () =>
      new Deno.Command(Deno.execPath(), {
        args: ["eval", script, path],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
    const children = [start(), start()];
    const outputs = children.map((child) => child.stdout.pipeThrough(new TextDecoderStream()).getReader());
    const words = await Promise.all(outputs.map(async (reader) => (await reader.read()).value?.trim()));
    assert.deepEqual(words.toSorted(), ["listening", "state"]);
    for (const child of children) await child.stdin.close().catch(() => {});
    for (const reader of outputs) while (!(await reader.read()).done);
    await Promise.all(children.map((child) => child.status));
    assert.equal(existsSync(path), false);
  }));

Deno.test("W20: close() leaves a socket alone that someone else put in its place", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    const first = await listenUnix({ path, onConnection: echo });
    await Deno.remove(path);
    const second = await listenUnix({ path, onConnection: echo });
    await first.close();
    assert.equal(await ask(path, "second"), "second");
    await second.close();
  }));

Deno.test("close() does not end the connections that it handed out", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    const listener = await listenUnix({ path, onConnection: echo });
    const socket = await dialUnix(path);
    socket.write("a");
    await once(socket, "data");
    await listener.close();
    socket.end("b");
    assert.equal(String((await once(socket, "data"))[0]), "b");
    await once(socket, "close");
  }));

Deno.test("listenUnix() stops when its signal aborts", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    const stop = new AbortController();
    const listener = await listenUnix({ path, onConnection: echo, signal: stop.signal });
    stop.abort();
    await listener.close();
    await assert.rejects(dialUnix(path), { kind: "peer", message: /there is no such socket/ });
    const stopped = await listenUnix({ path, onConnection: echo, signal: AbortSignal.abort() });
    assert.equal(existsSync(path), false);
    await stopped.close();
  }));

Deno.test("listenUnix() works up to the last byte of the limit and says what is wrong above it", () =>
  withTempDir(async (dir) => {
    for (const base of ["x".repeat(MAX_SOCKET_PATH_BYTES - dir.length - 1), "agent.ttrpc"]) {
      const parent = base === "agent.ttrpc" ? join(dir, "d".repeat(MAX_SOCKET_PATH_BYTES - dir.length - 13)) : dir;
      await Deno.mkdir(parent, { recursive: true });
      const path = join(parent, base);
      assert.equal(path.length, MAX_SOCKET_PATH_BYTES);
      const listener = await listenUnix({ path, onConnection: echo });
      assert.equal(await ask(path, "long"), "long");
      await listener.close();
    }
    const tooLong = join(dir, "é".repeat(60));
    await assert.rejects(listenUnix({ path: tooLong, onConnection: echo }), {
      kind: "config",
      message: /\d{3} bytes, a unix socket path has at most 107/,
    });
  }));

Deno.test("listenUnix() says when the directory is missing", () =>
  withTempDir((dir) =>
    assert.rejects(listenUnix({ path: join(dir, "no/a.sock"), onConnection: echo }), {
      kind: "config",
      message: /its directory does not exist/,
    })
  ));

Deno.test("checkSocketPath() refuses directories, other files and relative paths", () =>
  withTempDir(async (dir) => {
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "precious");
    assert.throws(() => checkSocketPath(dir, "agent socket"), {
      kind: "config",
      message: `Cannot use agent socket "${dir}": it is a directory`,
    });
    assert.throws(() => checkSocketPath(file, "agent socket"), {
      message: /a file that is not a socket is in the way/,
    });
    assert.throws(() => checkSocketPath("run/a.sock", "agent socket"), { message: /the path is not absolute/ });
    assert.throws(() => checkSocketPath(`${dir}/`, "agent socket"), { message: /it is a directory/ });
    await assert.rejects(listenUnix({ path: file, onConnection: echo }), { kind: "config" });
    assert.equal(await Deno.readTextFile(file), "precious");
    checkSocketPath(join(dir, "new:name.sock"), "agent socket");
  }));

Deno.test("dialUnix() tells a stale socket from an absent one, and gives up with its signal", () =>
  withTempDir(async (dir) => {
    const path = join(dir, "a.sock");
    await leaveStaleSocket(path);
    await assert.rejects(dialUnix(path), {
      kind: "peer",
      message: `Cannot connect to "${path}": nobody listens there`,
    });
    await assert.rejects(dialUnix(path, { signal: AbortSignal.abort() }), { kind: "closed" });
  }));

/** Leaves what a killed process leaves: a socket file that nobody listens on. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = net.createServer();
  server.listen({ path: `${path}.dying` });
  await once(server, "listening");
  await Deno.rename(`${path}.dying`, path);
  server.close();
  await once(server, "close");
}
