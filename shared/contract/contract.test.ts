import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { AdbreakError, ERROR_CODES } from '../errors.js';
import { contradiction } from './contradiction.js';
import { MESSAGE_LIMIT, type WindowReport, windowReport } from './messages.js';
import { parseJson } from './parse.js';
import { parseTopic, roundTopic, topicOf } from './topics.js';

const digest = (letter: string) => letter.repeat(64);
const REPORT: WindowReport = {
  sequence: 1,
  start: '2026-01-01T00:00:00.000Z',
  end: '2026-01-01T01:00:00.000Z',
  slice: { channel: 'one', site: 'home', hardware: 'pi5' },
  rollout: 'r1',
  production: digest('a'),
  candidate: digest('b'),
  serving: 'production',
  episodes: 5,
  content: null,
  draws: null,
  answers: [],
  waiting: 0,
  control: { asked: 0, answered: 0, wrong: 0 },
  histograms: {
    production: {
      bins: [
        [10, 3],
        [200, 2],
      ],
      sum: 1.69,
    },
    candidate: { bins: [[12, 5]], sum: 0.24 },
  },
  joint: [
    [3, 0],
    [2, 0],
  ],
  jointConfidence: [],
  labelled: { episodes: 4, productionRight: 2, candidateRight: 4, wins: 2, losses: 0, detail: null },
  latency: { production: [[12, 40]], candidate: [[12, 40]] },
  adFrames: 10,
  frames: 40,
  dropped: 0,
  restarts: 0,
  memoryMb: 180,
  downloadFailures: 0,
};

describe('topics', () => {
  test('of a device and back', () =>
    assert.deepEqual(parseTopic(topicOf('pi-1', 'windows')), { device: 'pi-1', kind: 'windows' }));
  test('a round has a topic of its own', () =>
    assert.deepEqual(parseTopic(roundTopic('pi-1', 'r1')), { device: 'pi-1', kind: 'evaluations' }));
  for (const topic of [
    'adbreak/v1/devices/pi-1/frames',
    'adbreak/v1/devices/pi-1/windows/x',
    'adbreak/v1/devices/pi-1/evaluations',
    'adbreak/v1/devices/pi-1/evaluations/r1/x',
    'adbreak/v1/devices/+/windows',
    'adbreak/v1/devices/PI/windows',
    'other/pi-1/windows',
    'adbreak/v1/devices/pi-1',
    'adbreak/v1/devices/pi-1/toString',
    'adbreak/v1/devices/constructor/windows',
    '',
  ]) {
    test(`${JSON.stringify(topic)} is none`, () => assert.equal(parseTopic(topic), null));
  }
});

describe('window reports', () => {
  test('that add up are taken', () => {
    assert.equal(contradiction(windowReport.parse(REPORT)), null);
    // Both disagreements are labelled: the one that was drawn is an answer, the other is a label alone.
    assert.equal(contradiction({ ...REPORT, draws: { rate: 0.5, drawn: 1, wins: 1, losses: 0 } }), null);
  });
  const lies: [string, Partial<WindowReport>][] = [
    ['more episodes than the histogram holds', { episodes: 6 }],
    [
      'a joint table of another size',
      {
        joint: [
          [3, 0],
          [1, 0],
        ],
      },
    ],
    ['more wins than disagreements', { labelled: { ...REPORT.labelled, wins: 3 } }],
    ['more labels than episodes', { labelled: { ...REPORT.labelled, episodes: 9 } }],
    [
      'a bucket of the latency named twice',
      {
        latency: {
          production: Array.from({ length: 64 }, (): [number, number] => [3, 1e9]),
          candidate: null,
        },
      },
    ],
    [
      'a pair of tenths named twice',
      {
        jointConfidence: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      },
    ],
    ['an end before its start', { end: '2025-12-31T23:00:00.000Z' }],
    ['a joint table without a candidate', { candidate: null }],
    [
      'a sum of confidences that its bins cannot have',
      { histograms: { ...REPORT.histograms, candidate: { bins: [[12, 5]], sum: 4 } } },
    ],
    [
      'votes that the histograms do not have',
      {
        joint: [
          [1, 2],
          [2, 0],
        ],
      },
    ],
    ['wins that do not fit who was right', { labelled: { ...REPORT.labelled, wins: 1 } }],
    [
      'a confusion table of other labels',
      {
        labelled: {
          ...REPORT.labelled,
          detail: {
            production: {
              confusion: [
                [3, 0],
                [0, 1],
              ],
              tenths: [[0, 4, 4]],
            },
            candidate: null,
          },
        },
      },
    ],
  ];
  const drawn = { rate: 1, drawn: 2, wins: 1, losses: 0 };
  const answer = { start: '2025-12-31T23:00:00.000Z', wins: 1, losses: 0 };
  lies.push(
    ['more new content than episodes', { content: 6 }],
    ['more draws than disagreements', { draws: { ...drawn, drawn: 3, wins: 2 } }],
    ['undrawn disagreements at a rate of 1', { draws: { ...drawn, drawn: 1 } }],
    ['more answers than draws', { draws: { rate: 0.5, drawn: 1, wins: 2, losses: 0 } }],
    ['answers that are no labels', { draws: { ...drawn, losses: 1 } }],
    ['a labelled disagreement that was drawn and is no answer', { draws: drawn }],
    [
      'draws without a candidate',
      { candidate: null, joint: null, histograms: { ...REPORT.histograms, candidate: null }, draws: drawn },
    ],
    ['an answer to a draw of its own window', { answers: [{ ...answer, start: REPORT.start }] }],
    ['two answers for one window', { answers: [answer, answer] }],
    ['more control answers than control items', { control: { asked: 1, answered: 2, wrong: 0 } }],
  );
  for (const [what, change] of lies)
    test(`with ${what} are contradictory`, () =>
      assert.notEqual(contradiction({ ...REPORT, ...change }), null));
  for (const [what, change] of [
    ['negative counts', { frames: -1 }],
    ['fractions', { episodes: 1.5 }],
    ['a picture', { picture: 'AAAA' }],
    ['NaN', { frames: Number.NaN }],
    ['a bin outside', { histograms: { ...REPORT.histograms, production: { bins: [[256, 1]], sum: 0 } } }],
  ] as const) {
    test(`with ${what} fit no schema`, () =>
      assert.throws(
        () => parseJson(windowReport, JSON.stringify({ ...REPORT, ...change }), MESSAGE_LIMIT, 'a report'),
        AdbreakError,
      ));
  }
  test('are measured before they are parsed', () => {
    assert.throws(
      () => parseJson(windowReport, ' '.repeat(MESSAGE_LIMIT + 1), MESSAGE_LIMIT, 'a report'),
      (error: unknown) => error instanceof AdbreakError && error.code === 'input_too_large',
    );
  });
});

test('every error code is documented', async () => {
  const text = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  for (const code of Object.keys(ERROR_CODES))
    assert.ok(text.includes(`\`${code}\``), `docs/errors.md does not tell of ${code}`);
});
