import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Recurrence, recurrenceSchema } from '@adbreak/shared/contract/labelling.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';

const PROGRAM = fileURLToPath(new URL('./recurrence.js', import.meta.url));

function scan(...args: string[]): { code: number | null; out: string; error: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'scan', ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: status, out: stdout, error: stderr };
}
const spotsIn = (out: string): Recurrence['spots'] => recurrenceSchema.parse(JSON.parse(out)).spots;

function ffmpeg(...args: string[]): void {
  const done = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
}

/** Something that moves and sounds like nothing else, by its seed: cells that live, zoomed, and sliding tones. */
function piece(path: string, seed: number, seconds: number): void {
  const pitch = 180 + 37 * (seed % 11);
  const picture = `life=s=40x23:r=5:seed=${seed}:ratio=0.3,scale=320:180:flags=bilinear,hue=h=${seed * 40},fps=25`;
  const tone = `0.3*sin(2*PI*t*(${pitch}+${seed % 7}*60*sin(t*${1 + (seed % 5) * 0.7})))`;
  const sound = `aevalsrc=exprs='${tone}+0.2*(random(${seed})-0.5)*gt(sin(t*${3 + (seed % 4)}),0)':s=16000`;
  ffmpeg(
    '-f',
    'lavfi',
    '-t',
    `${seconds}`,
    '-i',
    picture,
    '-f',
    'lavfi',
    '-t',
    `${seconds}`,
    '-i',
    sound,
    ...CODEC,
    path,
  );
}
const CODEC = [
  '-c:v',
  'libx264',
  '-preset',
  'ultrafast',
  '-g',
  '25',
  '-pix_fmt',
  'yuv420p',
  '-c:a',
  'aac',
  '-ac',
  '1',
];

function joined(path: string, pieces: readonly string[], ...options: string[]): void {
  const inputs = pieces.flatMap((name) => ['-i', name]);
  const streams = pieces.map((_, i) => `[${i}:v][${i}:a]`).join('');
  const graph = `${streams}concat=n=${pieces.length}:v=1:a=1[v][a]`;
  ffmpeg(...inputs, '-filter_complex', graph, '-map', '[v]', '-map', '[a]', ...CODEC, ...options, path);
}

