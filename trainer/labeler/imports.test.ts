import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { scan } from '../dataset/scan.js';
import { exportLabels, importLabels } from './exchange.js';
import { pictureName, spansOfPictures } from './frame-names.js';
import { Library } from './library.js';
import { openBook } from './open-book.js';
import { broadcast } from './testing.js';

const never = new AbortController().signal;

/** Recordings of 6 s, and a file or folder to import. */
async function desk(files: Record<string, string>) {
  const [videoDir, outputDir, folder] = [
    await temporaryFolder(),
    await temporaryFolder(),
    await temporaryFolder(),
  ];
  broadcast(join(videoDir, 'evening.mkv'), 6);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const take = (name: string, more: { recording?: string; labeller?: string } = {}) =>
    importLabels(
      {
        videoDir,
        outputDir,
        path: join(folder, name),
        labeller: 'import',
        recording: undefined,
        words: { advert: 'ad' },
        ...more,
      },
      say,
      never,
    );
  const give = (frames = false) => exportLabels({ videoDir, outputDir, frames }, say, never);
  const takeBack = async () => {
    const library = new Library(videoDir, assert.fail);
    await library.rescan();
    await using opened = await openBook({ outputDir, library, say: assert.fail, onChange: () => undefined });
    await opened.book.post({ labeller: 'import', action: { kind: 'undo', id: randomUUID() } });
  };
  return { outputDir, folder, said, take, give, takeBack };
}

async function csvOf(outputDir: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(join(outputDir, 'evening.csv'), 'utf8');
}

describe('labels from files', () => {
  const good: Record<string, string> = {
    'evening.csv': 'start,end,label\n0,2.5,Advert\n2.5,6,content\n',
    'evening.edl': '0 2.5 3\n',
    'evening.txt': 'FILE PROCESSING COMPLETE 150 FRAMES AT 2500\n-------------------\n0 62.5\n'.replace(
      '62.5',
      '62',
    ),
    'tasks.json': JSON.stringify([
      {
        data: { video: '/data/upload/1/0a1b2c3d-evening.mkv' },
        annotations: [
          {
            result: [
              { type: 'timelinelabels', value: { ranges: [{ start: 1, end: 62 }], timelinelabels: ['ad'] } },
            ],
          },
        ],
      },
    ]),
  };
  for (const [name, text] of Object.entries(good))
    test(`${name} is taken, once, and given back`, async () => {
      const { take, give, outputDir } = await desk({ [name]: text });
      const first = await take(name);
      assert.equal(first.taken, 0);
      assert.equal((await take(name)).taken, first.labels, 'a second time it is known');
      const { leftOut } = await give();
      assert.deepEqual(leftOut, []);
      assert.match(await csvOf(outputDir), /^start,end,label\n0\.0\d\d,2\.(48|5)\d*,ad\n/);
    });

  test('what was taken back is taken again, as often as one likes', async () => {
    const { take, give, takeBack, outputDir } = await desk({ 'evening.csv': 'start,end,label\n0,2.5,ad\n' });
    await take('evening.csv');
    for (let again = 0; again < 3; again++) {
      await takeBack();
      assert.equal((await take('evening.csv')).taken, 0);
      assert.equal((await take('evening.csv')).taken, 1, 'it stands');
    }
    await give();
    assert.match(await csvOf(outputDir), /^start,end,label\n0.*,2\.(48|5)\d*,ad\n/);
  });

  test('a file of labels that were taken back goes with the next save; one that was changed by hand stays', async () => {
    const { take, give, takeBack, outputDir } = await desk({ 'evening.csv': 'start,end,label\n0,2.5,ad\n' });
    await take('evening.csv');
    await give();
    await appendFile(join(outputDir, 'evening.edl'), '4 5 3\n');
    await takeBack();
    assert.match((await give()).leftOut.join('\n'), /evening\.csv is taken away.*\n.*evening\.edl stays/);
    const files = await readdir(outputDir);
    assert.ok(!files.includes('evening.csv') && files.includes('evening.edl'), files.join());
    assert.deepEqual((await give()).leftOut, []);
  });

  const bad: Record<string, [string, string, RegExp]> = {
    'evening.csv': ['start,end,label\n0,2,ad\n1,3,content\n', 'labels_invalid', /line 3: it overlaps line 2/],
    'evening.edl': ['0 2 3\n5 x 3\n', 'labels_invalid', /line 2/],
    'evening.txt': ['FILE PROCESSING COMPLETE 9 FRAMES AT 2500\n---\n5\n', 'labels_invalid', /line 3/],
    'tasks.json': [
      '[{"data":{"video":"other.mkv"},"annotations":[]}]',
      'not_found',
      /no recording here is called "other.mkv"/,
    ],
    'broken.json': ['[', 'labels_invalid', /not JSON/],
    'other.csv': ['start,end,label\n0,2,ad\n', 'not_found', /no recording here is called "other"/],
    'empty.csv': ['', 'not_found', /no recording here/],
  };
  for (const [name, [text, code, message]] of Object.entries(bad))
    test(`${name} with ${JSON.stringify(text.slice(-24))} is refused, and nothing of it is taken`, async () => {
      const { take, give } = await desk({ [name]: text });
      const flat = (error: unknown): string =>
        error instanceof Error
          ? `${error.message} ${error.cause === undefined ? '' : flat(error.cause)}`
          : String(error);
      await assert.rejects(
        take(name),
        (error: Error & { code?: string }) => error.code === code && message.test(flat(error)),
      );
      assert.deepEqual((await give()).files, ['labels.label-studio.json']);
    });

  test('labels behind the end, and of a recording under another name', async () => {
    const { take } = await desk({
      'evening.csv': 'start,end,label\n0,90,ad\n',
      'x.csv': 'start,end,label\n1,2,ad\n',
    });
    await assert.rejects(take('evening.csv'), { code: 'labels_invalid' });
    assert.equal((await take('x.csv', { recording: 'evening' })).labels, 1);
  });

  test('of a folder those that are of a recording here; the others are said', async () => {
    const { take, said } = await desk({ 'evening.csv': 'start,end,label\n1,2,ad\n', 'morning.csv': 'x' });
    assert.equal((await take('.')).labels, 1);
    assert.match(said.join(), /morning\.csv is left out/);
  });
});

