import { seeded } from '@adbreak/shared/random.js';
import type { Examples, HeadSettings, TrainingExamples } from './examples.js';
import { fitHead } from './head.js';

/** One part of a cross-validation: learnt from the others, measured on it. */
export interface Fold {
  readonly groups: readonly string[];
  readonly pictures: number;
  readonly accuracy: number;
  /** Mean cross-entropy, nats. */
  readonly loss: number;
}
export interface CrossValidation {
  readonly folds: readonly Fold[];
  readonly accuracy: { readonly mean: number; readonly deviation: number };
}

/** Examples whose rows know which group they belong to. */
export interface Grouped extends TrainingExamples {
  readonly groups: readonly string[];
}

/**
 * Whole groups in `count` parts: the largest first, each into the part that has the fewest pictures, so that
 * a recording is never in two. Null where there are fewer groups than parts.
 */
export function partition(groups: readonly string[], count: number, seed: number): string[][] | null {
  const sizes = new Map<string, number>();
  for (const group of groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  if (sizes.size < count) return null;
  const order = seeded(`folds/${seed}`)
    .shuffle([...sizes])
    .sort(([, a], [, b]) => b - a);
  const parts = Array.from({ length: count }, () => ({ names: [] as string[], pictures: 0 }));
  for (const [name, pictures] of order) {
    const smallest = parts.reduce((least, part) => (part.pictures < least.pictures ? part : least));
    smallest.names.push(name);
    smallest.pictures += pictures;
  }
  return parts.map(({ names }) => names);
}

/**
 * How much the figures depend on which recordings were held back. Each part is measured after `epochs`
 * epochs, as many as the model itself took: a part that chose its own would look better than it is. A part
 * without both classes on either side is left out.
 */
export async function crossValidate(
  all: Grouped,
  parts: readonly (readonly string[])[],
  settingsFor: (examples: Examples) => HeadSettings,
  epochs: number,
  options: { readonly onFold?: (fold: Fold, index: number) => void; readonly signal?: AbortSignal } = {},
): Promise<CrossValidation> {
  const folds: Fold[] = [];
  for (const [index, groups] of parts.entries()) {
    const names = new Set(groups);
    const inside = (row: number) => names.has(all.groups[row] ?? '');
    const held = rowsOf(all, inside);
    const others = rowsOf(all, (row) => !inside(row));
    if (![held, others].every(({ isAd }) => isAd.includes(true) && isAd.includes(false))) continue;
    const { history } = await fitHead(others, held, settingsFor(others), {
      stopAfter: epochs,
      ...(options.signal && { signal: options.signal }),
    });
    const last = history.at(-1);
    if (last === undefined) continue;
    const fold: Fold = {
      groups,
      pictures: held.isAd.length,
      accuracy: last.validationAccuracy,
      loss: last.validationLoss,
    };
    folds.push(fold);
    options.onFold?.(fold, index);
  }
  return { folds, accuracy: spread(folds.map(({ accuracy }) => accuracy)) };
}

function rowsOf(all: Grouped, keep: (row: number) => boolean): TrainingExamples {
  const kept = all.isAd.map((_, row) => row).filter(keep);
  const taken = (rows: Float32Array) => {
    const some = new Float32Array(kept.length * all.width);
    kept.forEach((row, i) => some.set(rows.subarray(row * all.width, (row + 1) * all.width), i * all.width));
    return some;
  };
  return {
    width: all.width,
    features: taken(all.features),
    views: all.views.map(taken),
    isAd: kept.map((row) => all.isAd[row] ?? false),
  };
}

function spread(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}
