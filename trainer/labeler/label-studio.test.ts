import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatLabelStudio, parseLabelStudio, rangeOfSpan, spansOfRanges } from './label-studio.js';

/** Ten frames of a variable rate. */
const TIMES = Float64Array.of(0, 0.04, 0.08, 0.5, 0.54, 0.58, 2, 2.04, 2.08, 2.12);

function task(ranges: unknown, labels: unknown = ['ad'], more: object = {}) {
  const result = [{ type: 'timelinelabels', value: { ranges, timelinelabels: labels }, ...more }];
  return JSON.stringify([{ data: { video: 'evening.mkv' }, annotations: [{ result }] }]);
}

describe('Label Studio', () => {
  test('frames from 1, both ends meant, are times by the list of timestamps, there and back', () => {
    const [read] = parseLabelStudio(
      task(
        [
          { start: 2, end: 6 },
          { start: 9, end: 10 },
        ],
        ['Ad'],
      ),
    );
    assert.equal(read?.video, 'evening.mkv');
    const spans = spansOfRanges(read?.ranges ?? [], TIMES, 2.16, 'task 1');
    assert.deepEqual(spans, [
      { start: 0.04, end: 2, label: 'ad' },
      { start: 2.08, end: 2.16, label: 'ad' },
    ]);
    const again = spans.map((span) => rangeOfSpan(span, TIMES));
    assert.deepEqual(again, read?.ranges);
  });

  test('what is written is read again', () => {
    const tasks = [{ video: 'a/b.mkv', ranges: [{ first: 1, last: 3, label: 'content' as const }] }];
    assert.deepEqual(parseLabelStudio(formatLabelStudio(tasks)), tasks);
  });

  test('a stretch without a frame is none; one that begins between frames has those within', () => {
    assert.equal(rangeOfSpan({ start: 0.6, end: 1.9, label: 'ad' }, TIMES), null);
    assert.deepEqual(rangeOfSpan({ start: 0.3, end: 1.9, label: 'ad' }, TIMES), {
      first: 4,
      last: 6,
      label: 'ad',
    });
  });

  test('other words, cancelled annotations and other kinds of results', () => {
    const words = { advert: 'ad' } as const;
    assert.equal(
      parseLabelStudio(task([{ start: 1, end: 2 }], ['Advert']), words)[0]?.ranges[0]?.label,
      'ad',
    );
    const cancelled = [
      {
        data: { video: 'x' },
        annotations: [
          { was_cancelled: true, result: [] },
          { result: [{ type: 'choices', value: { choices: ['a'] } }] },
        ],
      },
    ];
    assert.deepEqual(parseLabelStudio(JSON.stringify(cancelled)), [{ video: 'x', ranges: [] }]);
  });

  const bad: Record<string, [string, RegExp]> = {
    'no JSON': ['[{', /it is not JSON/],
    'no list': ['{"data":{}}', /tasks of Label Studio/],
    'frame 0': [task([{ start: 0, end: 2 }]), /ranges\.0\.start/],
    'half a frame': [task([{ start: 1.5, end: 2 }]), /ranges\.0\.start/],
    'an end before the start': [
      task([{ start: 5, end: 2 }]),
      /task 1: a range must not end before its start/,
    ],
    'a word nobody knows': [
      task([{ start: 1, end: 2 }], ['news']),
      /task 1: each range must have one label.*news/,
    ],
    'two labels': [task([{ start: 1, end: 2 }], ['ad', 'content']), /must have one label/],
    'a prototype for a word': [task([{ start: 1, end: 2 }], ['constructor']), /must have one label/],
    'no name': ['[{"data":{"video":3},"annotations":[]}]', /data\.video must name the recording/],
    'two annotations': [
      '[{"data":{"video":"a"},"annotations":[{"result":[]},{"result":[]}]}]',
      /has 2 annotations/,
    ],
  };
  for (const [what, [text, message]] of Object.entries(bad))
    test(`${what} is refused`, () => {
      assert.throws(() => parseLabelStudio(text), { code: 'labels_invalid', message });
    });

  test('a frame behind the last one is refused, with the task', () => {
    const range = { first: 3, last: 11, label: 'ad' as const };
    const refused = { code: 'labels_invalid', message: /task 7: frame 11 is beyond the 10/ };
    assert.throws(() => spansOfRanges([range], TIMES, 3, 'task 7'), refused);
  });
});
