import { testMetrics } from '@adbreak/shared/contract/manifest.js';
import { z } from 'zod';
import type { Assessment, Fitting, SplitAssessment } from './assessment.js';
import { type Intervals, LEVEL, RESAMPLES } from './bootstrap.js';
import type { Finding } from './finding.js';
import type { Doubt } from './label-errors.js';
import type { FrameMetrics } from './metrics.js';
import type { Viewing } from './viewing.js';

/** The part of training_results.json that the guide describes; scripts rely on it. */
export const guideResults = z.object({
  test_metrics: z.object({
    accuracy: z.number(),
    precision: z.number(),
    recall: z.number(),
    f1_score: z.number(),
    roc_auc: z.number(),
    /** By [truth][call], content = 0, ad = 1. */
    confusion_matrix: testMetrics.shape.confusion,
  }),
  benchmark: z.object({ mean_ms: z.number(), p95_ms: z.number(), p99_ms: z.number() }).nullable(),
});

/** The whole document: the guide's keys, and what else was measured, in the same way of writing. */
export function resultsOf(assessment: Assessment, findings: readonly Finding[], createdAt: Date) {
  const { subject, splits, benchmark, choice, alike } = assessment;
  const { test, val, train } = splits;
  return {
    model: subject.name,
    version: subject.version,
    architecture: subject.architecture,
    digests: subject.members.map(({ digest }) => digest),
    created_at: createdAt.toISOString(),
    dataset_fingerprint: assessment.fingerprint,
    test_metrics: test === undefined ? null : metricsIn(test.metrics),
    validation_metrics: val === undefined ? null : metricsIn(val.metrics),
    training_metrics: train === undefined ? null : metricsIn(train.metrics),
    benchmark: benchmark === null ? null : benchmarkIn(benchmark),
    raspberry_pi_estimate: assessment.estimates.map(({ device, threads, low, high }) => ({
      ...{ device, threads, from_ms: low, to_ms: high, measured: false },
    })),
    confidence_intervals:
      test === undefined ? null : { ...methodOf(test), test: intervalsIn(assessment.intervals) },
    calibration_error: {
      before_temperature: assessment.calibration.before,
      after_temperature: assessment.calibration.after,
    },
    decision: { ...choice.decision, reason: choice.reason },
    test_metrics_at_threshold: metricsIn(assessment.atThreshold),
    viewing: assessment.viewing === null ? null : viewingIn(assessment.viewing),
    slices: assessment.slices.map(({ source, groups, metrics, intervals }) => ({
      source,
      groups,
      ...metricsIn(metrics),
      confidence_intervals: intervalsIn(intervals),
    })),
    baselines: Object.fromEntries(
      Object.entries(assessment.baselines).map(([name, { accuracy, f1, rocAuc, ece }]) => [
        name,
        { accuracy, f1_score: f1, roc_auc: rocAuc, calibration_error: ece },
      ]),
    ),
    requirements: assessment.requirements.map(({ name, wanted, got, met }) => ({
      ...{ name, wanted, got, met, missed_by: met ? 0 : Math.abs(wanted - got) },
    })),
    good_indicators: findings.filter(({ mark }) => mark === '✓').map(({ says }) => says),
    warning_signs: findings.filter(({ mark }) => mark === '⚠').map(({ says, remedy }) => ({ says, remedy })),
    alike_splits: alike.map(({ splits: pair, groups, share }) => ({
      splits: pair,
      groups: groups.length,
      share,
    })),
    confident_joint: assessment.confidentJoint,
    likely_label_errors: assessment.labelErrors.map(doubtIn),
    worst_mistakes: assessment.mistakes.map(doubtIn),
    epochs: assessment.epochs.map((epoch) => ({
      stage: epoch.stage,
      epoch: epoch.epoch,
      loss: epoch.trainLoss,
      accuracy: epoch.trainAccuracy,
      val_loss: epoch.validationLoss,
      val_accuracy: epoch.validationAccuracy,
      learning_rate: epoch.learningRate,
      seconds: epoch.seconds,
    })),
    fitting: assessment.fitting === null ? null : fittingIn(assessment.fitting),
    configuration: assessment.parameters,
  };
}

function metricsIn(metrics: FrameMetrics) {
  return {
    frames: metrics.frames,
    accuracy: metrics.accuracy,
    precision: metrics.precision,
    recall: metrics.recall,
    f1_score: metrics.f1,
    roc_auc: metrics.rocAuc,
    pr_auc: metrics.prAuc,
    calibration_error: metrics.ece,
    brier_score: metrics.brier,
    confusion_matrix: metrics.confusion,
  };
}

function methodOf({ groups }: SplitAssessment) {
  return { level: LEVEL, method: 'percentile bootstrap by group', resamples: RESAMPLES, groups };
}

function intervalsIn(intervals: Intervals) {
  const pair = (name: keyof Intervals) => {
    const interval = intervals[name];
    return interval === null ? null : ([interval.low, interval.high] as const);
  };
  return {
    accuracy: pair('accuracy'),
    precision: pair('precision'),
    recall: pair('recall'),
    f1_score: pair('f1'),
    roc_auc: pair('rocAuc'),
    pr_auc: pair('prAuc'),
    calibration_error: pair('ece'),
    brier_score: pair('brier'),
  };
}

function benchmarkIn(benchmark: NonNullable<Assessment['benchmark']>) {
  return {
    mean_ms: benchmark.meanMs,
    p50_ms: benchmark.p50Ms,
    p95_ms: benchmark.p95Ms,
    p99_ms: benchmark.p99Ms,
    cold_start_ms: benchmark.coldStartMs,
    memory_mb: benchmark.memoryMb,
    model_memory_mb: benchmark.modelMemoryMb,
    inferences: benchmark.inferences,
    runtime: benchmark.runtime,
    threads: benchmark.threads,
  };
}

function viewingIn(viewing: Viewing) {
  return {
    recordings: viewing.recordings,
    hours: viewing.hours,
    breaks: viewing.breaks,
    event_f1: Object.fromEntries(viewing.eventF1.map(({ collar, f1 }) => [`${collar}s`, f1])),
    segment_f1: viewing.segmentF1,
    false_mutes_per_hour: viewing.falseMutesPerHour,
    false_mutes_per_hour_interval: [viewing.falseMutesInterval.low, viewing.falseMutesInterval.high],
    programme_muted_s_per_hour: viewing.programmeMutedPerHour,
    ads_heard_s_per_hour: viewing.adsHeardPerHour,
    breaks_missed: viewing.missed,
    onset_delay_s: viewing.onset,
    offset_delay_s: viewing.offset,
  };
}

function fittingIn({ bestEpoch, temperature, crossValidation }: Fitting) {
  return { best_epoch: bestEpoch, temperature, cross_validation: crossValidation };
}

function doubtIn({ sample, pictures }: Doubt) {
  const { picture, isAd, probability, source } = sample;
  const label = isAd ? ('ad' as const) : ('content' as const);
  return { path: picture.path, at: picture.at, label, ad_probability: probability, source, pictures };
}
