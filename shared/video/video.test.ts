import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { greyVideo, temporaryFolder } from '../testing/temporary.js';
import { until } from '../testing/until.js';
import { frames } from './frames.js';
import { formatLabels, labelAt, labelOf, parseLabels } from './labels.js';
import { bindingOf } from './parent-binding.js';

const PREPROCESS = { width: 32, height: 32, scaler: 'area' } as const;
const coded = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

describe('frames of a real file', () => {
  test('come at the wanted rate, size and time, with their pixels', async () => {
    const path = join(await temporaryFolder(), 'two greys.mkv');
    greyVideo(path, [
      { level: 30, seconds: 3 },
      { level: 200, seconds: 3 },
    ]);
    const seen = [];
    for await (const frame of frames({ source: path, preprocess: PREPROCESS, fps: 2 }))
      seen.push({ time: frame.time, bytes: frame.pixels.length, level: frame.pixels[500] ?? 0 });
    assert.equal(seen.length, 12);
    assert.deepEqual(
      seen.map(({ time }) => time),
      Array.from({ length: 12 }, (_, i) => i / 2),
    );
    assert.ok(seen.every(({ bytes }) => bytes === 32 * 32 * 3));
    assert.ok(
      seen.slice(0, 5).every(({ level }) => Math.abs(level - 30) < 4) &&
        seen.slice(7).every(({ level }) => Math.abs(level - 200) < 4),
      JSON.stringify(seen),
    );
  });

  test('stop when nobody wants more', async () => {
    const path = join(await temporaryFolder(), 'a.mkv');
    greyVideo(path, [{ level: 90, seconds: 60 }]);
    let count = 0;
    for await (const _ of frames({ source: path, preprocess: PREPROCESS, fps: 10 })) if (++count === 3) break;
    assert.equal(count, 3);
  });

  test('of a reader that something outside ended are an error, not a shorter video', async () => {
    const path = join(await temporaryFolder(), 'a.mkv');
    // Far more than pipes hold: ffmpeg waits for its reader when it is ended.
    greyVideo(path, [{ level: 90, seconds: 600 }]);
    let count = 0;
    const read = async () => {
      for await (const _ of frames({ source: path, preprocess: PREPROCESS, fps: 10 })) {
        count += 1;
        if (count > 1) continue;
        const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
        for (const child of children.trim().split(' ')) process.kill(Number(child), 'SIGKILL');
      }
    };
    await assert.rejects(read, coded('video_unreadable', /ended with SIGKILL/));
    assert.ok(count >= 1 && count < 6000, `${count} frames`);
  });

  test('of what is no video: one error that names it and holds ffmpeg’s words', async () => {
    const path = join(await temporaryFolder(), 'notes.txt');
    await writeFile(path, 'no video');
    const read = async (source: string, ffmpeg?: string) => {
      for await (const _ of frames({ source, preprocess: PREPROCESS, fps: 1, ...(ffmpeg && { ffmpeg }) }))
        assert.fail('a frame');
    };
    await assert.rejects(read(path), coded('video_unreadable', /notes\.txt: .*Invalid data/));
    await assert.rejects(read(`${path}.gone`), coded('video_unreadable', /No such file/));
    await assert.rejects(read('-version'), coded('video_unreadable', /-version/));
    await assert.rejects(read(path, '/nowhere/ffmpeg'), coded('ffmpeg_missing', /nowhere/));
  });
});