describe('adbreak recurrence scan', () => {
  let folder = '';
  let recording = '';
  const at = (name: string) => join(folder, name);
  before(async () => {
    folder = await temporaryFolder();
    for (let seed = 1; seed <= 6; seed++) piece(at(`programme${seed}.mkv`), seed, 20);
    piece(at('spot.mkv'), 77, 12);
    recording = at('evening, 1.mkv');
    const order = ['programme1', 'spot', 'programme2', 'programme3', 'spot', 'programme4'];
    joined(
      recording,
      order.map((name) => at(`${name}.mkv`)),
    );
  });

  test('finds what airs twice to the picture, and nothing else, and says it in every format', async () => {
    const { code, out, error } = scan(recording, '--json');
    assert.equal(code, 0, error);
    const spots = spotsIn(out);
    assert.equal(spots.length, 1, out);
    // Each piece lasts a little longer than it says: what counts is how long, and how far apart.
    const [first, second, ...more] = spots[0]?.airings ?? [];
    assert.ok(first !== undefined && second !== undefined && more.length === 0, out);
    for (const { start, end } of [first, second]) assert.ok(Math.abs(end - start - 12) < 0.2, out);
    assert.ok(Math.abs(first.start - 20) < 0.3 && Math.abs(second.start - first.start - 52) < 0.3, out);

    const csv = scan(recording, '--format', 'csv').out.trim().split('\n');
    assert.equal(csv.length, 3);
    assert.match(csv[1] ?? '', /evening, 1\.mkv",\d+\.\d{3},\d+\.\d{3},spot-[0-9a-f]{8},\w+,\d\.\d{3}$/);
    assert.match(scan(recording).out, /spot-[0-9a-f]{8} {2}\w+, \d+ %: 2 airings of 12 s/);
    const beside = scan(recording, '--edl', '--chapters', '--folder', folder, '--output', at('all.txt'));
    assert.equal(beside.code, 0, beside.error);
    assert.equal(beside.out, '');
    assert.match(await readFile(at('evening, 1.chapters.txt'), 'utf8'), /^;FFMETADATA1/);
    await readFile(at('evening, 1.edl'), 'utf8');
    const again = scan(recording, '--edl', '--folder', folder);
    assert.equal(again.code, 1);
    assert.match(again.error, /it exists/);
  });

  test('finds it in another recording of another encoder, with a logo, letterboxed, faster by half a percent', () => {
    const other = at('other.ts');
    const graph =
      'setpts=PTS/1.005,scale=320:136,pad=320:180:0:22,drawbox=x=270:y=30:w=36:h=24:color=white@0.9:t=fill,eq=gamma=1.15';
    ffmpeg(
      ...['-i', at('spot.mkv'), '-vf', graph, '-af', 'asetrate=16080,aresample=16000'],
      ...['-c:v', 'mpeg2video', '-q:v', '7', '-c:a', 'mp2', '-b:a', '64k', '-ar', '16000', at('spot.ts')],
    );
    ffmpeg(
      ...['-i', at('programme5.mkv'), '-i', at('spot.ts'), '-i', at('programme6.mkv')],
      '-filter_complex',
      `[1:v]scale=320:180,fps=25,setsar=1[s];[0:v]${BARS}[x];[2:v]${BARS}[y];[x][0:a][s][1:a][y][2:a]concat=n=3:v=1:a=1[v][a]`,
      ...['-map', '[v]', '-map', '[a]', ...CODEC, other],
    );
    const spots = spotsIn(scan(recording, other, '--json').out);
    const spot = spots.find(
      ({ airings }) => airings.filter((one) => one.recording === recording).length === 2,
    );
    const there = spot?.airings.find((one) => one.recording === other);
    assert.ok(there !== undefined, JSON.stringify(spots));
    assert.ok(
      Math.abs(there.start - 20) < 0.3 && Math.abs(there.end - there.start - 11.94) < 0.15,
      JSON.stringify(there),
    );
  });

  test('finds it in recordings without sound', () => {
    const silent = at('silent.mkv');
    ffmpeg('-i', recording, '-an', '-c', 'copy', silent);
    const spots = spotsIn(scan(silent, '--json').out);
    assert.deepEqual(
      spots.map(({ airings }) => airings.length),
      [2],
    );
  });

  test('takes a recording that comes under two names for one that was repeated, and finds its spots all the same', async () => {
    const twin = at('twin.mkv');
    await copyFile(recording, twin);
    const spots = spotsIn(scan(recording, twin, '--json').out);
    const lengths = spots.map(({ airings }) => airings.length).sort();
    assert.deepEqual(lengths, [2, 4], JSON.stringify(spots));
    assert.deepEqual(spots.map((spot) => spot.class === 'repeat').filter(Boolean).length, 1);
  });

  test('goes on past a recording that cannot be read, and says so', async () => {
    const broken = at('broken.mkv');
    await writeFile(broken, 'no film');
    const { code, out, error } = scan(broken, recording, '--json');
    assert.equal(code, 1);
    assert.equal(spotsIn(out).length, 1);
    assert.match(error, /broken\.mkv/);
    const alone = scan(broken);
    assert.equal(alone.code, 1);
    assert.match(alone.error, /video_unreadable|Cannot read/);
  });

  test('finds what it can in a damaged one, and in a stream whose clock jumps', async () => {
    const cut = at('cut.mkv');
    const bytes = await readFile(recording);
    await writeFile(cut, bytes.subarray(0, Math.floor(bytes.length * 0.9)));
    assert.equal(spotsIn(scan(cut, '--json').out).length, 1);

    const parts = [at('first.ts'), at('second.ts')] as const;
    ffmpeg('-i', recording, '-t', '60', '-c', 'copy', '-output_ts_offset', '5000', parts[0]);
    ffmpeg('-ss', '60', '-i', recording, '-c', 'copy', '-output_ts_offset', '100', parts[1]);
    const jumping = at('jumping.ts');
    await writeFile(jumping, Buffer.concat([await readFile(parts[0]), await readFile(parts[1])]));
    const { code, error } = scan(jumping, '--json');
    assert.equal(code, 0, error);
  });

  test('refuses what it cannot mean', () => {
    for (const [args, why] of [
      [['/dev/video0'], /it is no recording/],
      [[recording, at('spot.mkv'), '--format', 'edl'], /it has no names/],
      [[at('none.mkv')], /none\.mkv/],
    ] as const) {
      const { code, error } = scan(...args);
      assert.equal(code, 1);
      assert.match(error, why);
    }
  });
});

const BARS = 'scale=320:136,pad=320:180:0:22,setsar=1,fps=25';
