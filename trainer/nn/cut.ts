import { AdbreakError } from '@adbreak/shared/errors.js';
import { type Graph, inferShapes, inputsOf, type Node } from './graph.js';

/**
 * A graph in two: what comes before a layer, and from that layer on. The tail's input is named as the front's
 * output.
 */
export interface CutGraph {
  readonly front: Graph;
  readonly tail: Graph;
}

/**
 * Cuts before the first layer called `from` or `from.…`, such as `blocks.12` or `head`. Throws
 * `input_invalid` where there is none, or where more than one tensor would have to cross the cut.
 */
export function cutGraph(graph: Graph, from: string): CutGraph {
  const at = graph.nodes.findIndex(({ name }) => name === from || name.startsWith(`${from}.`));
  const last = graph.nodes[at - 1];
  const wrong = (why: string) =>
    new AdbreakError('input_invalid', `Cannot cut ${graph.name} at ${from}: ${why}`, {
      remedy: `It can be cut at ${placesOf(graph).join(', ')}.`,
    });
  if (at < 2 || last === undefined) throw wrong('there is no such layer, or none before it');
  const tail = graph.nodes.slice(at);
  const inside = new Set(tail.map(({ name }) => name));
  const crossing = new Set(tail.flatMap(inputsOf).filter((name) => !inside.has(name)));
  if (crossing.size !== 1 || !crossing.has(last.name))
    throw wrong(`${[...crossing].join(' and ')} would cross the cut`);
  const input: Node = { op: 'input', name: last.name, shape: inferShapes(graph).get(last.name) ?? [] };
  return {
    front: { name: `${graph.name} before ${from}`, nodes: graph.nodes.slice(0, at) },
    tail: { name: graph.name, nodes: [input, ...tail] },
  };
}

/** The other way round. */
export function joinGraphs({ front, tail }: CutGraph): Graph {
  return { name: tail.name, nodes: [...front.nodes, ...tail.nodes.slice(1)] };
}

function placesOf({ nodes }: Graph): string[] {
  const blocks = nodes.flatMap(({ name }) => /^blocks\.\d+/.exec(name)?.[0] ?? []);
  return [...new Set(blocks), 'head'].slice(1);
}
