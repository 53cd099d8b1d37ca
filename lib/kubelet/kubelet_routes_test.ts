// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { reachesKubeletRoute, routeOf, verbOf } from "./kubelet_routes.ts";
import { parseRequestTarget } from "./request_target.ts";

const route = (path: string) => routeOf(parseRequestTarget(path));
const NOTHING = { namespace: "", pod: "", uid: "", container: "" };

Deno.test("routeOf() finds what runs or reaches into a container, with and without uid", () => {
  const container = { subresource: "proxy", namespace: "ns", pod: "p", container: "c" };
  assert.deepEqual(route("/exec/ns/p/c"), { action: "exec", ...container, uid: "" });
  assert.deepEqual(route("/exec/ns/p/u/c"), { action: "exec", ...container, uid: "u" });
  assert.deepEqual(route("/attach/ns/p/c"), { action: "attach", ...container, uid: "" });
  assert.deepEqual(route("/run/ns/p/u/c"), { action: "run", ...container, uid: "u" });
  assert.deepEqual(route("/containerLogs/ns/p/c"), { action: "logs", ...container, uid: "" });
  const pod = { action: "port_forward", subresource: "proxy", namespace: "ns", pod: "p", container: "" };
  assert.deepEqual(route("/portForward/ns/p"), { ...pod, uid: "" });
  assert.deepEqual(route("/portForward/ns/p/u"), { ...pod, uid: "u" });
});

Deno.test("routeOf() has the subresources of kubelet authorisation", () => {
  const cases = [
    ...[["/pods", "pods", "proxy"], ["/runningpods/", "pods", "proxy"], ["/healthz", "health", "proxy"]],
    ...[["/healthz/syncloop", "health", "proxy"], ["/stats/summary", "stats", "stats"], ["/stats/", "stats", "stats"]],
    ...[["/metrics", "metrics", "metrics"], ["/metrics/cadvisor", "metrics", "metrics"], ["/logs/", "other", "log"]],
    ...[["/logs/pods/x", "other", "log"], ["/configz", "other", "proxy"], ["/statusz", "other", "statusz"]],
    ...[["/flagz", "other", "configz"], ["/debug/pprof/profile", "other", "proxy"], ["/", "other", "proxy"]],
    ...[["/metricsx", "other", "proxy"], ["/Metrics", "other", "proxy"], ["/nothing/exec", "other", "proxy"]],
  ];
  for (const [path, action, subresource] of cases) {
    assert.deepEqual(route(path!), { action, subresource, ...NOTHING }, path);
  }
  assert.deepEqual(route("/checkpoint/ns/p/c"), {
    action: "other",
    subresource: "checkpoint",
    namespace: "ns",
    pod: "p",
    uid: "",
    container: "c",
  });
});

Deno.test("routeOf() knows intrusive routes in any case, of any length, and under the old prefix", () => {
  for (const path of ["/EXEC/ns/p/c", "/Exec", "/exec", "/exec/ns", "/exec/a/b/c/d/e", "/cri/exec/token"]) {
    assert.equal(route(path).action, "exec", path);
  }
  assert.equal(route("/portforward/ns/p").action, "port_forward");
  assert.equal(route("/cri/portforward/token").action, "port_forward");
});

Deno.test("routeOf() names no pod when the path has another number of segments", () => {
  for (const path of ["/exec/ns/p", "/exec/a/b/c/d/e", "/containerLogs/ns/p/u/c", "/cri/exec/a/b/c"]) {
    const { namespace, pod, container } = route(path);
    assert.deepEqual([namespace, pod, container], ["", "", ""], path);
  }
});

Deno.test("routeOf() refuses a slash behind a pod's path: routers differ in what it means", () => {
  for (const path of ["/exec/ns/p/c/", "/portForward/ns/p/", "/run/ns/p/c/", "/containerLogs/ns/p/c/", "/EXEC/a/"]) {
    assert.throws(() => route(path), { name: "Refusal", status: 400 }, path);
  }
});

Deno.test("verbOf() maps methods as kubelets do", () => {
  const verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"].map(verbOf);
  assert.deepEqual(verbs, ["get", "create", "update", "patch", "delete", "", ""]);
});

Deno.test("reachesKubeletRoute() knows prefixes that deny nothing", () => {
  for (
    const prefix of ["/exec", "/exec/kube-system", "/pods", "/run", "/portForward", "/cont", "/logs/", "/metrics/"]
  ) {
    assert.ok(reachesKubeletRoute(prefix), prefix);
  }
  for (const prefix of ["/pods/exec", "/pods/portforward", "/api/v1", "/portforward/x", "/nothing"]) {
    assert.ok(!reachesKubeletRoute(prefix), prefix);
  }
});
