import type { Assessment, Requirement, SplitAssessment } from './assessment.js';
import { FEW_GROUPS } from './bootstrap.js';
import { type Finding, good, warning } from './finding.js';
import { errorRates } from './metrics.js';

/** Training accuracy may be above that on unseen pictures by so much. */
const LARGEST_GAP = 0.05;
/** So many of one class called the other are many. */
const HIGH_RATE = 0.1;
/** Under this neither kind of error matters, however the two compare. */
const LOW_RATE = 0.05;
const HIGHEST_ECE = 0.1;
const WORSE_ECE = 0.02;

/**
 * Good indicators and warning signs, those of the guide and those that its numbers hide; warnings come first.
 */
export function findingsOf(assessment: Assessment): Finding[] {
  const { test, train } = assessment.splits;
  const found = [
    ...ofAlikeSplits(assessment),
    ...(test === undefined
      ? [
          warning(
            'There is no test split: nothing is measured on unseen pictures',
            'Splits that are no strangers',
          ),
        ]
      : ofTest(test, assessment)),
    ...(test === undefined || train === undefined ? [] : [ofGap(train, test)]),
    ...ofViewing(assessment),
    ...ofSpeed(assessment),
    ...assessment.requirements.map(ofRequirement),
  ];
  return [...found.filter(({ mark }) => mark === '⚠'), ...found.filter(({ mark }) => mark === '✓')];
}

function ofTest(test: SplitAssessment, assessment: Assessment): Finding[] {
  return [
    ...ofItsPictures(test),
    above('Accuracy', test.metrics.accuracy, 0.9, 0.85),
    above('F1 score', test.metrics.f1, 0.85, 0.75),
    ...ofNothingLearnt(test),
    ...ofBaselines(test, assessment),
    ...ofSlices(test, assessment),
    ...ofErrors(test),
    ofCalibration(assessment),
  ];
}

function ofAlikeSplits({ alike }: Assessment): Finding[] {
  return alike.map(({ splits: [a, b], groups, share }) => {
    const how = groups.length === 0 ? 'near-duplicates of pictures' : 'of recordings or scenes';
    return warning(
      `${a} and ${b} are alike: ${percent(share)} of the pictures of ${b} are ${how} that ${a} has`,
      'Splits that are no strangers',
    );
  });
}

function ofItsPictures({ metrics: { confusion }, groups }: SplitAssessment): Finding[] {
  const [[tn, fp], [fn, tp]] = confusion;
  const found: Finding[] = [];
  if (tn + fp === 0 || fn + tp === 0) {
    const which = tn + fp === 0 ? 'advertisements' : 'programme';
    found.push(
      warning(
        `The test split has pictures of ${which} alone: most metrics have no meaning`,
        'Splits that are no strangers',
      ),
    );
  }
  if (groups < FEW_GROUPS) {
    const what =
      groups === 1
        ? '1 recording or scene: there are no intervals'
        : `${groups} recordings or scenes: the intervals are narrower than the truth`;
    found.push(warning(`The test split comes from ${what}`, 'Splits that are no strangers'));
  }
  return found;
}

function above(name: string, value: number, wanted: number, low: number): Finding {
  if (value > wanted) return good(`${name} ${value.toFixed(3)} (over ${wanted})`);
  const how = value < low ? 'low' : `not over ${wanted}`;
  return warning(`${name} ${value.toFixed(3)} is ${how}`, 'Low accuracy');
}

function ofNothingLearnt({ metrics: { accuracy, confusion, frames } }: SplitAssessment): Finding[] {
  const ads = (confusion[1][0] + confusion[1][1]) / frames;
  const majority = Math.max(ads, 1 - ads);
  if (majority === 1 || accuracy > majority + 0.02) return [];
  const word = ads > 0.5 ? 'advertisement' : 'programme';
  const says = `Always saying ${word} would be right in ${percent(majority)}: the model is hardly better`;
  return [warning(says, 'Low accuracy')];
}

function ofBaselines({ metrics: { f1 } }: SplitAssessment, { baselines }: Assessment): Finding[] {
  return Object.entries(baselines)
    .filter(([, baseline]) => f1 <= baseline.f1)
    .map(([name, baseline]) =>
      warning(
        `F1 ${f1.toFixed(3)} is no better than the baseline's (${name}, ${baseline.f1.toFixed(3)})`,
        'Low accuracy',
      ),
    );
}

