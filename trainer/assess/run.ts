import { join } from 'node:path';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { type Assessment, type AssessmentInput, assess } from './assessment.js';
import { type Finding, formatFindings } from './finding.js';
import { findingsOf } from './findings.js';
import type { Doubt } from './label-errors.js';
import type { Pictured } from './report/figures.js';
import { renderPage } from './report/page.js';
import { resultsOf } from './results.js';
import { thumbnailOf } from './thumbnails.js';

export interface AssessRunRequest extends AssessmentInput {
  /** Folder for training_results.json and report.html. */
  readonly output: string;
  readonly now: Date;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}
export interface AssessedRun {
  readonly assessment: Assessment;
  /** Warnings first; a caller that writes a model has said them by then. */
  readonly findings: readonly Finding[];
  /** `test/accuracy` -> .93, for who follows the run. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The worst of the test split, with their pictures. */
  readonly mistakes: readonly Pictured[];
  /** The files written. */
  readonly files: readonly string[];
}

/**
 * Assesses what was scored, writes training_results.json and report.html into `output`, and says every
 * finding. The decision for the manifest is `assessment.choice.decision`. Once the signal is aborted it ends
 * with an AbortError and writes nothing.
 */
export async function assessRun(request: AssessRunRequest): Promise<AssessedRun> {
  const { output, now, say, signal } = request;
  const assessment = assess(request);
  const findings = findingsOf(assessment);
  const mistakes = await pictured(assessment.mistakes, signal);
  const labelErrors = await pictured(assessment.labelErrors, signal);
  signal?.throwIfAborted();
  const files = [join(output, 'training_results.json'), join(output, 'report.html')] as const;
  const results = resultsOf(assessment, findings, now);
  await writeAtomic(files[0], `${JSON.stringify(results, null, 2)}\n`);
  await writeAtomic(files[1], renderPage({ assessment, findings, mistakes, labelErrors, createdAt: now }));
  for (const line of formatFindings(findings)) say(line);
  say(`results: ${files[0]}; report: ${files[1]}`);
  return { assessment, findings, metrics: flatMetrics(assessment), mistakes, files };
}

/** One after the other: each picture of a recording starts ffmpeg. */
async function pictured(doubts: readonly Doubt[], signal: AbortSignal | undefined): Promise<Pictured[]> {
  const all: Pictured[] = [];
  for (const doubt of doubts) {
    signal?.throwIfAborted();
    all.push({ doubt, thumbnail: await thumbnailOf(doubt.sample.picture, signal) });
  }
  return all;
}

function flatMetrics({ splits, viewing, benchmark, calibration }: Assessment): Record<string, number> {
  const flat: Record<string, number> = { 'test/calibration_error': calibration.after };
  for (const [split, { metrics }] of Object.entries(splits)) {
    flat[`${split}/accuracy`] = metrics.accuracy;
    flat[`${split}/precision`] = metrics.precision;
    flat[`${split}/recall`] = metrics.recall;
    flat[`${split}/f1_score`] = metrics.f1;
    flat[`${split}/roc_auc`] = metrics.rocAuc;
    flat[`${split}/pr_auc`] = metrics.prAuc;
  }
  if (viewing !== null) flat['test/false_mutes_per_hour'] = viewing.falseMutesPerHour;
  if (typeof viewing?.onset.median === 'number') flat['test/onset_delay_s'] = viewing.onset.median;
  if (benchmark !== null) {
    flat['benchmark/mean_ms'] = benchmark.meanMs;
    flat['benchmark/p95_ms'] = benchmark.p95Ms;
  }
  return flat;
}
