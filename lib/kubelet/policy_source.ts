// SPDX-License-Identifier: Apache-2.0
/** Holds the compiled policy, and exchanges it as a whole when its files change and the new one is good. */

import type { Logger } from "@logtape/logtape";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { PeerctlError } from "../errors.ts";
import { watchFolders } from "../os/folder_watch.ts";
import type { Limits } from "../rego/limits.ts";
import { compile, type Decision } from "../rego/policy.ts";
import { loadPolicyFiles, type PolicyFiles } from "../rego/policy_files.ts";
import { formatJson } from "../rego/json.ts";
import { decide, type Fallback, type Judge } from "./decision.ts";
import { inputDocument } from "./request_facts.ts";

export interface PolicySourceOptions {
  /** A file or a folder. */
  readonly path: string;
  /** Such as data.kubelet.policy.deny. */
  readonly query: string;
  readonly fallback: Fallback;
  readonly limits?: Partial<Limits> | undefined;
  readonly log: Logger;
  /** Hears of each load after the first. */
  onLoad?(ok: boolean): void;
}

export interface PolicySource {
  /** Judges by the policy of this moment. */
  readonly judge: Judge;
  /** Reads the files again if they have changed; a policy that cannot be used is logged and the old one stays. */
  reload(): void;
  /** Follows the files until `signal` aborts. */
  follow(signal: AbortSignal): void;
}

/**
 * Loads the policy.
 *
 * @throws {PeerctlError} when files or policy cannot be used, or `query` names no rule of it: with a fallback of "allow"
 * a misspelt query would allow everything.
 */
export function openPolicySource(o: PolicySourceOptions): PolicySource {
  const { path, query, fallback, log } = o;
  const first = loadPolicyFiles([path]);
  let known = fingerprint(first);
  let decision = prepare(first);

  function prepare(files: PolicyFiles): Decision {
    // A builtin that fails must not make a rule that denies undefined.
    const policy = compile(files.modules, files.data, { limits: o.limits ?? {}, strictBuiltinErrors: true });
    // What prepare() alone would let pass: a package, a document, a name nobody defines, a function.
    const rules = policy.rules.filter(({ isFunction }) => !isFunction).map(({ ref }) => ref);
    if (!rules.includes(query)) throw noSuchRule(path, query, rules);
    for (const { message, location } of policy.warnings) {
      log.warn("The policy has a probable mistake", { message, file: location.file, line: location.line });
    }
    return policy.prepare(query);
  }

  function reload(): void {
    try {
      const files = loadPolicyFiles([path]);
      const found = fingerprint(files);
      if (found === known) return;
      decision = prepare(files);
      known = found;
    } catch (error) {
      log.error("The changed policy cannot be used, the old one stays", { path, error });
      o.onLoad?.(false);
      return;
    }
    log.info("Policy replaced", { path });
    o.onLoad?.(true);
  }

  return {
    judge(facts) {
      try {
        return decide(decision.decide(inputDocument(facts)), fallback, query);
      } catch (error) {
        return { allowed: false, status: 500, rule: query, error };
      }
    },
    reload,
    follow(signal) {
      const isFolder = Deno.statSync(path).isDirectory;
      watchFolders([isFolder ? path : dirname(path)], {
        recursive: isFolder,
        onQuiet: reload,
        onError: (error) => log.error("The policy is no longer watched for changes", { path, error }),
        signal,
      });
    },
  };
}

function noSuchRule(path: string, query: string, rules: readonly string[]): PeerctlError {
  const shown = [...new Set(rules)].filter((ref) => !/\.test_/.test(ref)).slice(0, 10).join(", ");
  return new PeerctlError("config", `Cannot use the policy of "${path}": -query ${query} names no rule of it`, {
    hint: shown === "" ? "it has no rules" : `it has ${shown}`,
  });
}

/** Tells a change from a touch. */
function fingerprint({ modules, data }: PolicyFiles): string {
  const hash = createHash("sha256");
  for (const module of modules) hash.update(module.path).update("\0").update(module.text).update("\0");
  return hash.update(formatJson(data)).digest("hex");
}
