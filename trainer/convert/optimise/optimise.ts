import type { Graph } from '../../nn/graph.js';
import { foldAddedConstants, fuseActivations, lowerHardActivations } from './activations.js';
import { denseToConvolution } from './dense.js';
import { foldBatchNorm } from './fold.js';
import { absorbScales } from './scales.js';

/**
 * The graph as XNNPACK takes it best. Float kernels know hard_swish as one operator; int8 ones do not, so there it is
 * lowered unless `keepHardSwish` says otherwise.
 */
export function optimise(
  graph: Graph,
  target: 'float' | 'int8',
  { keepHardSwish = false }: { keepHardSwish?: boolean } = {},
): Graph {
  const folded = fuseActivations(foldBatchNorm(graph));
  const lowered = lowerHardActivations(folded, { hardSwish: keepHardSwish || target === 'float' });
  const absorbed = absorbScales(foldAddedConstants(lowered));
  return target === 'int8' ? denseToConvolution(absorbed) : absorbed;
}
