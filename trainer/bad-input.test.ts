import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { prepare, prepared } from './testing/datasets.js';
import { writeScenes } from './testing/pictures.js';
import { adbreak, manifestIn, modelDigest, recordedData, SMALL } from './testing/trainings.js';

let root: string;
let data: string;
before(async () => {
  root = await temporaryFolder();
  data = await recordedData(join(root, 'data'));
});

const train = (folder: string, from: string, ...more: readonly string[]) =>
  adbreak(
    ...['train', '--data', from, '--output', join(folder, 'out'), '--cache', join(root, 'cache')],
    ...SMALL,
    ...more,
  );
/** A copy of the data that may be spoilt. */
async function copied(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(data, join(folder, 'data'), { recursive: true });
  return folder;
}
/** Ended with this sentence, before any epoch, without a model. */
function refused(folder: string, done: ReturnType<typeof train>, words: RegExp): void {
  assert.equal(done.status, 1, done.stdout);
  assert.match(done.stderr, words);
  assert.match(done.stderr, /^error [a-z_]+: .*\n {2}what to do: /);
  assert.doesNotMatch(done.stdout, /epoch/);
  assert.ok(!existsSync(join(folder, 'out/model.tflite')));
}

const HEADER = 'start,end,label';
/** The labels of each recording of the data, as they are. */
const SPANS = [
  [0, 5, 'content'],
  [5, 10, 'ad'],
  [10, 15, 'content'],
  [15, 20, 'ad'],
] as const;
/** The same recordings in spans of a second, enough for a cut. */
const seconds = Array.from({ length: 20 }, (_, i) => `${i},${i + 1},${i % 2 === 0 ? 'content' : 'ad'}`);
const rows = (line: (start: number, end: number, label: string) => string) =>
  SPANS.map(([start, end, label]) => line(start, end, label));

describe('labels that cannot be end a training, a cut and a preparation before their work, by file and line', () => {
  const cases: Record<string, { lines: readonly string[]; words: RegExp }> = {
    'that overlap': { lines: ['0,6,content', '5,10,ad'], words: /line 3: it overlaps line 2: .*5,10,ad/ },
    'that run backwards': { lines: ['0,5,content', '9,6,ad'], words: /line 3: .*end after start: .*9,6,ad/ },
    'that end where they begin': { lines: ['5,5,ad'], words: /line 2: .*end after start/ },
    'past the end': {
      lines: ['0,5,content', '5,400,ad'],
      words: /they end at 400\.000 s, the recording at 20\.\d+ s/,
    },
    'in other words': {
      lines: ['0,5,programme'],
      words: /line 2: the label must be ad or content.*programme/,
    },
    'with no numbers': { lines: ['zero,5,ad'], words: /line 2: start and end must be seconds/ },
    'with one column more': { lines: ['0,5,ad,again'], words: /line 2/ },
  };
  for (const [what, { lines, words }] of Object.entries(cases))
    test(what, async () => {
      const folder = await copied();
      const labels = join(folder, 'data/val/one.csv');
      await writeFile(labels, [HEADER, ...lines].join('\n'));
      const named = new RegExp(`error labels_invalid: Cannot read the labels .*one\\.csv .*${words.source}`);
      refused(folder, train(folder, join(folder, 'data')), named);
      const video = join(folder, 'data/val/one.mkv');
      const cut = adbreak(
        ...['dataset', 'cut', '--video', video, '--labels', labels, '--output', join(folder, 'cut')],
      );
      assert.deepEqual([cut.status, existsSync(join(folder, 'cut'))], [1, false], cut.stdout);
      assert.match(cut.stderr, named);
      const made = prepare(join(folder, 'data'), join(folder, 'set'));
      assert.deepEqual([made.status, existsSync(join(folder, 'set'))], [1, false], made.stdout);
      assert.match(made.stderr, named);
    });
  const files: Record<string, { text: string | Uint8Array | null; words: RegExp }> = {
    'of which there is no file': { text: null, words: /labels_invalid: .*one\.csv: ENOENT/ },
    'in an empty file': { text: '', words: /labels_invalid: .*the first line must be start,end,label/ },
    'without a header': { text: '0,5,ad\n', words: /labels_invalid: .*the first line must be/ },
    'that are no text': { text: Uint8Array.of(0, 159, 146, 150, 10, 255), words: /labels_invalid: / },
  };
  for (const [what, { text, words }] of Object.entries(files))
    test(what, async () => {
      const folder = await copied();
      const labels = join(folder, 'data/val/one.csv');
      if (text === null) await rm(labels);
      else await writeFile(labels, text);
      refused(folder, train(folder, join(folder, 'data')), words);
    });
});

