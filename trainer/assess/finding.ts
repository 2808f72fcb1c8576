import { groupBy } from './grouping.js';

/** What a reader should know at once. */
export interface Finding {
  readonly mark: '✓' | '⚠';
  readonly says: string;
  /** What mends it; null where nothing is to be mended. */
  readonly remedy: string | null;
}

/** What mends what, by the sections of docs/assessment.md, "Indicators and warnings". */
const REMEDIES = {
  'Low accuracy': [
    'collect more pictures (20,000 and more)',
    'look through the likely label errors of the report',
    'tune all of the network (`make tfjs-node`, training.fine_tuning.from: all)',
    'try another network (model.architecture)',
    'more training.epochs',
    'another training.learning_rate',
  ],
  'Slow inference': [
    'reduce model.input_shape (224 to 192)',
    'take mobilenet_v3_small',
    'fetch LiteRT (`adbreak runtime install litert`)',
    'take a faster Pi',
  ],
  Overfitting: [
    'more augmentation',
    'more dropout',
    'more L2',
    'a smaller network',
    'recordings of more channels and days',
  ],
  'Data drift': [
    'collect recordings of this source',
    'train again with them',
    'evaluate several models as one',
  ],
  'The wrong pictures': [
    'train with more pictures like the worst mistakes of the report',
    'move the threshold',
  ],
  'Splits that are no strangers': [
    'add recordings of other channels and days',
    'divide them with `adbreak dataset prepare`, which keeps recordings and scenes whole (of spots that air in several ' +
      'recordings some likeness stays)',
  ],
} as const;

export function good(says: string): Finding {
  return { mark: '✓', says, remedy: null };
}
export function warning(says: string, section: keyof typeof REMEDIES): Finding {
  return { mark: '⚠', says, remedy: `${section}: ${REMEDIES[section].join(', ')}` };
}

/** Findings that one thing mends. */
export interface Like {
  readonly findings: readonly Finding[];
  readonly remedy: string | null;
}

/** Findings by what mends them, in the order in which each of that came first. */
export function byRemedy(findings: readonly Finding[]): Like[] {
  return [...groupBy(findings, ({ remedy }) => remedy ?? '').values()].map((like) => ({
    findings: like,
    remedy: like[0]?.remedy ?? null,
  }));
}

/** A line for each; below several that one thing mends that thing once. */
export function formatFindings(findings: readonly Finding[]): string[] {
  return byRemedy(findings).flatMap(({ findings: like, remedy }) => [
    ...like.map(({ mark, says }) => `${mark} ${says}`),
    ...(remedy === null ? [] : [`    what to do: ${remedy}`]),
  ]);
}
