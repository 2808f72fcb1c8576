import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { clockOf, DISTORTION_NAMES, distortionOf } from './distort.js';
import { makeMaterial } from './material.js';
import { scan } from './scan.js';
import { score, told } from './score/score.js';
import { shownAt, type Truth } from './truth.js';

const run = promisify(execFile);
const say = () => undefined;
const world = { seed: 'x1', channels: 1, recordings: 2, minutes: 4 } as const;

/** When black ends, by ffmpeg, seconds from the file's start. */
async function blackEnds(path: string): Promise<number[]> {
  const start = await run('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    'format=start_time',
    '-of',
    'csv=p=0',
    path,
  ]);
  const filter = ['-vf', 'blackdetect=d=0.08:pix_th=0.15', '-an', '-f', 'null', '-'];
  const { stderr } = await run('ffmpeg', ['-nostdin', '-hide_banner', '-copyts', '-i', path, ...filter]);
  return [...stderr.matchAll(/black_end:([\d.]+)/g)].map(([, at]) => Number(at) - Number(start.stdout));
}

async function agrees(folder: string, truth: Truth): Promise<number> {
  let held = 0;
  for (const { file } of truth.recordings) {
    const starts = truth.items.flatMap(({ airings }) =>
      airings.filter(({ recording }) => recording === file).map(({ start }) => start),
    );
    for (const end of await blackEnds(join(folder, file))) {
      // blackdetect tells three digits; an hour and a half into a transport stream even fewer.
      const near = starts.map((start) => Math.abs(start - end)).sort((a, b) => a - b)[0] ?? 1;
      if (near > 1) continue;
      assert.ok(near < 0.011, `${file}: black ends at ${end}, ${near} s from the next airing`);
      held += 1;
    }
  }
  return held;
}

test('the truth is where ffmpeg sees the black end, plain and with everything that happens to a recording', async () => {
  const cache = await temporaryFolder();
  const plain = await makeMaterial({ world, distortion: null, cache, say });
  assert.ok((await agrees(plain.folder, plain.truth)) >= 4);
  const made = await stat(plain.files[0] ?? '');
  const all = await makeMaterial({ world, distortion: 'all', cache, say });
  assert.ok((await agrees(all.folder, all.truth)) >= 4);
  assert.equal((await stat(plain.files[0] ?? '')).mtimeMs, made.mtimeMs, 'what is there is not made again');
});

test('a command is asked and scored; one that fails or talks nonsense is an error', async () => {
  const airing = { recording: 'a.mkv', start: 1, end: 21, confidence: 1 };
  const again = { ...airing, start: 101, end: 121 };
  const spots = [{ id: 'x', class: 'spot', confidence: 1, why: '', airings: [airing, again] }];
  const says = (text: string) => [process.execPath, '-e', `console.log(${JSON.stringify(text)})`];
  const { found, wall } = await scan(says(JSON.stringify({ spots })), ['a.mkv']);
  const truth: Truth = {
    recordings: [],
    items: [
      {
        id: 'x',
        family: 'x',
        class: 'spot',
        airings: [airing, again].map((one) => ({ ...one, isCut: false })),
      },
    ],
  };
  assert.equal(told(score(found, truth)).precision, 1);
  assert.ok(wall > 0);
  await assert.rejects(scan(says('{"spots":1}'), []), { code: 'input_invalid' });
  await assert.rejects(scan([process.execPath, '-e', 'process.exit(3)'], []), /3/);
});

test('frames are shown at their time, and a lost one at that of the next', () => {
  const frames = { times: [0, 0.04, 0.12, 0.16], fps: 25 };
  assert.equal(shownAt(0.04, frames), 0.04);
  assert.equal(shownAt(0.08, frames), 0.12);
  assert.equal(shownAt(Number.POSITIVE_INFINITY, frames), 0.2);
});

test('clocks of distortions', () => {
  assert.equal(clockOf('bitrate', 0)(12.34), 12.34);
  assert.equal(clockOf('speed', 1)(100.5), 100);
  assert.ok(Math.abs(clockOf('phase', 0)(10) - 9.69) < 1e-9);
  assert.ok(Math.abs(clockOf('phase', 1)(10) - 10) < 0.5 / 29.97);
  assert.throws(() => distortionOf('toString'), { code: 'input_invalid' });
  assert.deepEqual(DISTORTION_NAMES.map(distortionOf), [...DISTORTION_NAMES]);
});
