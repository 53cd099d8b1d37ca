// SPDX-License-Identifier: Apache-2.0
/** A small daemon on runDaemon, run as a child by its tests; its first argument says how it behaves. */

import { PeerctlError } from "../errors.ts";
import { configureLogging } from "../daemon/logging.ts";
import { runDaemon, type Service } from "../daemon/run.ts";

const [behaviour] = Deno.args;
const env = Deno.env.toObject();
const log = await configureLogging({ command: "fixture", level: "info", format: "text" });
const closed = Promise.withResolvers<void>();

const service: Service = {
  closed: closed.promise,
  describe: "serving nothing",
  stop() {
    if (behaviour === "stop-never") return new Promise(() => setInterval(() => {}, 1000));
    if (behaviour === "stop-fails") return Promise.reject(new PeerctlError("state", "Cannot remove the socket"));
    closed.resolve();
    return Promise.resolve();
  },
  ...(behaviour === "reload" ? { reload: () => log.info("Reloaded now") } : {}),
};

const code = await runDaemon({
  command: "fixture",
  log,
  env,
  stopTimeoutMs: behaviour === "stop-never" && Deno.args[1] !== undefined ? Number(Deno.args[1]) : 30_000,
  start(signal) {
    log.info("Starting", { notify_socket: env.NOTIFY_SOCKET ?? Deno.env.get("NOTIFY_SOCKET") ?? "gone" });
    if (behaviour === "start-fails") return Promise.reject(new PeerctlError("config", "Cannot read the file"));
    if (behaviour === "start-waits") {
      return new Promise((_, reject) => {
        const timer = setInterval(() => {}, 1000);
        signal.addEventListener("abort", () => {
          clearInterval(timer);
          reject(signal.reason);
        });
      });
    }
    if (behaviour === "ends") closed.resolve();
    if (behaviour === "breaks") queueMicrotask(() => closed.reject(new PeerctlError("closed", "Cannot go on")));
    return Promise.resolve(service);
  },
}).catch((error) => {
  log.error("Thrown", { error });
  return 1;
});
log.info("Exit", { code });
Deno.exitCode = code;
if (behaviour === "stop-never" || behaviour === "stop-fails") Deno.kill(Deno.pid, "SIGKILL");
