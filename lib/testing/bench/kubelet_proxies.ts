// SPDX-License-Identifier: Apache-2.0
/** Starts the proxies that the kubelet bench measures: peerctl's, nginx without a policy, and one that compiles its policy for each request. */

import { join } from "node:path";
import type { KubeletTls } from "../kubelet_peers.ts";
import { startLineProcess } from "../line_process.ts";
import { opaPeer, peerPath } from "../peers.ts";
import { type PeerctlProcess, startPeerctl } from "../peerctl.ts";

/** The name in the certificates of kubelet and proxies. */
export const SERVER_NAME = "localhost";

export interface RunningProxy {
  readonly name: string;
  /** HOST:PORT. */
  readonly address: string;
  /** Processes that carry requests. */
  readonly pids: readonly number[];
  /** How long decisions took so far, by its own count. */
  readonly decisionSeconds?: () => Promise<number>;
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** A folder of its own. */
  readonly dir: string;
  /** HOST:PORT. */
  readonly kubelet: string;
  /** What the proxy shows, and trusts. */
  readonly server: KubeletTls;
  /** What the proxy shows to the kubelet. */
  readonly client: KubeletTls;
  /** File with the policy, which looks at input.path only. */
  readonly policy: string;
  readonly workers: number;
  readonly env: Readonly<Record<string, string>>;
}

export async function startOurProxy(o: ProxyOptions): Promise<RunningProxy> {
  await Deno.mkdir(o.dir, { recursive: true });
  const process: PeerctlProcess = startPeerctl([
    ...["kubelet-proxy", "-listen", "127.0.0.1:0", "-kubelet-url", `https://${o.kubelet}`],
    ...["-kubelet-host", SERVER_NAME, "-ca", o.server.ca, "-cert", o.server.cert, "-key", o.server.key],
    ...["-client-cert", o.client.cert, "-client-key", o.client.key, "-rego", "-rego-path", o.policy],
    ...["-allow-user", "podvm_client", "-audit-log", join(o.dir, "audit.log"), "-metrics-listen", "127.0.0.1:0"],
  ], { env: o.env });
  const { host, port } = JSON.parse(await process.waitForLine(/"message":"Serving"/));
  const metrics = JSON.parse(await process.waitForLine(/"message":"Metrics served"/));
  return {
    name: "peerctl",
    address: `${host}:${port}`,
    pids: [process.pid],
    async decisionSeconds() {
      const text = await (await fetch(`http://${metrics.host}:${metrics.port}/metrics`)).text();
      return Number(/^peerctl_kubelet_proxy_decision_seconds_sum (\S+)$/m.exec(text)![1]);
    },
    async stop() {
      await process.stop();
    },
  };
}

export async function startNginx(o: ProxyOptions): Promise<RunningProxy> {
  await Deno.mkdir(o.dir, { recursive: true });
  // nginx takes no port 0; one that was free just now almost always still is.
  const port = freePort();
  const config = join(o.dir, "nginx.conf");
  await Deno.writeTextFile(config, nginxConfig(o, port));
  const child = new Deno.Command(peerPath("nginx"), {
    args: ["-c", config, "-p", o.dir, "-g", "daemon off;"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  try {
    await untilServed(port, child);
  } catch (error) {
    throw new Error(`nginx did not start: ${await stderr}`, { cause: error });
  }
  return {
    name: "nginx",
    address: `127.0.0.1:${port}`,
    pids: childrenOf(child.pid),
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await stderr;
    },
  };
}

export async function startPerRequestProxy(o: ProxyOptions): Promise<RunningProxy> {
  const child = startLineProcess({
    path: await opaPeer(),
    args: [
      ...["proxy", "-cert", o.server.cert, "-key", o.server.key, "-ca", o.server.ca],
      ...["-client-cert", o.client.cert, "-client-key", o.client.key],
      ...["-kubelet-url", `https://${o.kubelet.replace("127.0.0.1", SERVER_NAME)}`, "-rego-path", o.policy],
    ],
  });
  const ready = await child.line((line) => line.event === "ready");
  return {
    name: "per-request Go",
    address: String(ready.address),
    pids: [child.pid],
    async stop() {
      await child.stop();
    },
  };
}

/** As one would set it up by hand: connections to the kubelet are kept, nothing is buffered on disk, nothing logged. */
function nginxConfig(o: ProxyOptions, port: number): string {
  return `
worker_processes ${o.workers};
pid ${join(o.dir, "nginx.pid")};
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${join(o.dir, "body")};
  proxy_temp_path ${join(o.dir, "proxy")};
  fastcgi_temp_path ${join(o.dir, "fastcgi")};
  uwsgi_temp_path ${join(o.dir, "uwsgi")};
  scgi_temp_path ${join(o.dir, "scgi")};
  map $http_upgrade $connection_header { default upgrade; "" ""; }
  upstream kubelet { server ${o.kubelet}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${o.server.cert};
    ssl_certificate_key ${o.server.key};
    ssl_client_certificate ${o.server.ca};
    ssl_verify_client on;
    keepalive_requests 100000000;
    location / {
      proxy_pass https://kubelet;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_buffering on;
      proxy_max_temp_file_size 0;
      proxy_ssl_certificate ${o.client.cert};
      proxy_ssl_certificate_key ${o.client.key};
      proxy_ssl_trusted_certificate ${o.client.ca};
      proxy_ssl_verify on;
      proxy_ssl_name ${SERVER_NAME};
    }
  }
}
`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function untilServed(port: number, child: Deno.ChildProcess): Promise<void> {
  let isEnded = false;
  child.status.then(() => isEnded = true);
  while (!isEnded) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("it has ended");
}

/** nginx's workers; its master carries nothing. */
function childrenOf(pid: number): number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.split(" ").filter((word) => word !== "").map(Number);
}
