// SPDX-License-Identifier: Apache-2.0
/** graph.reachable and graph.reachable_paths: walks over an object of nodes and their neighbours. */

import { isArray, type RegoObject, RegoSet, SetBuilder, type Value } from "../values.ts";
import { anyType, arrayOrSetType, arrayType, type BuiltinContext, family, objectType, setType } from "./builtin.ts";
import { objectOperand, reserveElements, typeError } from "./operands.ts";

const GRAPH = objectType(anyType, arrayOrSetType());

export const graphs = family(
  {
    name: "graph.reachable",
    args: [GRAPH, arrayOrSetType()],
    result: setType(),
    call(context, args) {
      const graph = objectOperand(args, 1);
      const queue = [...verticesOperand(args)];
      const reached = new SetBuilder();
      for (let index = 0; index < queue.length; index++) {
        context.charge(1);
        const node = queue[index] as Value;
        if (reached.has(node)) continue;
        const edges = graph.get(node);
        if (edges === undefined) continue;
        reached.add(node);
        for (const neighbour of vertices(edges)) {
          context.charge(1);
          if (!reached.has(neighbour)) queue.push(neighbour);
        }
      }
      return reached.build();
    },
  },
  {
    name: "graph.reachable_paths",
    args: [GRAPH, arrayOrSetType()],
    result: setType(arrayType()),
    call(context, args) {
      const graph = objectOperand(args, 1);
      const paths = new SetBuilder();
      for (const root of verticesOperand(args)) {
        const edges = graph.get(root);
        if (edges === undefined) continue;
        const neighbours = vertices(edges);
        if (neighbours.length === 0) addPath(context, paths, [root]);
        for (const neighbour of neighbours) follow(context, graph, neighbour, [root], paths);
      }
      return paths.build();
    },
  },
);

function verticesOperand(args: readonly Value[]): readonly Value[] {
  const value = args[1] as Value;
  if (!isArray(value) && !(value instanceof RegoSet)) throw typeError(2, value, "{array, set}");
  return vertices(value);
}

function vertices(value: Value): readonly Value[] {
  if (isArray(value)) return value;
  return value instanceof RegoSet ? value.values() : [];
}

function addPath(context: BuiltinContext, paths: SetBuilder, path: readonly Value[]): void {
  context.charge(path.length);
  paths.add([...path]);
  if (paths.size % 1024 === 0) reserveElements(context, paths.size);
}

/** One branch of the walk: the node it stands at and which of its neighbours comes next. */
interface Step {
  readonly neighbours: readonly Value[];
  next: number;
}

/** Collects every path that goes on from `path` to `first`, without recursion: a chain may be long. */
function follow(
  context: BuiltinContext,
  graph: RegoObject,
  first: Value,
  path: Value[],
  paths: SetBuilder,
): void {
  const onPath = new SetBuilder();
  for (const node of path) onPath.add(node);
  const steps: Step[] = [{ neighbours: [first], next: 0 }];
  while (steps.length > 0) {
    context.charge(1);
    const step = steps[steps.length - 1] as Step;
    if (step.next === step.neighbours.length) {
      steps.pop();
      if (steps.length > 0) onPath.delete(path.pop() as Value);
      continue;
    }
    const node = step.neighbours[step.next++] as Value;
    // As in OPA, the first neighbour of a root may be the root itself.
    const edges = steps.length > 1 && onPath.has(node) ? undefined : graph.get(node);
    if (edges === undefined) {
      // A cycle, or a neighbour that is no node of the graph: the path ends before it.
      addPath(context, paths, path);
      continue;
    }
    const neighbours = vertices(edges);
    if (neighbours.length === 0) {
      addPath(context, paths, [...path, node]);
      continue;
    }
    path.push(node);
    onPath.add(node);
    steps.push({ neighbours, next: 0 });
  }
}