test('labels as spreadsheets and other programs write them teach the same, to the byte of the model', async () => {
  const plain = join(root, 'plain');
  const first = train(plain, data);
  assert.equal(first.status, 0, first.stderr);
  const folder = await copied();
  const write = (split: string, text: string | Uint8Array) =>
    writeFile(join(folder, 'data', split, 'one.csv'), text);
  const decimal = (seconds: number) => seconds.toFixed(2).replace('.', ',');
  await write(
    'train',
    `\uFEFF${[HEADER, ...rows((start, end, label) => `${start},${end},${label}`), ''].join('\r\n')}`,
  );
  await write(
    'val',
    ['Start;End;Label', ...rows((start, end, label) => `${decimal(start)};${decimal(end)};"${label}"`)].join(
      '\n',
    ),
  );
  const clock = (seconds: number) => `00:00:${String(seconds).padStart(2, '0')}`;
  const words = { ad: 'Werbung', content: 'Programm' } as const;
  const inWords = rows((start, end, label) =>
    [clock(start), clock(end), label === 'ad' ? words.ad : words.content].join('\t'),
  ).reverse();
  const utf16 = Buffer.from(`\uFEFF${['start\tend\tlabel', ...inWords].join('\n')}`, 'utf16le');
  await write('test', utf16);
  const again = train(
    folder,
    join(folder, 'data'),
    '--set',
    'dataset.label_map={Werbung: ad, Programm: content}',
  );
  assert.equal(again.status, 0, again.stderr);
  assert.equal(await modelDigest(join(folder, 'out')), await modelDigest(join(plain, 'out')));
  const facts = await manifestIn(join(folder, 'out'));
  assert.equal(facts.lineage?.dataset, (await manifestIn(join(plain, 'out'))).lineage?.dataset);
  const mapped = train(folder, join(folder, 'data'), '--label-map', 'Werbung=ad,Programm=content');
  assert.equal(mapped.status, 0, mapped.stderr);
  assert.equal((await manifestIn(join(folder, 'out'))).digest, facts.digest);
});

describe('recordings that cannot be looked at end a training before its work, by name', () => {
  const spoil: Record<string, { by: (video: string) => Promise<void>; words: RegExp }> = {
    'without a picture': {
      by: async (video) => {
        execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-t', '20', '-i', 'sine', video]);
      },
      words: /error video_unreadable: Cannot look at .*train\/one\.mkv: it has no picture, only sound/,
    },
    'with nothing in them': {
      by: (video) => truncate(video, 0),
      words: /error video_unreadable: Cannot read the video .*train\/one\.mkv: /,
    },
    'that are something else': {
      by: (video) => writeFile(video, 'a recording, they said'),
      words: /error video_unreadable: Cannot read the video .*train\/one\.mkv: .*Invalid data/,
    },
  };
  for (const [what, { by, words }] of Object.entries(spoil))
    test(what, async () => {
      const folder = await copied();
      await by(join(folder, 'data/train/one.mkv'));
      refused(folder, train(folder, join(folder, 'data')), words);
    });
});

describe('splits that cannot be measured end a training before its work, by name', () => {
  const missing = /error training_failed: Cannot train: the split test needs pictures of both ad and content/;
  test('an empty one', async () => {
    const folder = await copied();
    for (const name of ['one.mkv', 'one.csv']) await rm(join(folder, 'data/test', name));
    refused(folder, train(folder, join(folder, 'data')), missing);
  });
  test('one of one class', async () => {
    const folder = await copied();
    await writeFile(join(folder, 'data/test/one.csv'), [HEADER, '0,5,ad', '5,20,ad'].join('\n'));
    refused(folder, train(folder, join(folder, 'data')), missing);
  });
  test('one whose labels lie where no frame is', async () => {
    const folder = await copied();
    await writeFile(join(folder, 'data/test/one.csv'), [HEADER, '0,5,ad', '19.96,19.99,content'].join('\n'));
    refused(folder, train(folder, join(folder, 'data')), missing);
  });
});

describe('pictures', () => {
  test('of which there are but three of each class train a model all the same, and it is said how few they are', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 3, content: 3 });
    assert.match(
      prepared(join(folder, 'raw'), join(folder, 'set')),
      /⚠ 6 pictures for a base model: fewer than the least/,
    );
    const done = train(folder, join(folder, 'set'), '--set', 'training.epochs=3');
    assert.equal(done.status, 0, done.stderr);
    assert.equal((await manifestIn(join(folder, 'out'))).metrics.frames, 2);
  });
  test('that are cut off are left out by name where a data set is made, and end a training that finds one', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 8, content: 8 });
    await truncate(join(folder, 'raw/ad/frame_2.jpg'), 900);
    const said = prepared(join(folder, 'raw'), join(folder, 'set'));
    assert.match(said, /left out: 1 that could not be read\n {2}ad\/frame_2\.jpg: /);
    const [victim = ''] = await readdir(join(folder, 'set/train/content'));
    await truncate(join(folder, 'set/train/content', victim), 900);
    const words = new RegExp(`error dataset_invalid: .*train/content/${victim}.*has changed`);
    const done = train(folder, join(folder, 'set'));
    assert.equal(done.status, 1, done.stdout);
    assert.match(done.stderr, words);
    assert.ok(!existsSync(join(folder, 'out/model.tflite')));
  });
});

