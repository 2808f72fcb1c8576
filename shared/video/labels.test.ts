import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { labelFormatOf, parseLabelFile } from './label-files.js';
import { parseLabels } from './labels.js';

const wrong = (words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === 'labels_invalid' && words.test(error.message);
const KNOWN = { duration: 100, frameRate: 25 } as const;
const expected = [
  { start: 0, end: 10, label: 'content' },
  { start: 10, end: 20.5, label: 'ad' },
  { start: 20.5, end: 100, label: 'content' },
];

describe('a CSV of labels', () => {
  const rows = ['0,10,content', '10,20.5,ad', '20.5,100,content'];
  for (const [what, text] of [
    ['lines that end as on Windows', ['start,end,label', ...rows, ''].join('\r\n')],
    ['lines that end as on old Macs', ['start,end,label', ...rows].join('\r')],
    ['a byte order mark', `\uFEFF${['start,end,label', ...rows].join('\n')}`],
    ['semicolons and decimal commas', 'start;end;label\n0;10;content\n10;20,5;ad\n20,5;100;content\n'],
    ['tabs, capitals and quotes', 'Start\tEnd\tLabel\n0\t10\t"CONTENT"\n"10"\t20.5\tAd\n20.5\t100\tcontent'],
    ['clock times', 'start,end,label\n0:00,00:10,content\n0:00:10,00:00:20.5,ad\n0:20.500,1:40,content\n'],
    ['rows in another order', ['start,end,label', ...rows.reverse()].join('\n')],
  ] as const)
    test(`is read with ${what}`, () => assert.deepEqual(parseLabelFile(text, KNOWN), expected));

  test('is read with other words by a map, whatever their case', () => {
    const words = { advert: 'ad', programme: 'content' } as const;
    const text = 'start,end,label\n0,10,Programme\n10,20.5,ADVERT\n20.5,100,programme\n';
    assert.deepEqual(parseLabels(text, words), expected);
    assert.throws(() => parseLabels(text), wrong(/line 2.*a word of the label map/));
    assert.throws(() => parseLabels('start,end,label\n0,1,constructor\n', words), wrong(/line 2/));
  });

  for (const [what, text, words] of [
    ['run backwards', 'start,end,label\n0,10,ad\n20,15,content\n', /line 3: .*end after start/],
    ['overlap, also out of order', 'start,end,label\n50,60,ad\n0,51,content\n', /line 3: it overlaps line 2/],
    ['have a minute of 60 s', 'start,end,label\n0:60,2:00,ad\n', /line 2/],
    ['have no end', 'start,end,label\n0,1e999,ad\n', /line 2/],
    ['are longer than any recording', 'start,end,label\n0,1e300,ad\n', /line 2/],
    ['go past the end of the recording', 'start,end,label\n0,300,ad\n', /end at 300\.000 s, .* 100\.000 s/],
  ] as const)
    test(`is refused where rows ${what}`, () =>
      assert.throws(() => parseLabelFile(text, KNOWN), wrong(words)));

  test('that ends a moment after the recording ends with it', () =>
    assert.deepEqual(parseLabelFile('start,end,label\n0,100.4,ad\n100.4,100.6,content\n', KNOWN), [
      { start: 0, end: 100, label: 'ad' },
    ]));
});

describe('an edit decision list', () => {
  test('names advertisements; the rest is the programme, to the end of the recording', () =>
    assert.deepEqual(parseLabelFile('10\t20.5\t3\n', KNOWN), expected));
  test('may have cuts, clock times and numbered frames; what mutes or marks a scene is no advertisement', () => {
    const text = '## made by hand\n00:00:10 #512 0\n30 31 1\n40 40 2\n';
    assert.deepEqual(parseLabelFile(text, KNOWN), [
      { start: 0, end: 10, label: 'content' },
      { start: 10, end: 20.48, label: 'ad' },
      { start: 20.48, end: 100, label: 'content' },
    ]);
  });
  test('of a recording of unknown length says nothing after its last advertisement', () =>
    assert.deepEqual(
      parseLabelFile('10 20.5 3\n', { duration: null, frameRate: null }),
      expected.slice(0, 2),
    ));
  for (const [what, text, words] of [
    ['runs backwards', '20 10 3\n', /line 1/],
    ['overlaps', '10 20 3\n15 30 0\n', /line 2: it overlaps line 1/],
    ['has an unknown action', '10 20 9\n', /line 1: .*an action from 0 to 3/],
    ['has no end', `10 #${'9'.repeat(400)} 3\n`, /line 1: start and end/],
  ] as const)
    test(`is refused where it ${what}`, () => assert.throws(() => parseLabelFile(text, KNOWN), wrong(words)));
  test('with numbered frames needs a frame rate', () =>
    assert.throws(
      () => parseLabelFile('#10 #20 3\n', { ...KNOWN, frameRate: null }),
      wrong(/nobody says how many/),
    ));
});

describe('the text that comskip writes', () => {
  const text = 'FILE PROCESSING COMPLETE   2500 FRAMES AT  2500\n-------------------\n250\t512\n1000\t2000\n';
  test('names breaks by their frames, at the rate that it says', () =>
    assert.deepEqual(parseLabelFile(text, { duration: null, frameRate: null }), [
      { start: 0, end: 10, label: 'content' },
      { start: 10, end: 20.48, label: 'ad' },
      { start: 20.48, end: 40, label: 'content' },
      { start: 40, end: 80, label: 'ad' },
      { start: 80, end: 100, label: 'content' },
    ]));
  test('is refused where a line is no pair of frames', () =>
    assert.throws(() => parseLabelFile(`${text}5 x\n`, KNOWN), wrong(/line 5/)));
  test('is refused where a break has no end', () =>
    assert.throws(() => parseLabelFile(`${text}5 ${'9'.repeat(400)}\n`, KNOWN), wrong(/line 5/)));
});

test('an EDL in which nothing is has no advertisement; another file in which nothing is has no labels', () => {
  for (const text of ['', '\n'])
    assert.deepEqual(parseLabelFile(text, { ...KNOWN, named: 'edl' }), [
      { start: 0, end: KNOWN.duration, label: 'content' },
    ]);
  assert.throws(() => parseLabelFile('', KNOWN), wrong(/first line must be start,end,label/));
});

test('the format is told by what a file begins with', () => {
  assert.deepEqual(
    [
      'start;end;label\n',
      '0,10,ad\n',
      '\uFEFF12.5 13 0',
      '#12 #13 3',
      'FILE PROCESSING COMPLETE 1 FRAMES',
    ].map((text) => labelFormatOf(text)),
    ['csv', 'csv', 'edl', 'edl', 'comskip'],
  );
});
