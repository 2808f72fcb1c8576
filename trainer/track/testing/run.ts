import type { EpochRecord, RunHeader, RunOutcome } from '../../ports.js';

/** A training as a tracker hears of it. Numbers are such that a float of 32 bits has them whole. */
export const HEADER: RunHeader = {
  name: 'base-ad-detector',
  version: '1.2.0',
  startedAt: new Date('2026-11-01T12:00:00.000Z'),
  parameters: {
    'training.epochs': '3',
    'training.learning_rate': '0.001',
    'dataset.path': 'data/datasets/a|b',
  },
};

export function epochRecord(epoch: number, stage: EpochRecord['stage'] = 'head'): EpochRecord {
  return {
    stage,
    epoch,
    epochs: 3,
    trainLoss: 1 / epoch,
    trainAccuracy: 0.5 + epoch / 16,
    validationLoss: 1.25 / epoch,
    validationAccuracy: 0.5 + epoch / 32,
    learningRate: 0.0625,
    seconds: 1.5,
  };
}

/** A picture of one pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
  'base64',
);

export function outcome(files: readonly string[] = []): RunOutcome {
  return {
    status: 'finished',
    metrics: { 'test/accuracy': 0.9375, 'benchmark/p95_ms': 48.5 },
    histograms: [
      { tag: 'test/probability', values: Float32Array.of(0, 0.25, 0.25, 0.5, 1) },
      { tag: 'test/one', values: Float32Array.of(0.5, 0.5, Number.NaN) },
      { tag: 'test/none', values: new Float32Array(0) },
    ],
    pictures: [{ tag: 'mistakes/1', png: PNG, width: 1, height: 1 }],
    scored: [
      [0.25, false],
      [0.5, true],
      [0.625, false],
      [1, true],
    ].map(([probability, isAd]) => ({
      isAd: Boolean(isAd),
      probability: Number(probability),
      uncalibrated: Number(probability),
      group: 'one',
      source: 'one',
      picture: { path: 'one.mkv', at: 0 },
    })),
    files,
  };
}