describe('places that cannot be written end a command in a sentence, before its work', () => {
  test('of a training', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), 'mine');
    for (const place of [join(folder, 'file'), join(folder, 'file/below'), '/proc/adbreak'])
      for (const option of ['--output', '--cache'])
        refused(
          folder,
          train(folder, data, option, place),
          new RegExp(`error state_unwritable: Cannot write to ${place}`),
        );
    assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'mine');
  });
  test('of a conversion', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), 'mine');
    const done = adbreak(
      ...['convert', '--architecture', 'mobilenet_v3_small', '--weights', 'random:1', '--quantize', 'none'],
      ...['--output', join(folder, 'file/m.tflite')],
    );
    assert.equal(done.status, 1);
    assert.match(done.stderr, /^error state_unwritable: Cannot write to .*file: /);
  });
  test('of data sets', async () => {
    const folder = await temporaryFolder();
    await writeScenes(join(folder, 'raw'), { ad: 3, content: 3 });
    await writeFile(join(folder, 'file'), 'mine');
    const place = join(folder, 'file/below');
    const labels = join(folder, 'labels.csv');
    await writeFile(labels, [HEADER, ...seconds].join('\n'));
    for (const args of [
      ['prepare', '--source-path', join(folder, 'raw'), '--output-dir', '/proc/adbreak/below'],
      ['synthesize', '--seconds', '5', '--output', place],
      [...['cut', '--video', join(data, 'train/one.mkv'), '--labels', labels], ...['--output', place]],
    ]) {
      const done = adbreak('dataset', ...args);
      assert.equal(done.status, 1, args.join(' '));
      assert.match(done.stderr, /^error state_unwritable: Cannot write to /, args.join(' '));
    }
    assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'mine');
  });
});

test('a volume that becomes full ends a cut and a synthesis in a sentence, with no recording that is not whole', async (t) => {
  const volume = await smallVolume(t, 512);
  await writeFile(join(volume, 'others'), Buffer.alloc(504 * 1024));
  const folder = await temporaryFolder();
  const labels = join(folder, 'labels.csv');
  await writeFile(labels, [HEADER, ...seconds].join('\n'));
  const video = join(data, 'train/one.mkv');
  for (const args of [
    ['cut', '--video', video, '--labels', labels, '--output', join(volume, 'cut')],
    ['synthesize', '--seconds', '20', '--output', join(volume, 'synthesized')],
  ]) {
    const done = adbreak('dataset', ...args);
    assert.equal(done.status, 1, done.stdout);
    assert.match(
      done.stderr,
      /^error disk_full: Cannot write .*\.(mkv(\.part)?|csv): no space left on its volume/,
    );
  }
  const files = await readdir(volume, { recursive: true });
  assert.deepEqual(
    files.filter((name) => /\.(mkv|csv|part)$/.test(name)),
    [],
  );
});

test('a loss that is no number any more ends a training by epoch and batch, and the best becomes a model', async () => {
  const folder = await temporaryFolder();
  // A decay of lr * weight_decay = 10 makes each weight -9 times what it was, at every step.
  const settings = [
    'optimizer=adamw',
    'weight_decay=1',
    'learning_rate=10',
    'schedule=constant',
    'patience=0',
  ];
  const wild = [...settings, 'folds=2'].flatMap((one) => ['--set', `training.${one}`]);
  const done = train(folder, data, ...wild);
  assert.equal(done.status, 1, done.stdout);
  assert.match(
    done.stderr,
    /^error training_failed: .*no number any more, in the head's epoch \d+, (batch \d+ of \d+|on validation); epoch \d+ was the best, and is kept\n {2}what to do: Lower training\.learning_rate/,
  );
  assert.match(done.stdout, /the best so far, epoch \d+, is kept in /);
  assert.ok(!existsSync(join(folder, 'out/model.tflite')));
  const finished = train(folder, data, ...wild, '--resume', '--finish');
  assert.equal(finished.status, 0, finished.stderr);
  assert.ok((await manifestIn(join(folder, 'out'))).bytes > 0);
});
