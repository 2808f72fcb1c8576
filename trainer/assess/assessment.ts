import type { TestMetrics } from '@adbreak/shared/contract/manifest.js';
import type { EpochRecord, ScoredSample, Split } from '../ports.js';
import { type Alikeness, alikeSplits, type Fingerprints } from './alike.js';
import { bootstrap, type Intervals } from './bootstrap.js';
import { type Choice, chooseDecision } from './choice.js';
import {
  type Point,
  precisionRecallCurve,
  type ReliabilityBin,
  reliability,
  rocCurve,
  thin,
} from './curves.js';
import { confidentJoint, type Doubt, likelyLabelErrors, worstMistakes } from './label-errors.js';
import type { Benchmark } from './latency.js';
import { type FrameMetrics, metricsOf } from './metrics.js';
import { estimateOnPi, type PiEstimate } from './pi-estimate.js';
import { type Slice, slicesOf } from './slices.js';
import { timelinesOf } from './timeline.js';
import { type Viewing, viewingOf } from './viewing.js';

/** The splits that are assessed; calibration pictures are training pictures. */
export const ASSESSED = ['train', 'val', 'test'] as const satisfies readonly Split[];
export type AssessedSplit = (typeof ASSESSED)[number];

/** Who was assessed; of an ensemble its members. */
export interface Subject {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly members: readonly {
    readonly digest: string;
    readonly bytes: number;
    readonly multiplyAdds: number;
  }[];
}
/** A requirement of the configuration beside what was measured. */
export interface Requirement {
  readonly name: string;
  readonly wanted: number;
  readonly got: number;
  readonly met: boolean;
}
/** What the head's fit came to. */
export interface Fitting {
  readonly bestEpoch: number;
  readonly temperature: number;
  readonly crossValidation: {
    readonly folds: readonly {
      readonly pictures: number;
      readonly accuracy: number;
      readonly loss: number;
    }[];
    readonly accuracy: { readonly mean: number; readonly deviation: number };
    /** The network below the head has learnt from what was held back. */
    readonly optimistic: boolean;
  } | null;
}
export interface SplitAssessment {
  readonly groups: number;
  readonly sources: number;
  /** At one half. */
  readonly metrics: FrameMetrics;
}
export interface AssessmentInput {
  readonly subject: Subject;
  /** SHA-256 of the data set. */
  readonly fingerprint: string;
  /** What the model says of each split's pictures. Splits that were not scored are left out. */
  readonly scored: Readonly<Partial<Record<AssessedSplit, readonly ScoredSample[]>>>;
  readonly fingerprints?: Fingerprints;
  readonly epochs: readonly EpochRecord[];
  /** Where the model was fitted in the same run. */
  readonly fitting?: Fitting;
  /** The configuration, flat. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly benchmark: Benchmark | null;
  /** What the configuration requires. */
  readonly requirements?: readonly Requirement[];
  /** Models that everything should beat, by name. */
  readonly baselines?: Readonly<Record<string, TestMetrics>>;
  /** What validation chose, where that was computed before. */
  readonly choice?: Choice;
  /** Another decision than the one that validation chooses: that of a model which has one already. */
  readonly decision?: Choice['decision'];
  readonly seed: number | string;
}
/** Everything that is known of a model, without a file or a clock. */
export interface Assessment {
  readonly subject: Subject;
  readonly fingerprint: string;
  readonly splits: Readonly<Partial<Record<AssessedSplit, SplitAssessment>>>;
  /** Of the test split. */
  readonly intervals: Intervals;
  /**
   * Expected calibration error of the test split without the temperature (null where that is not known), and
   * with it.
   */
  readonly calibration: { readonly before: number | null; readonly after: number };
  readonly choice: Choice;
  /** The test split at the threshold that was chosen. */
  readonly atThreshold: FrameMetrics;
  readonly slices: readonly Slice[];
  readonly viewing: Viewing | null;
  readonly benchmark: Benchmark | null;
  readonly estimates: readonly PiEstimate[];
  readonly alike: readonly Alikeness[];
  readonly baselines: Readonly<Record<string, TestMetrics>>;
  readonly requirements: readonly Requirement[];
  readonly epochs: readonly EpochRecord[];
  readonly fitting: Fitting | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly curves: {
    readonly roc: readonly Point[];
    readonly precisionRecall: readonly Point[];
    readonly reliability: readonly ReliabilityBin[];
    readonly reliabilityBefore: readonly ReliabilityBin[];
  };
  readonly mistakes: readonly Doubt[];
  readonly labelErrors: readonly Doubt[];
  readonly confidentJoint: ReturnType<typeof confidentJoint>;
}

