import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WindowReport } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { Spool } from './spool.js';

const silent = () => undefined;
const report = (episodes: number, production = 'a'): Omit<WindowReport, 'sequence' | 'stream'> => ({
  start: '2026-01-01T00:00:00.000Z',
  end: '2026-01-01T01:00:00.000Z',
  slice: { channel: 'one', site: 'home', hardware: 'pi5' },
  rollout: null,
  production: production.repeat(64),
  candidate: null,
  serving: 'production',
  episodes,
  content: null,
  draws: null,
  answers: [],
  waiting: 0,
  control: { asked: 0, answered: 0, wrong: 0 },
  histograms: { production: { bins: [[7, episodes]], sum: (7.5 * episodes) / 256 }, candidate: null },
  joint: null,
  labelled: { episodes: 0, productionRight: 0, candidateRight: 0, wins: 0, losses: 0, detail: null },
  jointConfidence: [],
  latency: { production: [[10, 3]], candidate: null },
  adFrames: 0,
  frames: 5,
  dropped: 0,
  restarts: 0,
  memoryMb: 0,
  downloadFailures: 0,
});

test('reports wait in order until they are acknowledged, across a restart', async () => {
  const folder = await temporaryFolder();
  const spool = await Spool.open(folder, silent);
  await spool.add(report(1));
  await spool.add(report(2));
  const again = await Spool.open(folder, silent);
  assert.equal(again.oldest?.episodes, 1);
  await again.acknowledge(1);
  assert.equal(again.oldest?.sequence, 2);
  await again.acknowledge(2);
  assert.equal(again.oldest, undefined);
  const third = await Spool.open(folder, silent);
  await third.add(report(3));
  assert.equal(third.oldest?.sequence, 3, 'a sequence number is never used twice');
});

test('a damaged file is skipped and named; the others are sent', async () => {
  const folder = await temporaryFolder();
  const spool = await Spool.open(folder, silent);
  await spool.add(report(1));
  await spool.add(report(2));
  await writeFile(join(folder, '0000000001.json'), '{"sequence":1,');
  const said: string[] = [];
  assert.equal((await Spool.open(folder, (line) => said.push(line))).oldest?.sequence, 2);
  assert.match(said.join(), /0000000001\.json/);
});

test('a stream is named when the spool begins, goes on across a restart, and another begins where the spool is lost', async () => {
  const folder = await temporaryFolder();
  const streams: (string | undefined)[] = [];
  const made = async () => {
    const spool = await Spool.open(folder, (line) => assert.fail(line));
    await spool.add(report(1));
    const { stream, sequence } = spool.oldest ?? assert.fail('no report');
    await spool.acknowledge(sequence);
    streams.push(stream);
    return sequence;
  };
  assert.deepEqual([await made(), await made()], [1, 2]);
  await rm(folder, { recursive: true });
  assert.equal(await made(), 1);
  assert.match(streams[0] ?? '', /^[0-9a-f]{16}$/);
  assert.equal(streams[1], streams[0]);
  assert.notEqual(streams[2], streams[0]);
});

test('an agent that was updated goes on with its numbers, and gives their stream a name', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'sequence'), '41');
  const spool = await Spool.open(folder, (line) => assert.fail(line));
  await spool.add(report(1));
  assert.equal(spool.oldest?.sequence, 42);
  assert.equal((await Spool.open(folder, silent)).oldest?.stream, spool.oldest?.stream);
});

test('where the last number cannot be read another stream begins, and it is said; no two that wait have one number', async () => {
  for (const damaged of [
    '',
    'garbage',
    '1'.repeat(65),
    'Infinity',
    '-3',
    '1e3',
    ' 7',
    '9999999999',
    '3 xyz',
    '3  0123456789abcdef',
  ]) {
    const folder = await temporaryFolder();
    const spool = await Spool.open(folder, silent);
    for (let n = 1; n <= 3; n++) await spool.add(report(n));
    const { stream } = spool.oldest ?? assert.fail('no report');
    await writeFile(join(folder, 'sequence'), damaged);
    const said: string[] = [];
    const again = await Spool.open(folder, (line) => said.push(line));
    await again.add(report(4));
    for (let n = 1; n <= 3; n++) await again.acknowledge(n);
    const anew = again.oldest ?? assert.fail('no report');
    assert.equal(anew.sequence, 4, JSON.stringify(damaged));
    assert.notEqual(anew.stream, stream);
    assert.match(said.join(), new RegExp(`sequence.*stream ${anew.stream} begins`));
    assert.equal(
      (await Spool.open(folder, (line) => assert.fail(line))).oldest?.stream,
      anew.stream,
      'it is the stream from now on',
    );
  }
});

test('a report that is on its way is not added up with others: its counts arrive once', async () => {
  const folder = await temporaryFolder();
  await Spool.open(folder, silent).then((spool) => spool.add(report(1)));
  // A full spool: a thousand hours without a hub.
  for (let n = 2; n <= 1000; n++)
    await writeFile(
      join(folder, `${String(n).padStart(10, '0')}.json`),
      JSON.stringify({ ...report(1), sequence: n }),
    );
  const spool = await Spool.open(folder, (line) => assert.fail(line));
  const arrived = spool.oldest ?? assert.fail('no report');
  for (let n = 0; n < 3; n++) await spool.add(report(1));
  assert.equal(spool.size, 1000);
  let episodes = arrived.episodes;
  await spool.acknowledge(arrived.sequence);
  for (let next = spool.oldest; next !== undefined; next = spool.oldest) {
    episodes += next.episodes;
    await spool.acknowledge(next.sequence);
  }
  assert.equal(episodes, 1003);
  assert.equal((await Spool.open(folder, silent)).size, 0);
});

test('a full disk loses nothing: reports wait in memory and are written when there is room', async (t) => {
  const folder = await smallVolume(t, 256);
  execFileSync('dd', ['if=/dev/zero', `of=${join(folder, 'ballast')}`, 'bs=1k', 'count=240'], {
    stdio: 'ignore',
  });
  const said: string[] = [];
  const spool = await Spool.open(join(folder, 'spool'), (line) => said.push(line));
  for (let i = 1; i <= 20; i++) await spool.add(report(i));
  assert.equal(spool.size, 20);
  assert.ok(spool.problem instanceof AdbreakError && spool.problem.code === 'disk_full');
  assert.equal(said.length, 1, 'said once, not for every report');
  await rm(join(folder, 'ballast'));
  await spool.flush();
  assert.equal(spool.problem, null);
  assert.ok((await readdir(join(folder, 'spool'))).filter((name) => name.endsWith('.json')).length > 0);
});
