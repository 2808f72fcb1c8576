import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLAN, Play, pis, started } from './fixtures.js';
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
    assert.equal(withControls((i) => ({ asked: 1e9, answered: i === 0 ? 1e9 : 10, wrong: i === 0 ? 1e9 : 0 })).used, 0.02);
    assert.ok(process.cpuUsage(since).user < 5e6);
  });
});

test('the device that answered most, of all answers that count', () => {
  const play = new Play();
  play.window('pi-0', 0, { wins: 5, losses: 2, agreed: 9 });
  play.window('pi-1', 0, { wins: 1, agreed: 9 });
  play.tick(2);
  assert.deepEqual(answersOf(standingOf(play.state)), { most: { device: 'pi-0', n: 7 }, all: 8 });
});
