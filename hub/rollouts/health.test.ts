import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noHealth } from './evidence.js';
import { clustersOf, DEMO_PLAN, input, Play, pis } from './fixtures.js';
import { judge } from './gate.js';
import { brokenLimit, type DeviceHealth, type HealthFacts, latencyQuantile } from './health.js';

const arm = (change: Partial<DeviceHealth['own']> = {}) => ({
  ...noHealth(),
  hours: 48,
  windows: 48,
  ...change,
});
const group = (n: number, change: Partial<DeviceHealth> = {}): DeviceHealth[] =>
  pis(n).map((id) => ({ id, acting: arm(), own: arm(), ...change }));
const facts = (change: Partial<HealthFacts>): HealthFacts => ({
  acting: group(10),
  control: group(10),
  wanted: 20,
  failing: [],
  ...change,
});
const with2 = (change: Partial<DeviceHealth>) => [...group(8), ...group(2, change)];

describe('a limit', () => {
  const broken: [string, HealthFacts, RegExp][] = [
    [
      'crashes',
      facts({ acting: with2({ acting: arm({ restarts: 9 }) }) }),
      /on 2 of 10 devices where the candidate acts \(pi-0, pi-1\).*0 of 10 others do/,
    ],
    [
      'latency',
      facts({ acting: with2({ acting: arm({ slow: 40 }) }) }),
      /on 2 of 10 devices.*500 ms, or 3 times production's/,
    ],
    ['latency', facts({ acting: [], control: with2({ own: arm({ slow: 40 }) }) }), /latency/],
    [
      'memory',
      facts({ acting: group(2, { acting: arm({ over: 40 }) }), control: group(8) }),
      /2 of 10 devices .* more than 1024 MiB/,
    ],
    [
      'failures',
      facts({ failing: ['a', 'b', 'c'].map((device) => ({ device, code: 'model_corrupt' })) }),
      /3 devices of 20 cannot run the candidate \(a: model_corrupt\)/,
    ],
  ];
  const tight = { ...DEMO_PLAN, abort: { ...DEMO_PLAN.abort, devices: 0.15 } };
  for (const [cause, given, words] of broken)
    test(`suspends first, and ends the rollout when it breaks again: ${cause}, ${words.source}`, () => {
      const health = given;
      const first = judge(input(clustersOf(3, 5, 0, 30), { plan: tight, health }));
      assert.deepEqual([first.verdict, first.cause], ['SUSPEND', cause]);
      assert.match(first.reason, words);
      const again = (acting: number | null) =>
        judge(input(clustersOf(3, 5, 0, 30), { plan: tight, health, limitStops: 1, acting })).verdict;
      assert.deepEqual(
        [again(3), again(null)],
        ['FAIL', cause === 'failures' ? 'SUSPEND' : 'FAIL'],
        'in the shadow who cannot run it harms nobody',
      );
    });
  const held: [string, HealthFacts][] = [
    [
      'one device alone, whatever it says',
      facts({ acting: group(1, { acting: arm({ restarts: 1e9, slow: 1e9, over: 1e9 }) }), control: [] }),
    ],
    [
      'a fleet that crashes everywhere',
      facts({
        acting: group(10, { acting: arm({ restarts: 9 }) }),
        control: group(10, { own: arm({ restarts: 9 }) }),
      }),
    ],
    [
      'devices that crashed before as often',
      facts({ acting: group(10, { acting: arm({ restarts: 9 }), own: arm({ restarts: 9 }) }) }),
    ],
    [
      'restarts where it does not act',
      facts({ acting: group(10), control: group(10, { own: arm({ restarts: 1e6 }) }) }),
    ],
    ['a single crash on each', facts({ acting: group(10, { acting: arm({ hours: 0.1, restarts: 1 }) }) })],
    [
      'devices that are slow with production too',
      facts({ acting: group(10, { acting: arm({ slow: 40 }), own: arm({ slow: 40 }) }) }),
    ],
    ['one device of twenty that cannot run it', facts({ failing: [{ device: 'a', code: 'disk_full' }] })],
    [
      'memory of a time when it acted, on devices where it acts no more',
      facts({ acting: [], control: group(10, { acting: arm({ over: 40 }) }) }),
    ],
  ];
  for (const [what, given] of held)
    test(`is not broken by ${what}`, () => assert.equal(brokenLimit(given, DEMO_PLAN), null));
});

test('a device that restarts 10⁹ times, slow and swollen, stops nothing', () => {
  const play = new Play(pis(5));
  for (let hour = 0; hour < 8; hour++) {
    play.hour(hour, { wins: 1, agreed: 9 }, { devices: pis(5).slice(1) });
    play.window(
      'pi-0',
      hour,
      { wins: 1, agreed: 9 },
      { restarts: 1e9, memoryMb: 1e9, latency: { production: [[12, 40]], candidate: [[63, 1e9]] } },
    );
    play.tick(hour + 1.75);
  }
  assert.equal(play.state.stage > 0, true, play.state.last?.reason);
});

test('a quantile of latency is the upper edge of its bucket, and of too few inferences there is none', () => {
  assert.equal(
    latencyQuantile(
      [
        [12, 95],
        [40, 5],
      ],
      0.95,
    ),
    2 ** (13 / 4),
  );
  assert.equal(
    latencyQuantile(
      [
        [40, 5],
        [12, 94],
      ],
      0.95,
    ),
    2 ** (41 / 4),
  );
  assert.equal(latencyQuantile([[12, 19]], 0.95), null);
});
