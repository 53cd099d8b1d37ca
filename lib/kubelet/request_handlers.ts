// SPDX-License-Identifier: Apache-2.0
/** What happens to one request, in order: caller, reading, judging, forwarding, and the line in the audit log. */

import type { Logger } from "@logtape/logtape";
import { type Answer, sendAnswer, sendAnswerRaw } from "./answers.ts";
import type { AuditEntry, AuditLog } from "./audit.ts";
import { type AllowedCallers, isAllowed } from "./callers.ts";
import type { ClientConnection } from "./client_connections.ts";
import type { Judge, Verdict } from "./decision.ts";
import type { RequestHead } from "./exchange.ts";
import { type Failure, forward } from "./forward.ts";
import { headerValue } from "./forwarded_headers.ts";
import { type Body, readFraming } from "./framing.ts";
import type { HttpHandlers } from "./http_servers.ts";
import { UPGRADE_ACTIONS } from "./kubelet_routes.ts";
import type { Metrics } from "./metrics.ts";
import { Refusal } from "./refusal.ts";
import { readFacts, type RequestFacts } from "./request_facts.ts";
import type { Timeouts } from "./timeouts.ts";
import { forwardUpgrade } from "./upgrade.ts";
import { readUpgrade } from "./upgrade_headers.ts";
import type { Upstream } from "./upstream.ts";

/** How long a kubelet may take to begin the answer of what takes long by its nature, in milliseconds: its own limit. */
const LONG_ANSWER_MS = 4 * 3_600_000;

export interface RequestHandlersOptions {
  readonly allowed: AllowedCallers;
  readonly judge: Judge;
  readonly upstream: Upstream;
  readonly timeouts: Timeouts;
  readonly audit: AuditLog | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface RequestHandlers extends HttpHandlers<ClientConnection> {
  counts(): { requestsUnderWay: number; streams: number };
  /** Resolves when nothing is under way. */
  whenIdle(): Promise<void>;
}

/** A request that has been read and judged. */
interface Judged {
  readonly facts: RequestFacts;
  readonly body: Body;
  readonly verdict: Verdict;
}

/** What is written down of a request, whatever becomes of it. */
type Outcome = Pick<AuditEntry, "decision" | "rule" | "status" | "bytesIn" | "bytesOut"> & {
  readonly facts?: RequestFacts | undefined;
};

export function createRequestHandlers(o: RequestHandlersOptions): RequestHandlers {
  const { log, metrics, timeouts } = o;
  const ids = createRequestIds();
  let requestsUnderWay = 0, streams = 0;
  const waiting = new Set<() => void>();

  /** Begins the life of one request; what it returns ends it, once. */
  function open(request: RequestHead | undefined, connection: ClientConnection) {
    const id = ids();
    const time = new Date();
    const since = performance.now();
    requestsUnderWay++;
    const leave = connection.begin();
    return {
      id,
      end(outcome: Outcome) {
        leave();
        // Counted first: nobody would be able to stop what is never over.
        if (--requestsUnderWay === 0) {
          for (const resolve of waiting) resolve();
          waiting.clear();
        }
        const { facts } = outcome;
        const entry: AuditEntry = {
          time,
          requestId: id,
          user: connection.caller?.name ?? "",
          groups: connection.caller?.groups ?? [],
          remote: connection.remote,
          method: request?.method ?? "",
          action: facts?.action ?? "other",
          path: facts?.rawPath ?? pathOf(request?.target),
          decision: outcome.decision,
          rule: outcome.rule,
          upgrade: facts?.upgrade ?? "none",
          status: outcome.status,
          durationMs: performance.now() - since,
          bytesIn: outcome.bytesIn,
          bytesOut: outcome.bytesOut,
        };
        metrics.done(entry);
        o.audit?.write(entry);
      },
    };
  }

  /** @throws {Refusal} for whoever may not speak, and for what cannot be read in one way only. */
  function judge(request: RequestHead, connection: ClientConnection): Judged {
    const { caller, remote } = connection;
    const { method, target, rawHeaders } = request;
    if (caller === undefined) throw new Refusal(403, "the client certificate does not name a user");
    if (caller.notAfter < Date.now()) throw new Refusal(403, "the client certificate has expired");
    if (!isAllowed(caller, o.allowed)) throw new Refusal(403, "this user may not speak to the kubelet");
    const body = readFraming(request);
    const upgrade = readUpgrade(headerValue(rawHeaders, "connection"), headerValue(rawHeaders, "upgrade"));
    const contentType = headerValue(rawHeaders, "content-type");
    const facts = readFacts({ method, target, contentType, upgrade, caller, remote });
    if (upgrade !== "none" && !UPGRADE_ACTIONS.has(facts.action)) {
      throw new Refusal(400, "this path has no stream to upgrade to");
    }
    if (upgrade !== "none" && body.kind !== "none") throw new Refusal(400, "an upgrade must not have a body");
    const since = performance.now();
    const verdict = o.judge(facts);
    metrics.decided(performance.now() - since);
    return { facts, body, verdict };
  }

  /** What to answer for everything but a verdict to allow; undefined for that one. */
  function objection(
    judged: Judged | Refusal,
    id: string,
  ): { answer: Omit<Answer, "requestId">; outcome: Outcome } | undefined {
    const none = { bytesIn: 0, bytesOut: 0 };
    if (judged instanceof Refusal) {
      const { status, message } = judged;
      const prefix = status === 403 ? "Forbidden" : "Not forwarded";
      return {
        answer: { status, message: `${prefix}: ${message}`, closes: true },
        outcome: { decision: "refuse", rule: message, status, ...none },
      };
    }
    const { verdict, facts } = judged;
    if (verdict.allowed) return undefined;
    const { status, rule } = verdict;
    if (status === 403) {
      return {
        answer: { status, message: `Denied by policy: ${verdict.reason}` },
        outcome: { decision: "deny", rule, status, facts, ...none },
      };
    }
    log.error("The policy could not judge a request, which is denied", { requestId: id, rule, error: verdict.error });
    return {
      answer: { status, message: "Denied by policy: the policy could not judge this request" },
      outcome: { decision: "error", rule, status, facts, ...none },
    };
  }

  function attempt(request: RequestHead, connection: ClientConnection): Judged | Refusal {
    try {
      return judge(request, connection);
    } catch (error) {
      if (error instanceof Refusal) return error;
      // Nothing here is meant to throw; what does must not let anything through.
      log.error("A request could not be read, which is denied", { error });
      return new Refusal(500, "the request could not be read");
    }
  }

  function failed({ kind, error }: Failure, id: string): { status: number; message: string } {
    metrics.upstreamFailed(kind);
    log.warn("The kubelet did not answer a request", { requestId: id, kind, error });
    return kind === "timeout"
      ? { status: 504, message: "The kubelet did not answer in time" }
      : { status: 502, message: "The kubelet cannot be reached" };
  }

  return {
    counts: () => ({ requestsUnderWay, streams }),
    whenIdle: () => requestsUnderWay === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve)),

