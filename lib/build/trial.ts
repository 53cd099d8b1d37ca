// SPDX-License-Identifier: Apache-2.0
/** Runs a peerctl that was just built, as a stranger to this checkout would, through what it must be able to do. */

import { once } from "node:events";
import { join } from "node:path";
import { PeerctlError } from "../errors.ts";
import { createTlsDialer } from "../net/tls.ts";
import { loadTlsFiles } from "../net/tls_files.ts";
import { DEFAULT_PROFILE } from "../net/tls_profile.ts";
import { Health, HealthCheckResponse_ServingStatus } from "../proto/gen/health_pb.ts";
import { MANUAL_SERVER_NAME } from "../sandbox/agent_tls.ts";
import { createTtrpcClient } from "../ttrpc/client.ts";
import { typedClient } from "../ttrpc/typed.ts";
import { runCommand } from "./run_command.ts";
import { DENO_VERSION, type Target } from "./runtime.ts";
import { startService } from "./trial_service.ts";

/** How long each step may take, in milliseconds: the first start unpacks 100 MB. */
const STEP_MS = 60_000;

/** How much is repeated of an output that is not what it should be, in characters. */
const SHOWN_CHARACTERS = 200;

export interface TrialOptions {
  /** The file that was built. */
  readonly program: string;
  readonly version: string;
  readonly commit: string;
  readonly target: Target;
}

/**
 * Runs `version` and `certgen`, and calls an agent through `apf` over mutual TLS with the certificates made.
 *
 * @throws {PeerctlError} kind "state" with what failed.
 */
export async function tryProgram(o: TrialOptions): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "peerctl-trial-" });
  // No Deno, no caches, no variables of ours: only where programs are and a home of its own.
  const env = { PATH: "/usr/bin:/bin", HOME: dir, XDG_CACHE_HOME: dir, NO_COLOR: "1" };
  const run = { clearEnv: true, env, cwd: dir };
  const step = async (what: string, body: () => Promise<void>) => {
    try {
      await body();
    } catch (cause) {
      throw new PeerctlError("state", `Cannot use what was built: ${what} failed`, { cause });
    }
  };
  try {
    await step("version", async () => {
      const text = await runCommand(o.program, ["version", "--output", "json"], { ...run, timeoutMs: STEP_MS });
      const said = summaryOf(text);
      const expected = [o.version, o.commit, DENO_VERSION, o.target].join(" ");
      if (said !== expected) throw new PeerctlError("state", `it says "${said}" instead of "${expected}"`);
    });
    await step("certgen", async () => {
      const args = ["certgen", "--san", MANUAL_SERVER_NAME, "--out-dir", join(dir, "certs")];
      await runCommand(o.program, args, { ...run, timeoutMs: STEP_MS });
    });
    await step("an agent call over mutual TLS", () => callAgent(o.program, dir, run));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Version, commit, Deno and target of what `version --output json` prints; of anything else its beginning. */
function summaryOf(text: string): string {
  try {
    const { version, commit, deno, target } = JSON.parse(text);
    return [version, commit, deno, target].join(" ");
  } catch {
    return text.slice(0, SHOWN_CHARACTERS);
  }
}

type Run = Pick<Deno.CommandOptions, "clearEnv" | "env" | "cwd">;

/** Client here, TLS to apf, unix socket to the stand-in agent, and back. */
async function callAgent(program: string, dir: string, run: Run): Promise<void> {
  const cert = (name: string) => join(dir, "certs", name);
  const agentSocket = join(dir, "agent.sock");
  await Deno.writeTextFile(join(dir, "apf.json"), JSON.stringify({ "pod-network": null }), { mode: 0o600 });
  await using agent = startService(
    program,
    ["stand-in-agent", "-listen", agentSocket, "-dir", join(dir, "agent")],
    run,
  );
  await agent.untilReady(STEP_MS);
  const tlsFlags = ["-ca-cert-file", cert("ca.crt"), "-cert-file", cert("tls.crt"), "-cert-key", cert("tls.key")];
  const apfFlags = ["-config", join(dir, "apf.json"), "-listen", "127.0.0.1:0", "-kata-agent-socket", agentSocket];
  await using apf = startService(program, ["apf", ...apfFlags, ...tlsFlags], run);
  const { host, port } = await apf.untilReady(STEP_MS) as { host: string; port: number };
  const socket = await createTlsDialer({
    credentials: loadTlsFiles({
      caFile: cert("ca.crt"),
      certFile: cert("client.crt"),
      keyFile: cert("client.key"),
    }),
    profile: DEFAULT_PROFILE,
    serverName: MANUAL_SERVER_NAME,
    skipVerify: false,
  }).dial({ host, port });
  const client = createTtrpcClient(socket);
  const closed = once(socket, "close");
  try {
    const { status } = await typedClient(Health, client).check({}, { timeoutMs: STEP_MS });
    if (status !== HealthCheckResponse_ServingStatus.SERVING) {
      throw new PeerctlError("peer", "the agent does not serve");
    }
  } finally {
    client.close();
    await closed;
  }
}
