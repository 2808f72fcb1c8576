import { ASSESSED, type Assessment } from '../assessment.js';
import { type Interval, LEVEL, RESAMPLES } from '../bootstrap.js';
import { METRICS, type Metric } from '../metrics.js';
import { intervalTrack } from './chart.js';
import { type Content, type Markup, markup } from './markup.js';
import { dataTable, type Row } from './table.js';

const NAMES: Readonly<Record<Metric, string>> = {
  accuracy: 'Accuracy',
  precision: 'Precision',
  recall: 'Recall',
  f1: 'F1 score',
  rocAuc: 'ROC AUC',
  prAuc: 'PR AUC',
  ece: 'Calibration error',
  brier: 'Brier score',
};
const SPLIT_NAMES = { train: 'training', val: 'validation', test: 'test' } as const;
const INTERVAL = `${100 * LEVEL} %`;

/** Each metric by split, the test split's with its interval. */
export function metricsSection({ splits, intervals }: Assessment): Markup {
  const shown = ASSESSED.flatMap((split) => {
    const known = splits[split];
    return known === undefined ? [] : [{ name: SPLIT_NAMES[split], ...known }];
  });
  const rows = METRICS.map(
    (metric): Row => [
      NAMES[metric],
      ...shown.map(({ metrics }) => metrics[metric].toFixed(3)),
      formatInterval(intervals[metric]),
    ],
  );
  const counts: Row[] = [
    ['Pictures', ...shown.map(({ metrics }) => metrics.frames.toLocaleString('en')), ''],
    ['Recordings or scenes', ...shown.map(({ groups }) => groups.toLocaleString('en')), ''],
  ];
  const names = [...shown.map(({ name }) => name), `${INTERVAL} of test`];
  const columns = [{ name: 'at one half' }, ...names.map(numberColumn)];
  return markup`<section><h2>Metrics of single pictures</h2>
${dataTable('Metrics by split', columns, [...rows, ...counts])}
<p class="note">Intervals: ${RESAMPLES} draws of whole recordings or scenes (percentile bootstrap).
Calibration error and Brier score are better when lower.</p></section>`;
}

export function confusionSection({ splits: { test } }: Assessment): Markup | null {
  if (test === undefined) return null;
  const [[tn, fp], [fn, tp]] = test.metrics.confusion;
  return markup`<section><h2>Confusion matrix of the test split</h2><table class="confusion">
<thead><tr><td></td><th scope="col">called programme</th><th scope="col">called AD</th></tr></thead>
<tbody>
<tr><th scope="row">is programme</th>${cell(tn, fp, 'right')}${cell(fp, tn, 'wrong')}</tr>
<tr><th scope="row">is AD</th>${cell(fn, tp, 'wrong')}${cell(tp, fn, 'right')}</tr>
</tbody></table>
<p class="note">Shares are of the row.
Programme called AD is muted by mistake; AD called programme is heard.</p>
</section>`;
}

function cell(count: number, otherOfRow: number, kind: 'right' | 'wrong'): Content {
  const share = `${((100 * count) / Math.max(1, count + otherOfRow)).toFixed(1)} %`;
  return markup`<td class="${kind}">${count.toLocaleString('en')}<small>${share}, ${kind}</small></td>`;
}

export function sliceSection({ slices }: Assessment): Markup {
  const columns = [
    { name: 'source' },
    ...['pictures', 'recordings or scenes', 'accuracy', 'F1', INTERVAL].map(numberColumn),
    { name: 'F1 from 0 to 1' },
  ];
  return markup`<section class="wide"><h2>By source, the weakest first</h2>
${dataTable('Metrics by source', columns, slices.map(sliceRow))}
<p class="note">A source of one recording or scene has no interval.</p></section>`;
}

function sliceRow({ source, groups, ads, metrics, intervals }: Assessment['slices'][number]): Row {
  const counts = [metrics.frames.toLocaleString('en'), groups, metrics.accuracy.toFixed(3)] as const;
  if (ads === 0 || ads === metrics.frames)
    return [source, ...counts, { wide: 3, says: ads === 0 ? 'programme alone' : 'advertisements alone' }];
  const { f1 } = metrics;
  return [source, ...counts, f1.toFixed(3), formatInterval(intervals.f1), intervalTrack(f1, intervals.f1)];
}

function numberColumn(name: string) {
  return { name, isNumber: true };
}
function formatInterval(interval: Interval | null): string {
  return interval === null ? '–' : `${interval.low.toFixed(3)} – ${interval.high.toFixed(3)}`;
}
