// SPDX-License-Identifier: Apache-2.0
/** The two ends of mutual TLS three times, in one shape: openssl, Go's crypto/tls, and peerctl's own. */

import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { createTlsDialer, listenTls, parseTlsProfile } from "../net/tls.ts";
import { loadTlsFiles } from "../net/tls_files.ts";
import { startLineProcess } from "./line_process.ts";
import { peerPath } from "./peers.ts";
import { recordLog } from "./recorded_log.ts";

export type TlsVersion = "1.2" | "1.3";

/** Paths; `chain` has the CAs behind the certificate in `cert`, for openssl, which wants them apart; "" if none. */
export interface EndFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly chain: string;
}

export interface TlsServer extends AsyncDisposable {
  readonly port: number;
}

export interface TlsEnd {
  readonly name: string;
  /** Serves with mutual TLS and answers what a client sends, on 127.0.0.1. */
  serve(files: EndFiles, version: TlsVersion): Promise<TlsServer>;
  /** Connects, demands the name podvm-server, sends a line; resolves with the version when an answer came, else rejects. */
  call(files: EndFiles, port: number, version: TlsVersion): Promise<string>;
}

/** How long a handshake between two processes of this machine may take, in milliseconds, before it counts as failed. */
const CALL_TIMEOUT_MS = 20_000;

/** openssl; `options` go to both of its ends. */
export function opensslEnd(options: readonly string[] = []): TlsEnd {
  const common = (files: EndFiles, version: TlsVersion) => [
    ...[version === "1.2" ? "-tls1_2" : "-tls1_3", "-x509_strict", "-verify_return_error", "-CAfile", files.ca],
    ...[
      "-cert",
      files.cert,
      "-key",
      files.key,
      ...(files.chain === "" ? [] : ["-cert_chain", files.chain]),
      ...options,
    ],
  ];
  return {
    name: "openssl",
    async serve(files, version) {
      const args = ["s_server", "-accept", "127.0.0.1:0", "-rev", "-Verify", "4", ...common(files, version)];
      const child = startOpenssl(args);
      const [, port] = await child.until(/^ACCEPT .*:(\d+)$/m);
      return { port: Number(port), [Symbol.asyncDispose]: child.kill };
    },
    async call(files, port, version) {
      const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "podvm-server", "-quiet"];
      const child = startOpenssl([...args, "-verify_hostname", "podvm-server", ...common(files, version)]);
      try {
        await child.send("hello\n");
        // With -rev it comes back the other way round.
        await child.until(/hello|olleh/);
        return version;
      } finally {
        await child.kill();
      }
    },
  };
}

/** Go; `program` is testdata/peers/gotls, built. */
export function goEnd(program: string): TlsEnd {
  const flags = (
    { ca, cert, key }: EndFiles,
    version: TlsVersion,
  ) => ["-ca", ca, "-cert", cert, "-key", key, "-max", version];
  return {
    name: "Go",
    async serve(files, version) {
      const child = startLineProcess({ path: program, args: ["-listen", "127.0.0.1:0", ...flags(files, version)] });
      const { address } = await child.line(({ event }) => event === "listening");
      return {
        port: Number(String(address).split(":")[1]),
        async [Symbol.asyncDispose]() {
          await child.stop();
        },
      };
    },
    async call(files, port, version) {
      const child = startLineProcess({ path: program, args: ["-dial", `127.0.0.1:${port}`, ...flags(files, version)] });
      const line = await child.line(({ event }) => event === "answered" || event === "failed");
      await child.stop();
      if (line.event === "failed") throw new Error(String(line.error));
      return line.version === "303" ? "1.2" : line.version === "304" ? "1.3" : String(line.version);
    },
  };
}

/** peerctl's own; the version is the other end's choice, for it always takes the highest. */
export function ownEnd(): TlsEnd {
  const profile = parseTlsProfile("", []);
  const load = ({ ca, cert, key }: EndFiles) => loadTlsFiles({ caFile: ca, certFile: cert, keyFile: key });
  return {
    name: "peerctl",
    async serve(files) {
      const listener = await listenTls({
        host: "127.0.0.1",
        port: 0,
        credentials: load(files),
        profile,
        requireClientCert: true,
        log: recordLog().log,
        onConnection(socket) {
          socket.on("error", () => {});
          socket.pipe(socket);
        },
      });
      return { port: listener.address.port, [Symbol.asyncDispose]: () => listener.close() };
    },
    async call(files, port) {
      const dialer = createTlsDialer({
        credentials: load(files),
        profile,
        serverName: "podvm-server",
        skipVerify: false,
      });
      const socket = await dialer.dial({ host: "127.0.0.1", port, timeoutMs: CALL_TIMEOUT_MS });
      const version = (socket.getProtocol() ?? "").replace("TLSv", "");
      await exchange(socket);
      return version;
    },
  };
}

/** Sends a line, waits for an answer, and closes. */
async function exchange(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("data", () => resolve());
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("closed without an answer")));
  socket.write("hello\n");
  try {
    await promise;
  } finally {
    const closed = new Promise<void>((done) => socket.closed ? done() : socket.once("close", () => done()));
    socket.destroy();
    await closed;
  }
}

/** Builds the Go end into `dir`; it uses the standard library only, so nothing is downloaded. */
export async function buildGoEnd(dir: string): Promise<string> {
  const path = join(dir, "gotls");
  const { success, stderr } = await new Deno.Command(peerPath("go"), {
    args: ["build", "-o", path, "."],
    cwd: new URL("../../testdata/peers/gotls", import.meta.url).pathname,
    env: { GOTOOLCHAIN: "local", GOPROXY: "off", GOFLAGS: "-buildvcs=false" },
  }).output();
  if (!success) throw new Error(`go build: ${new TextDecoder().decode(stderr)}`);
  return path;
}

function startOpenssl(args: readonly string[]) {
  const child = new Deno.Command(peerPath("openssl"), {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  let text = "", isEnded = false;
  const waiting = new Set<() => void>();
  const check = () => {
    for (const one of waiting) one();
  };
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      check();
    }
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.status]).then(() => {
    isEnded = true;
    check();
  });
  return {
    send: (line: string) => stdin.write(new TextEncoder().encode(line)).catch(() => {}),
    /** The first match in what it has printed; rejects with all of that when it ends or takes too long. */
    until(pattern: RegExp): Promise<RegExpExecArray> {
      return new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new Error(`openssl ${args[0]} ${why}: ${errorsIn(text)}`));
        const timer = setTimeout(() => finish(() => fail("took too long")), CALL_TIMEOUT_MS);
        const finish = (how: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          how();
        };
        const look = () => {
          const found = pattern.exec(text);
          if (found !== null) finish(() => resolve(found));
          else if (isEnded) finish(() => fail("ended"));
        };
        waiting.add(look);
        look();
      });
    },
    async kill(): Promise<void> {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await stdin.close().catch(() => {});
      await ended;
    },
  };
}

/** The lines in which openssl says what went wrong. */
function errorsIn(text: string): string {
  return text.split("\n").filter((line) => /error|alert/i.test(line)).join("; ") || text.slice(-500);
}
