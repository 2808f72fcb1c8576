import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@adbreak/shared/errors.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { z } from 'zod';
import type { Graph } from '../../nn/graph.js';
import { numbersOf, withNumbers } from '../../nn/numbers.js';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.js';
import type { FitState } from '../fit-state.js';
import { bytesOf, floatsOf, readSealed, writeSealed } from '../sealed.js';

const FORMAT = 1;
const facts = z.strictObject({ numbers: z.int().positive() });

/** Keeps the state of a network after an epoch, and gives back the last one. */
export interface Keeper {
  load(): Promise<FitState | null>;
  save(state: FitState): Promise<void>;
}

/**
 * A network that takes minutes to train is trained once for the same facts and kept in the cache; `like` has
 * its form. What `make` keeps of its epochs is removed once the network is whole.
 */
export async function kept(
  about: readonly unknown[],
  like: Graph,
  cache: string,
  make: (keeper: Keeper) => Promise<Graph>,
): Promise<Graph> {
  const stem = join(cache, sha256(JSON.stringify([FORMAT, ...about])).slice(0, 32));
  const sealed = await readSealed(`${stem}.network`, facts);
  if (typeof sealed !== 'string' && sealed.facts.numbers === numbersOf(like).length)
    return withNumbers(like, floatsOf(sealed.body));
  const graph = await make(keeperOf(`${stem}.epochs`));
  const numbers = numbersOf(graph);
  const own: z.infer<typeof facts> = { numbers: numbers.length };
  await writeSealed(`${stem}.network`, own, bytesOf(numbers));
  await rm(`${stem}.epochs`, { force: true });
  return graph;
}

/**
 * The name is made of all that the state follows from. A damaged file is as good as none: the epochs are gone
 * through again.
 */
function keeperOf(path: string): Keeper {
  return {
    load: () =>
      readCheckpoint(path, {}).catch((error: unknown) => {
        if (hasCode(error, 'state_corrupt')) return null;
        throw error;
      }),
    save: (state) => writeCheckpoint(path, {}, state),
  };
}
