import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { Recording } from './library.js';
import { readSpots, scanSpots, withIds } from './spots.js';
import { FIRST, SECOND } from './testing.js';

const recording = (id: string, name: string): Recording => ({
  ...{ id, name, aliases: [], path: `/videos/${name}`, problem: null },
  facts: { width: 1, height: 1, duration: 9, frameRate: 25, start: 0, hasSound: true },
});
const RECORDINGS = [
  recording(FIRST, 'a/evening.mkv'),
  recording(SECOND, 'b/evening.mkv'),
  recording('0'.repeat(16), 'day.ts'),
];
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

test('a file of spots is looked at before it is believed', async () => {
  const path = join(await temporaryFolder(), 'spots.json');
  await assert.rejects(readSpots(path), { code: 'not_found' });
  await writeFile(path, JSON.stringify({ spots: [{ id: 's', class: 'else' }] }));
  await assert.rejects(readSpots(path), { code: 'input_invalid', message: /spots\.0\.class/ });
  await writeFile(path, JSON.stringify(found('day.ts')));
  assert.equal((await readSpots(path)).spots.length, 1);
});

test('a scan is run once for the same recordings; one that fails or is not there is no spot', async () => {
  const folder = await temporaryFolder();
  const program = join(folder, 'scan.mjs');
  const scan = () => scanSpots({ recordings: RECORDINGS, program, folder }, never);
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
});
