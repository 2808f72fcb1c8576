import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { Episode } from '../shadow/episode-log.js';
import { Ledger } from '../shadow/ledger.js';
import { readLedger, writeLedger } from './ledger-file.js';

const T0 = Date.parse('2026-03-01T10:00:00.000Z');
const episode = (id: number): Episode => ({
  id,
  pairing: { rollout: 'r', production: 'a'.repeat(64), candidate: 'b'.repeat(64), serving: 'production' },
  start: 0,
  end: 8,
  frames: 16,
  productionSum: 2,
  candidateSum: 15.5,
  label: null,
});
/** A ledger in which something counts, waits to be counted, waits for an answer, and is answered. */
function usedLedger(episodes: number): Ledger {
  const settings = { labelSeconds: 60, windowSeconds: 3600, canAsk: true, uniform: () => 0.5 };
  const ledger = new Ledger(settings, { perWeek: null, answerHours: 24 }, T0);
  for (let id = 1; id <= episodes; id++) ledger.end(episode(id), T0 + id, true);
  assert.ok(ledger.label(episodes, 'ad', T0 + 100_000));
  for (let id = 1; id <= episodes; id++) ledger.end(episode(episodes + id), T0 + 110_000 + id, true);
  return ledger;
}

test('what a ledger knows comes back as it was', async () => {
  const path = join(await temporaryFolder(), 'windows.json');
  assert.equal(await readLedger(path, assert.fail), null, 'a first start');
  const { state } = usedLedger(3);
  assert.deepEqual(
    [state.counts.length, state.pending.length, state.waiting.length, state.answers.length],
    [1, 3, 2, 1],
  );
  await writeLedger(path, state);
  assert.deepEqual(await readLedger(path, assert.fail), state);
});

test('the file is bounded, however long nobody answers', async () => {
  const path = join(await temporaryFolder(), 'windows.json');
  await writeLedger(path, usedLedger(5000).state);
  const back = await readLedger(path, assert.fail);
  assert.deepEqual(
    [back?.waiting.length, back?.pending.length],
    [999, 3000],
    'a thousand waited, one of them was answered',
  );
  assert.equal(back?.pending.at(-1)?.episode.id, 10_000);
  assert.ok((await stat(path)).size < 3 * 2 ** 20);
});

test('a damaged file is set aside and said, and the device begins anew', async () => {
  const path = join(await temporaryFolder(), 'windows.json');
  await writeLedger(path, usedLedger(3).state);
  const whole = await readFile(path, 'utf8');
  for (const damaged of [
    whole.slice(0, -40),
    whole.replace('"rate":1', '"rate":0.3'),
    'x'.repeat(5 * 2 ** 20),
  ]) {
    await writeFile(path, damaged);
    const said: string[] = [];
    assert.equal(await readLedger(path, (line) => said.push(line)), null);
    assert.match(said.join(), /windows\.json/);
    assert.equal(await readFile(`${path}.damaged`, 'utf8'), damaged);
    assert.equal(await readLedger(path, assert.fail), null);
  }
});