describe('pictures', () => {
  test('a picture for each labelled second, as dataset prepare reads them; and back', async () => {
    const { take, give, outputDir } = await desk({ 'evening.csv': 'start,end,label\n0,3,ad\n3,6,content\n' });
    await take('evening.csv');
    const { pictures } = await give(true);
    assert.equal(pictures, 6);
    const { pictures: found } = await scan(outputDir, 'csv');
    assert.equal(found.length, 6);
    assert.equal((await readdir(join(outputDir, 'ad', 'evening'))).length, 3);
    const again = await desk({});
    const paths = Object.fromEntries(found.map(({ path }) => [path, '']));
    const other = await desk(paths);
    assert.equal((await other.take('.', { labeller: 'pictures' })).labels, 2);
    await assert.rejects(again.take('.'), { code: 'labels_invalid' });
  });

  test('each names its second; what has none, or two labels, or lies behind the end, is refused by its name', () => {
    const ad = (name: string) => ({ name, label: 'ad' as const });
    const name = pictureName('ad', 'day/evening', 12.5);
    assert.equal(name, 'ad/day/evening/evening_00012.500.jpg');
    assert.deepEqual(spansOfPictures([ad(name), ad('ad/e_13.5.jpg'), ad('ad/e_20.jpg')], 20.4), [
      { start: 12.5, end: 14.5, label: 'ad' },
      { start: 20, end: 20.4, label: 'ad' },
    ]);
    const refused = (...pictures: Parameters<typeof spansOfPictures>[0]) =>
      assert.throws(() => spansOfPictures(pictures, 20), { code: 'labels_invalid', message: /ad\/x/ });
    refused(ad('ad/x.jpg'));
    refused(ad('ad/x_25.jpg'));
    refused({ name: 'content/y_3.jpg', label: 'content' }, ad('ad/x_3.jpg'));
  });
});
