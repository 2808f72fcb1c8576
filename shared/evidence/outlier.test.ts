import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beta, binomial } from '../draws.js';
import { type Random, seeded } from '../random.js';
import { median, weightedMedian } from './median.js';
import { findOutliers } from './outlier.js';
import { logHarm, type Tallies } from './tally.js';

const OPTIONS = { least: 0.05, wrong: 0.02 };
const threshold = (units: number) => Math.log((2 * units) / 0.05);
const own = ({ units }: ReturnType<typeof findOutliers>) =>
  units.flatMap(({ below, above }, i) => (Math.max(below, above) >= threshold(units.length) ? [i] : []));

/** A unit with its own chance of a win among disagreements. */
function unit(
  random: Random,
  episodes: number,
  { rate = 1, disagreements = 0.1, wins = 0.5, open = 0 } = {},
): Tallies {
  const drawn = binomial(random, episodes, disagreements * rate);
  const silent = binomial(random, drawn, open);
  const won = binomial(random, drawn - silent, wins);
  return [{ rate, zeros: episodes - drawn, wins: won, losses: drawn - silent - won, open: silent }];
}
/** A share with mean 1/2 and a correlation between draws of one unit. */
const tilt = (random: Random, correlation: number) =>
  beta(random, 0.5 / correlation - 0.5, 0.5 / correlation - 0.5);

describe('units that are their own case', () => {
  test('one broken unit of twenty is named, on its side, and no other', () => {
    const random = seeded('broken');
    for (const [wins, side] of [
      [0, 'below'],
      [1, 'above'],
    ] as const) {
      const fleet = Array.from({ length: 20 }, (_, i) =>
        i === 7
          ? unit(random, 200, { disagreements: 0.4, wins })
          : unit(random, 200, { wins: tilt(random, 0.1) }),
      );
      const found = findOutliers(fleet, OPTIONS);
      assert.deepEqual(own(found), [7]);
      assert.ok((found.units[7]?.[side] ?? 0) > threshold(20));
    }
  });

  test('two broken of twenty hide neither themselves nor each other', () => {
    const random = seeded('two');
    const fleet = Array.from({ length: 20 }, (_, i) =>
      i < 2 ? unit(random, 400, { disagreements: 0.4, wins: 0.05 }) : unit(random, 400),
    );
    assert.deepEqual(own(findOutliers(fleet, OPTIONS)), [0, 1]);
  });

  test('units that differ as units do are left alone at every look, at any rate (seed honest)', () => {
    const random = seeded('honest');
    const runs = 150;
    for (const rate of [1, 0.25]) {
      let alarms = 0;
      for (let run = 0; run < runs; run++) {
        const shares = Array.from({ length: 20 }, () => tilt(random, 0.1));
        let fleet: Tallies[] = shares.map(() => []);
        let alarmed = false;
        for (let look = 0; look < 30 && !alarmed; look++) {
          fleet = fleet.map((before, i) => {
            const [[old], [more]] = [before, unit(random, 32, { rate, wins: shares[i] ?? 0.5 })];
            if (old === undefined || more === undefined) return more === undefined ? [] : [more];
            return [
              {
                rate,
                zeros: old.zeros + more.zeros,
                wins: old.wins + more.wins,
                losses: old.losses + more.losses,
                open: 0,
              },
            ];
          });
          alarmed = own(findOutliers(fleet, OPTIONS)).length > 0;
        }
        alarms += Number(alarmed);
      }
      assert.ok(alarms / runs <= 0.05, `${alarms} of ${runs} runs at rate ${rate}`);
    }
  });

  test('open draws make nobody an outlier: the unit at its best against the others at their worst', () => {
    const random = seeded('silent');
    const fleet = Array.from({ length: 20 }, (_, i) =>
      unit(random, 400, { open: i === 3 ? 1 : 0.05, disagreements: i === 3 ? 0.3 : 0.1 }),
    );
    assert.deepEqual(own(findOutliers(fleet, OPTIONS)), []);
  });

  test('what is left out of the computation had no evidence', () => {
    const random = seeded('screen');
    for (let run = 0; run < 50; run++) {
      const fleet = Array.from({ length: 12 }, () =>
        [0.25, 1].flatMap((rate) =>
          unit(random, 10 + random.integer(80), { rate, disagreements: 0.3, wins: tilt(random, 0.3) }),
        ),
      );
      const { low, units } = findOutliers(fleet, OPTIONS);
      if (low <= -1) continue;
      for (const [i, tallies] of fleet.entries())
        assert.equal(
          units[i]?.below,
          Math.max(0, logHarm(tallies, { tolerance: -low, wrong: OPTIONS.wrong })),
        );
    }
  });

  test('says nothing about an empty fleet, one unit or units without episodes; refuses no tolerance', () => {
    assert.deepEqual(findOutliers([], OPTIONS).units, []);
    const lost: Tallies = [{ rate: 1, zeros: 0, wins: 0, losses: 100, open: 0 }];
    assert.deepEqual(findOutliers([lost], OPTIONS).units, [{ below: 0, above: 0 }]);
    assert.deepEqual(findOutliers([lost, [], lost], OPTIONS).units[1], { below: 0, above: 0 });
    assert.throws(() => findOutliers([], { least: 0, wrong: 0 }), RangeError);
  });

  test('a hundred thousand units take a second or so, not a square', () => {
    const random = seeded('many');
    const fleet = Array.from({ length: 100_000 }, () => unit(random, 200));
    const began = process.cpuUsage().user;
    findOutliers(fleet, OPTIONS);
    const seconds = (process.cpuUsage().user - began) / 1e6;
    assert.ok(seconds < 20, `${seconds} s of CPU`);
  });
});

describe('median', () => {
  test('with multiplicities, of even and odd numbers, of none', () => {
    assert.deepEqual([median([3, 1, 2]), median([4, 1, 2, 3]), median([])], [2, 2.5, 0]);
    assert.equal(
      weightedMedian([
        { value: 5, weight: 1 },
        { value: 1, weight: 3 },
        { value: 2, weight: 2 },
      ]),
      median([1, 1, 1, 2, 2, 5]),
    );
  });
});