    onBadRequest(connection, reason, status, error) {
      const { id, end } = open(undefined, connection);
      if (error !== undefined) {
        log.error("A request broke the proxy's own rules, and was ended", { requestId: id, error });
      }
      end({ decision: "refuse", rule: reason, status, bytesIn: 0, bytesOut: 0 });
    },

    onRequest(exchange, connection) {
      const { id, end } = open(exchange, connection);
      const accept = headerValue(exchange.rawHeaders, "accept");
      const judged = attempt(exchange, connection);
      const objected = objection(judged, id);
      if (objected !== undefined) {
        // Nothing of a body that waits is asked for.
        const closes = objected.answer.closes === true || exchange.expectsContinue;
        const bytesOut = sendAnswer(exchange, { ...objected.answer, requestId: id, accept, closes });
        return end({ ...objected.outcome, bytesOut });
      }
      const { facts, body, verdict } = judged as Judged;
      if (exchange.expectsContinue) exchange.sendContinue();
      forward({
        exchange,
        body,
        upstream: o.upstream,
        responseTimeoutMs: answerMs(facts, timeouts),
        closes: connection.isEnding,
      }).then(({ failure, ...sent }) => {
        const allowed = { decision: "allow", rule: verdict.rule, facts } as const;
        if (failure === undefined) return end({ ...allowed, ...sent });
        const { status, message } = failed(failure, id);
        if (!failure.isUnanswered) return end({ ...allowed, ...sent });
        const bytesOut = sendAnswer(exchange, { status, message, requestId: id, accept, closes: body.kind !== "none" });
        end({ ...allowed, ...sent, status, bytesOut });
      });
    },

    onUpgrade(head, socket, early, connection) {
      const { id, end } = open(head, connection);
      const accept = headerValue(head.rawHeaders, "accept");
      const judged = attempt(head, connection);
      const objected = objection(judged, id);
      if (objected !== undefined) {
        const bytesOut = sendAnswerRaw(socket, { ...objected.answer, requestId: id, accept });
        return end({ ...objected.outcome, bytesOut });
      }
      const { facts, verdict } = judged as Judged;
      let isOpen = false;
      forwardUpgrade({
        client: socket,
        early,
        method: head.method,
        target: head.target,
        rawHeaders: head.rawHeaders,
        upstream: o.upstream,
        responseTimeoutMs: timeouts.responseMs,
        idleMs: timeouts.streamIdleMs,
        onOpen() {
          isOpen = true;
          streams++;
          log.info("Stream opened", {
            requestId: id,
            user: facts.user.name,
            action: facts.action,
            path: facts.rawPath,
          });
        },
      }).then(({ failure, ...sent }) => {
        if (isOpen) streams--;
        const allowed = { decision: "allow", rule: verdict.rule, facts } as const;
        if (failure === undefined) return end({ ...allowed, ...sent });
        const { status, message } = failed(failure, id);
        const bytesOut = sendAnswerRaw(socket, { status, message, requestId: id, accept });
        end({ ...allowed, ...sent, status, bytesOut });
      });
    },
  };
}

/** Kubelets send no header of a log before its first line, and of run and checkpoint before they are done. */
function answerMs({ action, subresource, query }: RequestFacts, { responseMs }: Timeouts): number {
  // Any other value is true to a kubelet.
  const follows = action === "logs" && !["false", "0"].includes(query.get("follow")?.[0]?.toLowerCase() ?? "false");
  const isLong = follows || action === "run" || subresource === "checkpoint";
  return isLong ? Math.max(LONG_ANSWER_MS, responseMs) : responseMs;
}

/** The path of a target that was refused, for the audit log; what is no path may hold anything. */
function pathOf(target: string | undefined): string {
  return target?.startsWith("/") ? target.split("?", 1)[0]! : "";
}

/** Unique for this process and, by its random part, among several. */
function createRequestIds(): () => string {
  const prefix = crypto.randomUUID().slice(0, 8);
  let count = 0;
  return () => `${prefix}-${(++count).toString(36)}`;
}
