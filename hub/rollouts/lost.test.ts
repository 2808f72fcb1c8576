import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '@adbreak/shared/random.js';
import { findApart } from './apart.js';
import { totalOf } from './evidence.js';
import { after, ownChannel, PLAN, Play, pis, report, started } from './fixtures.js';
import { explainRollout, explanationText } from './report/explain.js';
import { rollout } from './rollout.js';
import { channelKey } from './slices.js';
import { standingOf } from './standing.js';
import { beforeClosing, closeWindows } from './windows.js';

const sums = ({ state }: Play) =>
  Object.fromEntries(standingOf(state).clusters.map(({ id, tallies }) => [id, totalOf(tallies)]));
const send = (
  play: Play,
  device: string,
  sequence: number,
  hour: number,
  counts: Parameters<typeof report>[2],
  lost?: number,
) =>
  play.send({
    kind: 'window',
    at: after(hour + 1).toISOString(),
    device,
    report: report(sequence, hour, counts),
    ...(lost !== undefined && { lost }),
  });

describe('windows that were made and never came', () => {
  test('each counts as a usual window of the device in which every episode is a draw without an answer', () => {
    const play = new Play(['pi-0']);
    send(play, 'pi-0', 1, 0, { agreed: 10 });
    send(play, 'pi-0', 2, 1, { agreed: 20 });
    send(play, 'pi-0', 4, 3, { agreed: 30 }, 1);
    play.tick(6);
    assert.deepEqual(sums(play)['channel=one'], { episodes: 80, wins: 0, losses: 0, open: 20 });
    const text = explanationText(explainRollout(play.state, after(6)));
    assert.match(
      text,
      /made, and never came: 1 window of pi-0; they may have held anything, so 20 episodes count as draws without an answer/,
    );
  });
  test('a device that claims a million of them doubles its part, and owes a week', () => {
    const play = new Play(['pi-0', 'pi-1']);
    for (let hour = 0; hour < 4; hour++) {
      send(play, 'pi-0', hour + 1, hour, { agreed: 10 });
      send(
        play,
        'pi-1',
        hour === 0 ? 1 : 1_000_001 + hour,
        hour,
        { agreed: 10 },
        hour === 1 ? 1_000_000 : undefined,
      );
    }
    play.tick(8);
    assert.deepEqual(sums(play)['channel=one'], { episodes: 55, wins: 0, losses: 0, open: 15 });
    assert.deepEqual(play.state.evidence.devices['pi-1']?.lost, {
      windows: 1_000_000,
      owed: 165,
      episodes: 30,
    });
  });
  test('what is missing before a device’s first report here belongs to the time before', () => {
    const play = new Play(['pi-0']);
    send(play, 'pi-0', 50, 0, { agreed: 10 }, 40);
    send(play, 'pi-0', 51, 1, { agreed: 10 });
    play.tick(6);
    assert.equal(sums(play)['channel=one']?.open, 0);
  });
});

test('one channel that people write in many ways is one channel', () => {
  assert.deepEqual(
    ['Das Erste', ' das  erste ', 'DAS ERSTE', 'ｄａｓ ｅｒｓｔｅ'].map(channelKey),
    Array(4).fill('das erste'),
  );
  const play = new Play();
  for (const [i, channel] of ['Das Erste', 'das erste', 'DAS ERSTE '].entries())
    play.window(`pi-${i}`, 0, { agreed: 6 }, { slice: { channel, site: 'home', hardware: 'pi5' } });
  play.window('pi-0', 1, { agreed: 5 }, { slice: { channel: 'UNKNOWN', site: 'home', hardware: 'pi5' } });
  play.tick(5);
  assert.deepEqual(
    Object.entries(sums(play)).map(([id, { episodes }]) => [id, episodes]),
    [
      ['channel=das erste', 6],
      ['site=home', 5],
    ],
  );
});

test('closing changes nothing of the evidence that it was given a copy of', () => {
  const play = new Play(pis(4));
  for (let hour = 0; hour < 3; hour++)
    play.hour(hour, { wins: 1, losses: 1, agreed: 5, undecided: 1 }, { channel: ownChannel });
  play.tick(2.6);
  play.hour(3, { losses: 2, agreed: 5, undecided: 1 }, { channel: () => 'one' });
  const before = JSON.stringify(play.state.evidence);
  const copy = beforeClosing(play.state.evidence, PLAN, after(9));
  closeWindows(copy, PLAN, () => false, after(9));
  assert.equal(JSON.stringify(play.state.evidence), before);
  assert.notEqual(JSON.stringify(copy), before);
});

test('what is kept of an earlier look is what a fresh look finds, whatever happened in between', () => {
  for (const seed of ['a', 'b', 'c']) {
    const random = seeded(`revision/${seed}`);
    const members = pis(8);
    const play = new Play(members, started({ ...PLAN, slices: ['channel', 'site'] }));
    const channelOf = new Map(members.map((id, i) => [id, `c${i % 3}`]));
    for (let hour = 0; hour < 60; hour++) {
      for (const device of members) {
        if (random.uniform() < 0.1) channelOf.set(device, `c${random.integer(4)}`);
        const slice = {
          channel: channelOf.get(device) ?? '',
          site: `s${random.integer(2)}`,
          hardware: 'pi5',
        };
        const answers =
          random.uniform() < 0.3
            ? [{ start: after(hour - 1 - random.integer(4)).toISOString(), wins: 0, losses: 1 }]
            : [];
        play.window(
          device,
          hour,
          { losses: random.integer(3), agreed: 8, undecided: random.integer(2) },
          { slice, answers },
        );
        const fresh = rollout.parse(JSON.parse(JSON.stringify(play.state)));
        if (random.uniform() < 0.2) {
          assert.deepEqual(standingOf(play.state), standingOf(fresh), seed);
          assert.deepEqual(findApart(play.state, 0.02), findApart(fresh, 0.02), seed);
        }
      }
      if (random.uniform() < 0.5) play.tick(hour + 1);
    }
  }
});