describe('what ffmpeg is told to open', () => {
  const readFrom = async (source: string) => {
    let count = 0;
    for await (const _ of frames({ source, preprocess: PREPROCESS, fps: 2 })) count += 1;
    return count;
  };

  test('a V4L2 device is opened by the V4L2 driver of ffmpeg, never read as a file', async () => {
    // There is no grabber here: ffmpeg says who looked for it.
    await assert.rejects(
      readFrom('/dev/video99'),
      coded('video_unreadable', /v4l2.*Cannot open video device \/dev\/video99/),
    );
  });

  test('a path with a colon or with a dash at its beginning is a plain file', async (t) => {
    const folder = await temporaryFolder();
    const before = process.cwd();
    t.after(() => process.chdir(before));
    process.chdir(folder);
    for (const name of ['a:b.mkv', '-x.mkv', 'http:x.mkv']) {
      greyVideo(name, [{ level: 90, seconds: 2 }]);
      assert.equal(await readFrom(name), 4, name);
    }
  });

  test('a URL is a stream', async (t) => {
    const path = join(await temporaryFolder(), 'a.mkv');
    greyVideo(path, [{ level: 90, seconds: 2 }]);
    const video = await readFile(path);
    const server = createServer((_, answer) => void answer.end(video)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    assert.equal(await readFrom(`http://127.0.0.1:${address.port}/a.mkv`), 4);
  });
});

describe('ffmpeg ends with its process', () => {
  const FRAMES = new URL('./frames.js', import.meta.url).href;
  const read = (source: string) =>
    `const { frames } = await import(${JSON.stringify(FRAMES)}); for await (const _ of frames({ source: ${JSON.stringify(source)}, preprocess: ${JSON.stringify(PREPROCESS)}, fps: 2 })) console.log('frame');`;

  test('without setpriv, or with one that knows no --pdeathsig, there is no binding, and frames come all the same', async () => {
    assert.deepEqual(await bindingOf('setpriv'), ['setpriv', '--pdeathsig', 'KILL']);
    assert.deepEqual(await bindingOf('/nowhere/setpriv'), []);
    assert.deepEqual(await bindingOf('false'), []);
    const folder = await temporaryFolder();
    await symlink('/usr/bin/ffmpeg', join(folder, 'ffmpeg'));
    const path = join(folder, 'a.mkv');
    greyVideo(path, [{ level: 90, seconds: 2 }]);
    const options = { encoding: 'utf8', env: { PATH: folder } } as const;
    assert.equal(
      spawnSync(process.execPath, ['--input-type=module', '-e', read(path)], options).stdout,
      'frame\n'.repeat(4),
    );
  });

  test('that is killed while its source is silent', async () => {
    const pipe = join(await temporaryFolder(), 'silent');
    execFileSync('mkfifo', [pipe]);
    const parent = spawn(process.execPath, ['--input-type=module', '-e', read(pipe)], { stdio: 'ignore' });
    const ours = async () => {
      const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      const lines = await Promise.all(
        pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
      );
      return lines.filter((line) => line.startsWith('ffmpeg') && line.includes(pipe)).length;
    };
    await until('one ffmpeg', async () => (await ours()) === 1);
    parent.kill('SIGKILL');
    await until('no ffmpeg', async () => (await ours()) === 0);
  });
});

describe('labels', () => {
  const spans = parseLabels('start,end,label\n0,10,content\n10,20.5,ad\r\n21,30,content\n');
  test('are read and written alike', () => assert.deepEqual(parseLabels(formatLabels(spans)), spans));
  test('answer at a moment', () => {
    assert.deepEqual(
      [0, 9.99, 10, 20.5, 25, 30].map((time) => labelAt(spans, time)),
      ['content', 'content', 'ad', null, 'content', null],
    );
  });
  test('answer for a stretch only when nine tenths agree', () => {
    assert.equal(labelOf(spans, 2, 9), 'content');
    assert.equal(labelOf(spans, 9.5, 20), 'ad');
    assert.equal(labelOf(spans, 5, 15), null);
    assert.equal(labelOf(spans, 40, 50), null);
  });
  for (const [what, text] of [
    ['another header', 'from,to,label\n0,1,ad\n'],
    ['an unknown label', 'start,end,label\n0,1,advert\n'],
    ['an end before its start', 'start,end,label\n5,4,ad\n'],
    ['an overlap', 'start,end,label\n0,5,ad\n4,6,content\n'],
    ['a missing number', 'start,end,label\n,6,content\n'],
    ['too many cells', 'start,end,label\n0,5,ad,x\n'],
    ['no number', 'start,end,label\n0,NaN,ad\n'],
  ] as const)
    test(`refuse ${what}, naming the line`, () =>
      assert.throws(() => parseLabels(text), coded('labels_invalid', /line/)));
});
