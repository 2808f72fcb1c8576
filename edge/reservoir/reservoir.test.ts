import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { addNoise, countRound, type Judged } from './count.js';
import { type Kept, Reservoir } from './reservoir.js';

const SIZE = { width: 16, height: 16, scaler: 'area' };
const frame = (value: number) => new Uint8Array(16 * 16 * 3).fill(value);
const facts = (label: 'ad' | 'content', minute = 0) => ({
  label,
  source: 'button' as const,
  at: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString(),
  ...SIZE,
});
const LIMITS = { episodes: 10, bytes: 1e6 };
const silent = () => undefined;

describe('the reservoir', () => {
  test('keeps frames bit for bit, across a restart, readable by the agent’s user alone', async () => {
    const folder = await temporaryFolder();
    const reservoir = await Reservoir.open(folder, LIMITS, seeded('keep').uniform, silent);
    await reservoir.add(facts('ad'), [frame(1), frame(2)]);
    const again = await Reservoir.open(folder, LIMITS, seeded('keep').uniform, silent);
    const [kept] = again.entries;
    assert.ok(kept !== undefined);
    assert.deepEqual([kept.label, kept.source, kept.frames], ['ad', 'button', 2]);
    assert.deepEqual(await again.frames(kept), [frame(1), frame(2)]);
    const [name = ''] = await readdir(folder);
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0);
  });
  test('is bounded in number and bytes, and gives up the larger class first', async () => {
    const reservoir = await Reservoir.open(await temporaryFolder(), LIMITS, seeded('bound').uniform, silent);
    for (let i = 0; i < 30; i++) await reservoir.add(facts(i % 10 === 0 ? 'ad' : 'content', i), [frame(i)]);
    assert.equal(reservoir.entries.length, 10);
    assert.equal(
      reservoir.entries.filter(({ label }) => label === 'ad').length,
      3,
      'no ad was given up for content',
    );
    const random = seeded('noise');
    const small = await Reservoir.open(
      await temporaryFolder(),
      { episodes: 1000, bytes: 5000 },
      random.uniform,
      silent,
    );
    for (let i = 0; i < 20; i++) await small.add(facts('ad', i), [frame(0).map(() => random.integer(256))]);
    assert.ok(small.entries.length < 8 && small.entries.length > 2, `${small.entries.length}`);
  });
  test('leaves a damaged file out and names it; damage found later is an error of its own', async () => {
    const folder = await temporaryFolder();
    const reservoir = await Reservoir.open(folder, LIMITS, seeded('damage').uniform, silent);
    await reservoir.add(facts('ad'), [frame(1)]);
    const [name = ''] = await readdir(folder);
    const bytes = await readFile(join(folder, name));
    await writeFile(join(folder, name), bytes.subarray(0, bytes.length - 5));
    const [kept] = reservoir.entries;
    await assert.rejects(
      reservoir.frames(kept as Kept),
      (error: unknown) => error instanceof AdbreakError && error.code === 'state_corrupt',
    );
    await writeFile(join(folder, name), 'nonsense');
    const said: string[] = [];
    assert.equal(
      (await Reservoir.open(folder, LIMITS, seeded('damage').uniform, (line) => said.push(line))).entries
        .length,
      0,
    );
    assert.match(said.join(), new RegExp(name));
  });
  test('a full disk is said with its path, and what is there stays', async (t) => {
    const folder = await smallVolume(t, 64);
    const random = seeded('full');
    const reservoir = await Reservoir.open(folder, { episodes: 1000, bytes: 1e9 }, random.uniform, silent);
    const add = async () => {
      for (let i = 0; i < 200; i++)
        await reservoir.add(facts('ad', i), [frame(0).map(() => random.integer(256))]);
    };
    await assert.rejects(
      add(),
      (error: unknown) =>
        error instanceof AdbreakError && error.code === 'disk_full' && error.message.includes(folder),
    );
    for (const kept of reservoir.entries) assert.equal((await reservoir.frames(kept))?.length, 1);
  });
});

describe('a round’s counts', () => {
  const judged = (label: 'ad' | 'content', production: number, candidate: number): Judged => ({
    kept: { ...facts(label), id: 'x', frames: 1 },
    production,
    candidate,
  });
  const counts = countRound(
    [
      judged('ad', 0.9, 0.8),
      judged('ad', 0.2, 0.7),
      judged('content', 0.1, 0.6),
      judged('content', 0.4, 0.3),
    ],
    new Date('2026-01-01T03:00:00.000Z'),
  );
  test('one vote an episode and model', () => {
    assert.deepEqual(counts.counts, {
      episodes: 4,
      productionRight: 3,
      candidateRight: 3,
      wins: 1,
      losses: 1,
    });
    assert.deepEqual(counts.sources, { operator: 0, button: 4, rule: 0 });
    assert.deepEqual(counts.ageHours, { youngest: 3, oldest: 3 });
  });
  test('noise is whole, centred, of the promised spread, and tells nothing of sources', () => {
    const random = seeded('laplace');
    const epsilon = 0.5;
    const draws = Array.from(
      { length: 20_000 },
      () => addNoise(counts, epsilon, random.uniform).counts.episodes - 4,
    );
    assert.ok(draws.every(Number.isInteger));
    const mean = draws.reduce((a, b) => a + b, 0) / draws.length;
    const variance = draws.reduce((a, b) => a + b * b, 0) / draws.length;
    // 2q/(1-q)², q = exp(-epsilon).
    const q = Math.exp(-epsilon);
    assert.ok(Math.abs(mean) < 0.1, `${mean}`);
    assert.ok(Math.abs(variance / ((2 * q) / (1 - q) ** 2) - 1) < 0.06, `${variance}`);
    assert.deepEqual(addNoise(counts, epsilon, random.uniform).sources, { operator: 0, button: 0, rule: 0 });
  });
});
