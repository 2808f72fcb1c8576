import type { EpochRecord } from '../../ports.js';
import type { Assessment } from '../assessment.js';
import { type Axis, lineChart, type Series, ticksOf } from './chart.js';
import { type Markup, markup } from './markup.js';
import { dataTable, type Row } from './table.js';

const SHARE = [0, 0.2, 0.4, 0.6, 0.8, 1];
const shareAxis = (label: string): Axis => ({ label, low: 0, high: 1, ticks: SHARE });
const DIAGONAL = [
  { x: 0, y: 0 },
  { x: 1, y: 1 },
];

/**
 * Loss and accuracy of training and validation, epoch after epoch, all stages in a row; nothing without an
 * epoch.
 */
export function learningCurves(epochs: readonly EpochRecord[]): Markup | null {
  const last = epochs.at(-1);
  if (last === undefined) return null;
  return markup`${lossSection(epochs, last)}${accuracySection(epochs, last)}`;
}

function lossSection(epochs: readonly EpochRecord[], last: EpochRecord): Markup {
  const best = epochs.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
  const losses = epochs.flatMap((one) => [one.trainLoss, one.validationLoss]).filter(Number.isFinite);
  const high = Math.max(0.1, ...losses);
  const words = [
    `The lowest validation loss is ${best.validationLoss.toFixed(3)},`,
    `in epoch ${best.epoch} of stage ${best.stage};`,
    `the last losses are ${last.trainLoss.toFixed(3)} (training)`,
    `and ${last.validationLoss.toFixed(3)} (validation).`,
  ].join(' ');
  const chart = lineChart({
    ...{ id: 'loss', title: 'Loss', description: words },
    x: epochAxis(epochs),
    y: { label: 'loss, nats', low: 0, high, ticks: ticksOf(0, high) },
    series: bothSplits(epochs, 'trainLoss', 'validationLoss'),
  });
  return markup`<section><h2>Loss</h2>${chart}<p class="note">${words}</p></section>`;
}

function accuracySection(epochs: readonly EpochRecord[], last: EpochRecord): Markup {
  const words = [
    `The last accuracies are ${last.trainAccuracy.toFixed(3)} (training)`,
    `and ${last.validationAccuracy.toFixed(3)} (validation).`,
  ].join(' ');
  const chart = lineChart({
    ...{ id: 'accuracy', title: 'Accuracy while learning', description: words },
    x: epochAxis(epochs),
    y: shareAxis('accuracy'),
    series: bothSplits(epochs, 'trainAccuracy', 'validationAccuracy'),
  });
  return markup`<section><h2>Accuracy while learning</h2>${chart}<p class="note">${words}</p>
<details><summary>The ${epochs.length} epochs as a table</summary>${epochTable(epochs)}</details></section>`;
}

function epochAxis({ length }: readonly EpochRecord[]): Axis {
  const high = Math.max(2, length);
  return { label: 'epoch, all stages', low: 1, high, ticks: ticksOf(1, high) };
}

type Measured = 'trainLoss' | 'validationLoss' | 'trainAccuracy' | 'validationAccuracy';
/** What is no number (a loss that went astray) is left out of its line. */
function bothSplits(epochs: readonly EpochRecord[], training: Measured, validation: Measured): Series[] {
  const line = (which: Measured) =>
    epochs.map((epoch, i) => ({ x: i + 1, y: epoch[which] })).filter(({ y }) => Number.isFinite(y));
  return [
    { name: 'training', points: line(training), style: 'blue' },
    { name: 'validation', points: line(validation), style: 'vermillion' },
  ];
}

function epochTable(epochs: readonly EpochRecord[]): Markup {
  const columns = ['loss', 'validation loss', 'accuracy', 'validation accuracy'];
  const rows = epochs.map(
    (one): Row => [
      `${one.stage} ${one.epoch}`,
      ...[one.trainLoss, one.validationLoss, one.trainAccuracy, one.validationAccuracy].map((value) =>
        value.toFixed(3),
      ),
    ],
  );
  const all = [{ name: 'stage and epoch' }, ...columns.map((name) => ({ name, isNumber: true }))];
  return dataTable('Epochs', all, rows);
}

export function reliabilityChart({ curves, calibration }: Assessment): Markup {
  const points = (bins: Assessment['curves']['reliability']) =>
    bins.map(({ probability, ads }) => ({ x: probability, y: ads }));
  const without =
    calibration.before === null
      ? []
      : [
          {
            name: 'without',
            points: points(curves.reliabilityBefore),
            style: 'vermillion',
            marked: true,
          } as const,
        ];
  const before = calibration.before === null ? '' : `, ${calibration.before.toFixed(3)} without`;
  const words = [
    `Calibration error ${calibration.after.toFixed(3)} with the temperature${before}.`,
    'On the dotted line a probability is what it says.',
  ].join(' ');
  const chart = lineChart({
    ...{ id: 'reliability', title: 'Reliability', description: words },
    x: shareAxis('probability of an advertisement, by the model'),
    y: shareAxis('share that are one'),
    series: [
      { name: 'exact', points: DIAGONAL, style: 'grey' },
      { name: 'with temperature', points: points(curves.reliability), style: 'blue', marked: true },
      ...without,
    ],
  });
  return markup`<section class="wide pair"><h2>Can the probabilities be believed?</h2>
<div>${chart}<p class="note">${words}</p></div>
${binTable(curves.reliability)}</section>`;
}

function binTable(bins: Assessment['curves']['reliability']): Markup {
  const columns = ['share that are one', 'pictures'].map((name) => ({ name, isNumber: true }));
  const rows = bins.map(
    ({ probability, ads, frames }): Row => [probability.toFixed(3), ads.toFixed(3), frames],
  );
  return dataTable('Reliability by bin', [{ name: 'mean probability' }, ...columns], rows);
}

export function rocChart({ curves, splits }: Assessment): Markup | null {
  if (curves.roc.length === 0 || splits.test === undefined) return null;
  const words = [
    `The area under it is ${splits.test.metrics.rocAuc.toFixed(3)}:`,
    'the chance that an advertisement gets a higher probability than a picture of the programme.',
    'Guessing has .5.',
  ].join(' ');
  const chart = lineChart({
    ...{ id: 'roc', title: 'ROC curve', description: words },
    x: shareAxis('programme called an advertisement'),
    y: shareAxis('advertisements called one'),
    series: [
      { name: 'guessing', points: DIAGONAL, style: 'grey' },
      { name: 'model', points: curves.roc, style: 'blue' },
    ],
  });
  return markup`<section><h2>ROC curve</h2>${chart}<p class="note">${words}</p></section>`;
}

export function precisionRecallChart({ curves, splits: { test } }: Assessment): Markup | null {
  if (curves.precisionRecall.length === 0 || test === undefined) return null;
  const [, [fn, tp]] = test.metrics.confusion;
  const ads = (fn + tp) / test.metrics.frames;
  const words = [
    `The area under it (average precision) is ${test.metrics.prAuc.toFixed(3)}.`,
    `Guessing has the share of advertisements, ${ads.toFixed(3)}.`,
  ].join(' ');
  const guessing = [0, 1].map((x) => ({ x, y: ads }));
  const chart = lineChart({
    ...{ id: 'precision', title: 'Precision and recall', description: words },
    x: shareAxis('recall: advertisements called one'),
    y: shareAxis('precision: of those called one'),
    series: [
      { name: 'guessing', points: guessing, style: 'grey' },
      { name: 'model', points: curves.precisionRecall, style: 'blue' },
    ],
  });
  return markup`<section><h2>Precision and recall</h2>${chart}<p class="note">${words}</p></section>`;
}