function ofSlices({ metrics: { f1 } }: SplitAssessment, { slices }: Assessment): Finding[] {
  const [weakest] = slices.filter(({ ads, metrics }) => ads > 0 && ads < metrics.frames);
  if (slices.length < 2 || weakest === undefined || weakest.metrics.f1 >= f1 - 0.1) return [];
  const both = `F1 ${weakest.metrics.f1.toFixed(3)}, over all ${f1.toFixed(3)}`;
  return [warning(`${weakest.source} is served worse than the rest: ${both}`, 'Data drift')];
}

function ofErrors({ metrics }: SplitAssessment): Finding[] {
  const { contentCalledAd: muted, adCalledContent: heard } = errorRates(metrics);
  if (muted === null || heard === null) return [];
  const found: Finding[] = [];
  if (muted > HIGH_RATE)
    found.push(
      warning(
        `High false positive rate: ${percent(muted)} of the programme is called AD and would be muted`,
        'The wrong pictures',
      ),
    );
  if (heard > HIGH_RATE)
    found.push(
      warning(
        `High false negative rate: ${percent(heard)} of the advertisements are missed and would be heard`,
        'The wrong pictures',
      ),
    );
  const both = `${percent(muted)} of the programme, ${percent(heard)} of the advertisements are wrong`;
  const isBalanced = Math.max(muted, heard) <= Math.max(LOW_RATE, 2 * Math.min(muted, heard));
  return [
    ...found,
    isBalanced
      ? good(`Balanced confusion matrix: ${both}`)
      : warning(`The confusion matrix is not balanced: ${both}`, 'The wrong pictures'),
  ];
}

function ofGap(train: SplitAssessment, test: SplitAssessment): Finding {
  const [seen, unseen] = [train.metrics.accuracy, test.metrics.accuracy];
  const both = `accuracy is ${seen.toFixed(3)} on training and ${unseen.toFixed(3)} on test pictures`;
  return seen - unseen > LARGEST_GAP
    ? warning(`Large difference between training and test: ${both}`, 'Overfitting')
    : good(`No large difference between training and test: ${both}`);
}

function ofCalibration({ calibration: { before, after } }: Assessment): Finding {
  const without = before === null ? '' : `, without the temperature ${before.toFixed(3)}`;
  const error = `the calibration error is ${after.toFixed(3)}${without}`;
  if (after > HIGHEST_ECE) return warning(`Probabilities are off: ${error}`, 'Data drift');
  // The temperature is of the validation split: where it does harm, the test split is of another kind.
  return before !== null && after > before + WORSE_ECE
    ? warning(`The temperature makes probabilities worse: ${error}`, 'Data drift')
    : good(`Probabilities can be believed: ${error}`);
}

function ofViewing({ viewing }: Assessment): Finding[] {
  if (viewing === null) return [];
  const { falseMutesPerHour, missed, breaks } = viewing;
  const rate = `${falseMutesPerHour.toFixed(1)} false mutes an hour`;
  const found =
    falseMutesPerHour > 1 ? warning(`${rate}: people switch it off`, 'The wrong pictures') : good(rate);
  return missed > 0.1 * breaks
    ? [found, warning(`${missed} of ${breaks} breaks are never noticed`, 'Low accuracy')]
    : [found];
}

function ofSpeed({ benchmark }: Assessment): Finding[] {
  if (benchmark === null) return [];
  const { meanMs, p95Ms } = benchmark;
  const says = (limit: string) => `Inference takes ${p95Ms.toFixed(1)} ms (P95) on this machine, ${limit}`;
  if (Math.max(meanMs, p95Ms) > 100) return [warning(says('over 100'), 'Slow inference')];
  return [p95Ms < 50 ? good(says('under 50')) : warning(says('not under 50'), 'Slow inference')];
}

function ofRequirement({ name, wanted, got, met }: Requirement): Finding {
  const isTime = name.endsWith('_ms');
  const measure = (value: number) => (isTime ? `${value.toFixed(1)} ms` : value.toFixed(3));
  const both = `${isTime ? `${wanted} ms` : wanted} wanted, ${measure(got)} measured`;
  if (met) return good(`${name} is met: ${both}`);
  const by = measure(Math.abs(wanted - got));
  return warning(`${name} is missed by ${by}: ${both}`, isTime ? 'Slow inference' : 'Low accuracy');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
