import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { after, ownChannel, PLAN, Play, pis, started } from './fixtures.js';
import { explainRollout, explanationText } from './report/explain.js';
import { answersOf, controlsOf, standingOf } from './standing.js';

const withControls = (of: (i: number) => { asked: number; answered: number; wrong: number }, n = 20) => {
  const play = new Play(pis(n), started({ ...PLAN, wrong: 0.02 }));
  for (const [i, device] of pis(n).entries()) play.window(device, 0, { agreed: 4 }, { control: of(i) });
  return controlsOf(play.state);
};

describe('control items', () => {
  test('leave the plan’s share alone where they do not reject it', () => {
    assert.equal(withControls(() => ({ asked: 10, answered: 9, wrong: 0 })).used, 0.02);
    assert.equal(withControls((i) => ({ asked: 10, answered: 9, wrong: i === 0 ? 2 : 0 })).used, 0.02);
    assert.equal(withControls(() => ({ asked: 9, answered: 0, wrong: 0 })).used, 0.02);
  });
  test('that reject it take its place, with the upper end of their interval', () => {
    const { used, share } = withControls(() => ({ asked: 30, answered: 30, wrong: 4 }));
    assert.ok(used > share && share > 0.1 && used < 0.25, `${share}, ${used}`);
  });
  test('of one device decide nothing for the others, a thousand million wrong answers either, in no time', () => {
    const since = process.cpuUsage();
    assert.equal(
      withControls((i) => ({ asked: 1e9, answered: i === 0 ? 1e9 : 10, wrong: i === 0 ? 1e9 : 0 })).used,
      0.02,
    );
    assert.ok(process.cpuUsage(since).user < 5e6);
  });
});

test('five days are five days: the hour before the first midnight and the morning of the last count for none', () => {
  const play = new Play(pis(6), { ...started({ ...PLAN, watchHours: 400 }), at: after(23).toISOString() });
  let hour = 23;
  for (; hour < 200 && play.state.status === 'running'; hour++) {
    play.hour(hour, { wins: 4, agreed: 30 }, { channel: ownChannel });
    play.tick(hour + 1.75);
    play.act(play.state.stage === 0 ? [] : play.state.stage === 1 ? ['pi-0'] : pis(6), hour + 1.75);
  }
  assert.equal(play.state.status, 'watching');
  assert.ok(hour - 23 >= 1 + 4 * 24 + 11, `${hour - 23} hours`);
  assert.match(
    explanationText(explainRollout(play.state, after(hour))),
    /2026-01-01: .*; less than half a day, and counts for none/,
  );
});

test('the device that answered most, of all answers that count', () => {
  const play = new Play();
  play.window('pi-0', 0, { wins: 5, losses: 2, agreed: 9 });
  play.window('pi-1', 0, { wins: 1, agreed: 9 });
  play.tick(2);
  assert.deepEqual(answersOf(standingOf(play.state)), { most: { device: 'pi-0', n: 7 }, all: 8 });
});
