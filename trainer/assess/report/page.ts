import type { Assessment } from '../assessment.js';
import { byRemedy, type Finding, type Like } from '../finding.js';
import { learningCurves, precisionRecallChart, reliabilityChart, rocChart } from './charts.js';
import { configurationSection, speedSection, viewingSection } from './facts.js';
import { labelErrorsSection, mistakesSection, type Pictured } from './figures.js';
import { type Content, type Markup, markup } from './markup.js';
import { STYLE } from './style.js';
import { confusionSection, metricsSection, sliceSection } from './tables.js';

export interface PageInput {
  readonly assessment: Assessment;
  readonly findings: readonly Finding[];
  readonly mistakes: readonly Pictured[];
  readonly labelErrors: readonly Pictured[];
  readonly createdAt: Date;
}

/** Nothing is fetched and nothing runs, whatever a name or a picture holds. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The report as one HTML document: no script, nothing fetched, pictures within. */
export function renderPage({ assessment, findings, mistakes, labelErrors, createdAt }: PageInput): string {
  const { subject } = assessment;
  const title = `${subject.name} ${subject.version}`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title} – results</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${title}</h1><p>${originOf(assessment, createdAt)}</p></header>
<main>
${banner(assessment, findings)}
${tiles(assessment)}
${findingList(findings)}
${metricsSection(assessment)}
${viewingSection(assessment)}
${confusionSection(assessment)}
${speedSection(assessment)}
${learningCurves(assessment.epochs)}
${reliabilityChart(assessment)}
${rocChart(assessment)}
${precisionRecallChart(assessment)}
${sliceSection(assessment)}
${mistakesSection(mistakes)}
${labelErrorsSection(labelErrors)}
${configurationSection(assessment)}
</main>
</body>
</html>
`.text;
}

function originOf({ subject, fingerprint }: Assessment, createdAt: Date): string {
  const { architecture, members } = subject;
  const models = members.length > 1 ? `, ${members.length} models as one` : '';
  const time = createdAt.toISOString().slice(0, 16).replace('T', ' ');
  return `${architecture}${models}, assessed ${time} UTC on the data set ${fingerprint.slice(0, 12)}`;
}

/** Before anything else, what makes the numbers below weak or doubtful. */
function banner({ alike }: Assessment, findings: readonly Finding[]): Content {
  const [first, ...more] = findings.filter(({ mark }) => mark === '⚠');
  if (first === undefined) return null;
  const count = more.length === 0 ? '1 warning' : `${more.length + 1} warnings`;
  const doubt = alike.length === 0 ? '' : ' The numbers promise more than they can keep: splits are alike.';
  return markup`<section class="wide banner"><p>⚠ ${count}.${doubt}</p><p>${first.says}.</p></section>`;
}

function tiles({ splits: { test }, intervals, viewing, benchmark }: Assessment): Markup {
  const share = (name: string, metric: 'accuracy' | 'f1' | 'rocAuc') => {
    const interval = intervals[metric];
    const range =
      interval === null ? 'no interval' : `${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`;
    return tile(name, test?.metrics[metric].toFixed(3) ?? '–', range);
  };
  const recorded = (words: string) => (viewing === null ? 'no recordings' : words);
  return markup`<section class="wide"><h2>At a glance</h2><dl class="tiles">
${share('Accuracy', 'accuracy')}${share('F1 score', 'f1')}${share('ROC AUC', 'rocAuc')}
${tile('False mutes', viewing?.falseMutesPerHour.toFixed(1) ?? '–', recorded('an hour'))}
${tile('Onset delay', formatOnset(viewing?.onset.median), recorded('median'))}
${tile('Inference', benchmark === null ? '–' : `${benchmark.p95Ms.toFixed(1)} ms`, 'P95 on this machine')}
</dl></section>`;
}

function tile(name: string, value: string, below: string): Content {
  return markup`<div><dt>${name}</dt><dd>${value}<small>${below}</small></dd></div>`;
}

/** Undefined where there are no recordings, null where most breaks are never noticed. */
function formatOnset(seconds: number | null | undefined): string {
  if (seconds === undefined) return '–';
  return seconds === null ? 'never' : `${seconds.toFixed(1)} s`;
}

function findingList(findings: readonly Finding[]): Markup {
  return markup`<section class="wide"><h2>Good indicators and warning signs</h2>
<ul class="findings">${byRemedy(findings).flatMap(findingItems)}</ul></section>`;
}

/** What mends several stands below the last of them. */
function findingItems({ findings, remedy }: Like): Content[] {
  return findings.map((finding) => findingItem(finding, finding === findings.at(-1) ? remedy : null));
}

function findingItem({ mark, says }: Finding, remedy: string | null): Content {
  const isWarning = mark === '⚠';
  const word = isWarning ? markup`<strong>Warning: </strong>` : null;
  const todo = remedy === null ? null : markup`<small>What to do: ${remedy}</small>`;
  return markup`<li class="${isWarning ? 'warning' : 'good'}">
<span class="mark" aria-hidden="true">${mark}</span>
<div>${word}${says}${todo}</div></li>`;
}
