import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Recording } from './library.js';
import { scanSpots } from './scan-spots.js';
import { readSpots, Spots, withIds } from './spots.js';
import { broadcast, FIRST, SECOND } from './testing.js';

const recording = (id: string, name: string): Recording => ({
  ...{ id, name, aliases: [], path: `/videos/${name}`, problem: null },
  facts: { width: 1, height: 1, duration: 9, frameRate: 25, start: 0, hasSound: true },
});
const RECORDINGS = [
  recording(FIRST, 'a/evening.mkv'),
  recording(SECOND, 'b/evening.mkv'),
  recording('0'.repeat(16), 'day.ts'),
];
const RECURRENCE = fileURLToPath(new URL('../../../edge/dist/recurrence.js', import.meta.url));
const never = new AbortController().signal;

function found(...names: string[]) {
  const airings = names.map((name) => ({ recording: name, start: 1, end: 2, confidence: 1 }));
  return { spots: [{ id: 's1', class: 'spot' as const, confidence: 1, why: 'in breaks', airings }] };
}

test('names of files are ids: by path, by name, by the last part where it is one recording’s alone', () => {
  const { spots, unknown } = withIds(
    found('/videos/a/evening.mkv', 'b/evening.mkv', '/elsewhere/day.ts', 'evening.mkv', 'other.mkv'),
    RECORDINGS,
  );
  assert.deepEqual(
    spots[0]?.airings.map((airing) => airing.recording),
    [FIRST, SECOND, '0'.repeat(16)],
  );
  assert.equal(unknown, 2);
});

test('what would be refused as a label is no airing: behind the end, or of what cannot be read', () => {
  const [spot] = found('day.ts').spots;
  const at = (recording: string, end: number) => ({ recording, start: 1, end, confidence: 1 });
  const airings = [at('day.ts', 9.5), at('day.ts', 10.5), at('lost.ts', 2)];
  const lost = { ...recording(SECOND, 'lost.ts'), facts: null, problem: 'gone' };
  const { spots, unknown } = withIds({ spots: spot === undefined ? [] : [{ ...spot, airings }] }, [
    ...RECORDINGS.slice(2),
    lost,
  ]);
  assert.deepEqual(
    spots[0]?.airings.map(({ end }) => end),
    [9.5],
  );
  assert.equal(unknown, 2);
});

test('a file of spots is looked at before it is believed', async () => {
  const path = join(await temporaryFolder(), 'spots.json');
  await assert.rejects(readSpots(path), { code: 'not_found' });
  await writeFile(path, JSON.stringify({ spots: [{ id: 's', class: 'else' }] }));
  await assert.rejects(readSpots(path), { code: 'input_invalid', message: /spots\.0\.class/ });
  await writeFile(path, JSON.stringify(found('day.ts')));
  assert.equal((await readSpots(path)).spots.length, 1);
  const [spot] = found('day.ts').spots;
  await writeFile(path, JSON.stringify({ spots: [spot, spot] }));
  await assert.rejects(readSpots(path), { code: 'input_invalid', message: /two with the id "s1"/ });
});

test('a scan is run once for the same recordings; one that fails or is not there is no spot', async () => {
  const folder = await temporaryFolder();
  const program = join(folder, 'scan.mjs');
  const scan = () => scanSpots({ recordings: RECORDINGS, program, folder, version: '1' }, never);
  assert.equal(await scan(), null, 'the command is not there');
  await writeFile(program, 'console.error("no ffmpeg"); process.exit(3);');
  await assert.rejects(scan(), { code: 'video_unreadable', message: /no ffmpeg/ });
  await writeFile(program, 'console.log("{}")');
  await assert.rejects(scan(), { code: 'input_invalid' });
  await writeFile(
    program,
    `const [name] = process.argv.slice(3); console.log(JSON.stringify(${JSON.stringify(found('NAME'))}).replace('NAME', name));`,
  );
  assert.equal((await scan())?.spots[0]?.airings[0]?.recording, FIRST);
  await writeFile(program, 'process.exit(1)');
  assert.equal((await scan())?.spots.length, 1, 'kept');
  const other = scanSpots({ recordings: RECORDINGS, program, folder, version: '2' }, never);
  await assert.rejects(other, { code: 'video_unreadable' }, 'another version looks anew');
});

test('one recording that cannot be read does not cost the others; it is said', async () => {
  const folder = await temporaryFolder();
  const recordings = ['one.mkv', 'broken.mkv', 'two.mkv'].map((name, i) => ({
    ...recording(`${i}`.repeat(16), name),
    path: join(folder, name),
  }));
  for (const { path } of recordings) broadcast(path, 40);
  await writeFile(join(folder, 'broken.mkv'), 'not a video');
  const scan = () => scanSpots({ recordings, program: RECURRENCE, folder, version: '1' }, never);
  const first = await scan();
  assert.deepEqual(
    new Set(first?.spots.flatMap(({ airings }) => airings.map((airing) => airing.recording))),
    new Set(['0'.repeat(16), '2'.repeat(16)]),
  );
  assert.match(first?.problems.join('\n') ?? '', /^error video_unreadable: .*broken\.mkv/);
  assert.deepEqual(await scan(), first, 'kept with what was said');
});

test('recordings over what one scan takes are left out, and counted', async () => {
  const folder = await temporaryFolder();
  const program = join(folder, 'scan.mjs');
  await writeFile(program, 'console.log(JSON.stringify({ spots: [] }))');
  const scan = (most: number) =>
    scanSpots({ recordings: RECORDINGS, program, folder, version: '1', most }, never);
  assert.deepEqual((await scan(3))?.problems, []);
  assert.match((await scan(2))?.problems.join() ?? '', /^1 of 3 recordings are left out/);
});

test('of lists that come while a scan runs the newest counts, and the running one ends', async (t) => {
  const folder = await temporaryFolder();
  const [program, log] = [join(folder, 'scan.mjs'), join(folder, 'log')];
  await writeFile(
    program,
    `import { appendFileSync } from 'node:fs';
    const say = (word) => appendFileSync(${JSON.stringify(log)}, word + '\\n');
    const files = process.argv.slice(3, -2);
    say('begins ' + files.length);
    process.on('SIGTERM', () => setTimeout(() => { say('ended'); process.exit(143); }, 200));
    if (files.length === 1) setInterval(() => {}, 1000);
    else console.log(JSON.stringify({ spots: [] }));`,
  );
  const spots = await Spots.open({
    ...{ file: undefined, program, folder, version: '1', say: assert.fail, onChange: () => undefined },
  });
  t.after(() => spots[Symbol.asyncDispose]());
  const words = async () => (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  spots.scan(RECORDINGS.slice(0, 1));
  await until('the first scan', async () => (await words()).includes('begins 1'));
  spots.scan(RECORDINGS.slice(0, 1));
  spots.scan(RECORDINGS.slice(0, 2));
  spots.scan(RECORDINGS);
  await until('the last scan', () => spots.state === 'ready');
  assert.deepEqual(await words(), ['begins 1', 'ended', 'begins 3']);
});
