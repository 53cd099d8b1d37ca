// SPDX-License-Identifier: Apache-2.0
/** Records which rules an evaluation tried and where they failed, as a tree for `--explain`. */

import type { RegoLocation } from "./limits.ts";
import type { Tracer } from "./policy.ts";
import { placeText, printable } from "./source_frame.ts";

/** Nodes kept by default: what a person can still read through, and an end for a policy that tries millions. */
const DEFAULT_MAX_NODES = 10_000;

/** Longest piece of source shown beside a place, in characters. */
const MAX_SHOWN = 100;

/** One try of one rule. */
export interface TraceNode {
  readonly ref: string;
  readonly location: RegoLocation;
  /** Undefined: the evaluation stopped in it. */
  readonly defined: boolean | undefined;
  /** Expressions of its bodies that were false or undefined at least once, in the order of their first time. */
  readonly failed: readonly RegoLocation[];
  /** The rules tried while this one was. */
  readonly children: readonly TraceNode[];
}

export interface TraceRecorder extends Required<Tracer> {
  /** The tree since the last call; the next evaluation begins a new one. */
  take(): { readonly roots: readonly TraceNode[]; readonly isCut: boolean };
}

interface OpenNode {
  readonly ref: string;
  readonly location: RegoLocation;
  defined: boolean | undefined;
  readonly failed: RegoLocation[];
  readonly children: OpenNode[];
}

export function createTraceRecorder(o: { readonly maxNodes?: number } = {}): TraceRecorder {
  const maxNodes = o.maxNodes ?? DEFAULT_MAX_NODES;
  let root = newNode("", { file: "", line: 0, column: 0 });
  let open = [root];
  let count = 0;
  return {
    enter(ref, location) {
      const node = newNode(ref, location);
      if (++count <= maxNodes) open.at(-1)!.children.push(node);
      open.push(node);
    },
    leave(_ref, _location, defined) {
      if (open.length > 1) open.pop()!.defined = defined;
    },
    expression(location, ok) {
      const { failed } = open.at(-1)!;
      if (!ok && !failed.some((each) => placeText(each) === placeText(location))) failed.push(location);
    },
    take() {
      const taken = { roots: root.children, isCut: count > maxNodes };
      root = newNode("", { file: "", line: 0, column: 0 });
      open = [root];
      count = 0;
      return taken;
    },
  };
}

function newNode(ref: string, location: RegoLocation): OpenNode {
  return { ref, location, defined: undefined, failed: [], children: [] };
}

/** The tree as text, one line for each rule and each failed expression; `sources` are policy texts by file. */
export function renderTrace(roots: readonly TraceNode[], sources: ReadonlyMap<string, string>): string {
  const lines: string[] = [];
  const draw = (node: TraceNode, prefix: string, isLast: boolean) => {
    const state = node.defined === undefined ? "stopped" : node.defined ? "defined" : "undefined";
    lines.push(`${prefix}${isLast ? "└─" : "├─"} ${node.ref}  ${placeText(node.location)}  ${state}`);
    const below = `${prefix}${isLast ? "   " : "│  "}`;
    for (const place of node.failed) {
      const bar = node.children.length > 0 ? "│ " : "  ";
      lines.push(`${below}${bar} failed at ${placeText(place)}: ${sourceAt(sources, place)}`);
    }
    node.children.forEach((child, i) => draw(child, below, i === node.children.length - 1));
  };
  roots.forEach((node, i) => draw(node, "", i === roots.length - 1));
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** The rest of the line from a place on. */
function sourceAt(sources: ReadonlyMap<string, string>, { file, line, column }: RegoLocation): string {
  const text = sources.get(file)?.split("\n")[line - 1]?.slice(column - 1).trim() ?? "";
  return printable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}
