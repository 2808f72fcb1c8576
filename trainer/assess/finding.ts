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

/** Findings as lines, what is to be done of several that follow each other once, behind the last of them. */
export function formatFindings(findings: readonly Finding[]): string[] {
  return findings.flatMap((finding, i) =>
    formatFinding(findings[i + 1]?.remedy === finding.remedy ? { ...finding, remedy: null } : finding).split(
      '\n',
    ),
  );
}

/** Two lines where there is something to do. */
export function formatFinding({ mark, says, remedy }: Finding): string {
  return remedy === null ? `${mark} ${says}` : `${mark} ${says}\n    what to do: ${remedy}`;
}
