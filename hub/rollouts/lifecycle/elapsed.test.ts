import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { BIN } from '../../testing/command.js';
import { intakeOf, PAIR } from '../../testing/intake.js';
import { exportLog } from '../../testing/store.js';
import { after, PLAN, report } from '../fixtures.js';
import type { Plan } from '../plan.js';
import { uncountedMs } from './elapsed.js';

const HOUR = 3_600_000;
/** Three hours in the shadow; nobody is silent, and nothing is missing. */
const SOAK: Plan = {
  ...PLAN,
  silence: { ...PLAN.silence, windows: 100, missing: 1 },
  stages: PLAN.stages.map((stage, i) => ({ ...stage, minEpisodes: 10, soakHours: i === 0 ? 3 : 0 })),
};

test('of a step of the clock counts what the hub ran, and all of it up to an hour', () => {
  for (const [moved, ran, uncounted] of [
    [HOUR, 0, 0],
    [-60_000, 0, 0],
    [3 * HOUR, 0, 3 * HOUR],
    [3 * HOUR, 3 * HOUR, 0],
    [1000 * HOUR, 30_000, 1000 * HOUR - 30_000],
    [-1000 * HOUR, 30_000, -1000 * HOUR - 30_000],
  ] as const)
    assert.equal(uncountedMs(moved, ran), uncounted, `${moved} ${ran}`);
});

async function soaking(t: TestContext) {
  let hour = 0;
  const now = () => after(hour);
  let hub = await intakeOf({ now, plan: SOAK });
  t.after(() => hub.store.close());
  const at = async (next: number) => {
    hour = next;
    await hub.executor.tick();
    const { last, stage } = hub.rollout();
    return [stage, last?.cause];
  };
  for (const device of ['pi-0', 'pi-1', 'pi-2']) {
    const window = report(1, 0, { wins: 10, agreed: 300 }, { rollout: hub.rollout().id, ...PAIR });
    hour = 1;
    await hub.intake.take(device, 'windows', Buffer.from(JSON.stringify(window)));
  }
  await at(1);
  const again = async () => {
    await hub.store.close();
    hub = await intakeOf({ now, folder: hub.folder });
  };
  const replays = async () => {
    const log = await exportLog(hub.folder, hub.rollout().id);
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [BIN, 'rollouts', 'replay', '--events', log, '--json'],
      { encoding: 'utf8' },
    );
    assert.match(stdout, /"identical":true/, stderr);
  };
  const stageOf = async (next: number) => (await at(next))[0];
  return { at, stageOf, again, replays, rollout: () => hub.rollout() };
}

test('a clock that jumps ahead ends no soak, nor does it lengthen it when it comes back; the log replays to the same', async (t) => {
  const fleet = await soaking(t);
  assert.deepEqual(await fleet.at(1.7), [0, 'soak']);
  assert.equal(await fleet.stageOf(1.7 + 8), 0, 'eight hours at once');
  assert.equal(await fleet.stageOf(1.7 + 8.5), 0, 'half an hour there counts');
  assert.ok(Math.abs(fleet.rollout().uncountedHours - 8) < 0.01);
  assert.equal(await fleet.stageOf(2.2), 0, 'and back');
  assert.ok(Math.abs(fleet.rollout().uncountedHours) < 0.01);
  assert.equal(await fleet.stageOf(2.9), 0);
  assert.equal(await fleet.stageOf(3.1), 1, 'three hours have passed');
  await fleet.replays();
});

test('the hours in which no hub ran end no soak; what ran before them and after them does', async (t) => {
  const fleet = await soaking(t);
  assert.equal(await fleet.stageOf(1.7), 0);
  await fleet.again();
  assert.equal(await fleet.stageOf(9.7), 0, 'eight hours later');
  await fleet.again();
  assert.equal(await fleet.stageOf(10.2), 0, 'half an hour later, and not left out twice');
  assert.equal(await fleet.stageOf(10.9), 0);
  assert.equal(await fleet.stageOf(11.4), 1);
  await fleet.replays();
});
