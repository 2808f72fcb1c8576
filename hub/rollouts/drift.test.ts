import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HOURS_OF_WEEK } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import { after, ownChannel, PLAN, Play, pis, started } from './fixtures.js';
import { explainRollout, explanationText } from './report/explain.js';

const SLOW = {
  ...PLAN,
  deadlineHours: 5000,
  stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 5000 })),
};
/** Two versions differ more in the evening: more is on. */
const evening = (hour: number) => (hour % 24 >= 17 && hour % 24 < 23 ? 5 : 1);

describe('disagreements', () => {
  const run = (beginAt: number, hours: number, factor: (hour: number) => number) => {
    const play = new Play(pis(6), started(SLOW));
    for (let hour = 0; hour < hours; hour++) {
      const differ = evening(hour + beginAt) * factor(hour);
      play.hour(
        hour,
        { wins: Math.ceil(differ / 2), losses: Math.floor(differ / 2), agreed: 40 - differ },
        { channel: ownChannel },
      );
      play.tick(hour + 1.75);
    }
    return play;
  };
  test('have a baseline for each hour of a whole day: begun at night, the evening is no alarm', () => {
    const play = run(0, 24 * 6, () => 1);
    assert.equal(play.state.drift.disagreementAlarm, false);
    assert.equal(play.state.drift.baselines?.length, 24);
    const { baselines } = play.state.drift;
    assert.ok((baselines?.[19] ?? 0) > 1.5 * (baselines?.[6] ?? 1), JSON.stringify(baselines));
  });
  test('are learned from a whole day, whatever the number of episodes before', () => {
    assert.equal(run(0, 23, () => 1).state.drift.baselines, null);
    assert.notEqual(run(0, 25, () => 1).state.drift.baselines, null);
  });
  test('that rise threefold are found, in the hours of the day that they are', () =>
    assert.equal(run(0, 24 * 3 + 21, (hour) => (hour < 48 ? 1 : 3)).state.drift.disagreementAlarm, true));
});

describe('a changed world', () => {
  const random = seeded('world');
  const shares = (ads: number) =>
    Array.from(
      { length: 64 },
      (_, i) => (i < 8 ? 60 - ads : i >= 56 ? ads : i >= 28 && i < 36 ? 2 : 0) + random.integer(4),
    );
  const reference = Array.from({ length: 3 }, () =>
    Array.from({ length: HOURS_OF_WEEK }, (_, hour) => shares(8 + (hour % 24))),
  );
  test('freezes a rollout that would have passed, and rolls nothing back', () => {
    const play = new Play(pis(3), {
      ...started({
        ...PLAN,
        deadlineHours: 1000,
        stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 60 })),
      }),
      reference,
    });
    for (let hour = 0; hour < 60; hour++) {
      // Everything has become doubtful to both: bins in the middle, agreement as before.
      const bins = [[126, 30]] as [number, number][];
      const histogram = { bins, sum: (126.5 * 30) / 256 };
      for (const device of pis(3))
        play.window(
          device,
          hour,
          { agreed: 30 },
          { histograms: { production: histogram, candidate: histogram } },
        );
      play.tick(hour + 1.75);
    }
    assert.deepEqual(
      [play.state.status, play.state.last?.verdict],
      ['running', 'WORLD'],
      play.state.last?.reason,
    );
    assert.match(explanationText(explainRollout(play.state, after(64))), /against 3 reference weeks/);
  });
  test('is an average over channels: one that claims many times the others’ episodes is not the world', () => {
    const weigh = (loud: number) => {
      const play = new Play(pis(6), { ...started(SLOW), reference });
      for (const device of pis(6)) {
        const n = device === 'pi-0' ? loud : 100;
        const bins = [[device === 'pi-0' ? 126 : 2, n]] as [number, number][];
        const histogram = { bins, sum: ((bins[0]?.[0] ?? 0) + 0.5) * (n / 256) };
        play.window(
          device,
          0,
          { agreed: n },
          {
            histograms: { production: histogram, candidate: histogram },
            slice: { channel: `c-${device}`, site: 'home', hardware: 'pi5' },
          },
        );
      }
      play.tick(2);
      return play.state.drift.episodes;
    };
    assert.equal(weigh(100), 600);
    assert.equal(weigh(1e9), 500 + PLAN.maxTimesMedian * 100);
  });
});

test('dates that cannot be are counted, and after two silent months a report of today is one of today', () => {
  const play = new Play();
  play.window(
    'pi-1',
    0,
    { agreed: 3 },
    { start: '1970-01-01T00:00:00.000Z', end: '1970-01-01T01:00:00.000Z' },
  );
  assert.equal(play.state.drift.misdated, 1);
  play.tick(24 * 60);
  play.hour(24 * 60 - 1, { agreed: 3 }, { devices: ['pi-2'] });
  assert.deepEqual([play.state.drift.misdated, play.state.drift.late], [1, 0]);
});

test('a clock of the hub that was ahead for a moment closes no hour that nobody has named', () => {
  const play = new Play();
  play.hour(0, { agreed: 20 });
  play.tick(24 * 365);
  const { closed, hours } = play.state.drift;
  play.hour(1, { agreed: 20 });
  play.hour(2, { agreed: 20 });
  play.tick(5);
  assert.deepEqual(
    [play.state.drift.closed - closed, play.state.drift.hours - hours, play.state.drift.late],
    [2, 2, 0],
  );
});