const CURVE_POINTS = 240;
/** Pictures of a report. */
const MOST_PICTURES = 12;

/**
 * Pure, and the same for the same input: the bootstrap is seeded. A split without a picture counts as not
 * scored.
 */
export function assess(input: AssessmentInput): Assessment {
  const { scored, seed, subject, benchmark } = input;
  const test = scored.test ?? [];
  const validation = scored.val ?? [];
  const chosen = input.choice ?? chooseDecision(validation);
  const choice = input.decision === undefined ? chosen : keptOr(chosen, input.decision);
  const isKnown = test.some(({ probability, uncalibrated: before }) => before !== probability);
  const uncalibrated = isKnown ? test.map((one) => ({ isAd: one.isAd, probability: one.uncalibrated })) : [];
  const multiplyAdds = subject.members.reduce((sum, member) => sum + member.multiplyAdds, 0);
  return {
    ...{ subject, benchmark, choice, splits: splitsOf(scored) },
    intervals: bootstrap(test, { seed: `${seed}/test` }),
    ...{ fingerprint: input.fingerprint, epochs: input.epochs, parameters: input.parameters },
    fitting: input.fitting ?? null,
    calibration: { before: isKnown ? metricsOf(uncalibrated).ece : null, after: metricsOf(test).ece },
    atThreshold: metricsOf(test, choice.decision.threshold),
    slices: slicesOf(test, { seed }),
    viewing: viewingOf(timelinesOf(test), choice.decision),
    estimates: multiplyAdds === 0 ? [] : estimateOnPi(multiplyAdds, benchmark?.threads ?? 1),
    alike: alikeSplits(scored, input.fingerprints),
    baselines: input.baselines ?? {},
    requirements: input.requirements ?? [],
    curves: {
      roc: thin(rocCurve(test), CURVE_POINTS),
      precisionRecall: thin(precisionRecallCurve(test), CURVE_POINTS),
      reliability: reliability(test),
      reliabilityBefore: reliability(uncalibrated),
    },
    mistakes: worstMistakes(test, MOST_PICTURES),
    labelErrors: likelyLabelErrors([...validation, ...test], MOST_PICTURES),
    confidentJoint: confidentJoint([...validation, ...test]),
  };
}

/** A model that brings the very decision that is chosen keeps the reason for it. */
function keptOr(chosen: Choice, decision: Choice['decision']): Choice {
  return isDeepEqual(chosen.decision, decision) ? chosen : { decision, reason: 'as the model brings it' };
}
function isDeepEqual(a: Choice['decision'], b: Choice['decision']): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

function splitsOf(scored: AssessmentInput['scored']): Assessment['splits'] {
  const entries = ASSESSED.flatMap((split) => {
    const samples = scored[split] ?? [];
    return samples.length === 0 ? [] : [[split, splitOf(samples)] as const];
  });
  return Object.fromEntries(entries);
}

function splitOf(samples: readonly ScoredSample[]): SplitAssessment {
  return {
    groups: new Set(samples.map(({ group }) => group)).size,
    sources: new Set(samples.map(({ source }) => source)).size,
    metrics: metricsOf(samples),
  };
}
