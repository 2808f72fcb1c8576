import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { binomial } from '../draws.js';
import { seeded } from '../random.js';
import { type Cluster, ClusterLikelihood } from './clusters.js';
import { FleetLikelihood } from './fleet.js';
import { clusterOf } from './tally.js';

const close = (given: number, expected: number, what = '') =>
  assert.ok(
    Math.abs(given - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
    `${what} ${given}, expected ${expected}`,
  );
const cluster = (mean: number, square: number, episodes: number): Cluster => ({ mean, square, episodes });
const alike = (count: number, one: Cluster): Cluster[] => Array.from({ length: count }, () => one);

describe('the random-effects model over clusters', () => {
  test('is the fleet likelihood where everything is drawn, answered and right', () => {
    const random = seeded('clusters');
    for (let i = 0; i < 50; i++) {
      const devices = Array.from({ length: 1 + random.integer(20) }, () => ({
        wins: random.integer(9),
        losses: random.integer(9),
        agreed: 20 + random.integer(200),
      }));
      const fleet = new FleetLikelihood(
        devices.map(({ wins, losses, agreed }) => ({ wins, losses, episodes: wins + losses + agreed })),
      );
      for (const side of ['harm', 'promotion'] as const) {
        const clusters = new ClusterLikelihood(
          devices.map(({ wins, losses, agreed }) =>
            clusterOf([{ rate: 1, zeros: agreed, wins, losses, open: 0 }], side, 0),
          ),
        );
        assert.equal(clusters.clusters, fleet.devices);
        close(clusters.logHarm(0), fleet.logHarm(), 'harm');
        close(clusters.logNoWorse(0.02), fleet.logNonInferiority(0.02), 'no worse');
        const [ours, theirs] = [clusters.confidenceSequence(0.05), fleet.confidenceSequence(0.05)];
        close(ours?.low ?? 1, theirs?.low ?? 0, 'low');
        close(ours?.high ?? 1, theirs?.high ?? 0, 'high');
      }
    }
  });

  test('asks about harm beyond the tolerance: the same as moving every mean by it', () => {
    const clusters = [
      cluster(-0.05, 0.12, 300),
      cluster(-0.02, 0.1, 250),
      cluster(-0.07, 0.14, 410),
      cluster(0.01, 0.09, 120),
      cluster(-0.04, 0.1, 220),
    ];
    for (const tolerance of [0.01, 0.02, -0.03])
      close(
        new ClusterLikelihood(clusters).logHarm(tolerance),
        new ClusterLikelihood(clusters.map((one) => ({ ...one, mean: one.mean + tolerance }))).logHarm(0),
      );
    const worse = new ClusterLikelihood(alike(20, cluster(-0.02, 0.1, 400)));
    assert.ok(worse.logHarm(0) > Math.log(20) && worse.logHarm(0.02) <= 0);
  });

  test('says nothing without episodes', () => {
    const empty = new ClusterLikelihood([cluster(0, 0, 0)], { clip: true });
    assert.deepEqual(
      [empty.clusters, empty.logHarm(0.01), empty.logNoWorse(0.02), empty.confidenceSequence(0.05)],
      [0, 0, 0, null],
    );
  });

  test('a fleet whose draws have not come yet promotes nobody, however many episodes it had', () => {
    for (const rate of [0.25, 1 / 16, 1 / 64]) {
      const episodes = 2 / (0.1 * rate);
      const silent = clusterOf(
        [{ rate, zeros: episodes / 20, wins: 0, losses: 0, open: 0 }],
        'promotion',
        0.02,
      );
      const model = new ClusterLikelihood(alike(20, silent), { clip: true });
      assert.ok(
        model.logNoWorse(0.02) < Math.log(20),
        `rate ${rate}: two draws were to be expected, none came: ${model.logNoWorse(0.02)}`,
      );
      const range = model.confidenceSequence(0.05);
      assert.ok(range !== null && range.low < -0.05 && range.high > 0.05, JSON.stringify(range));
    }
  });

  test('false "no worse" and "worse" at the edge stay under alpha at every look, at any rate (seed rates)', () => {
    const random = seeded('rates');
    const runs = 60;
    for (const [rate, channels, win] of [
      [1, 5, 0],
      [1 / 4, 5, 0.4],
      [1 / 16, 5, 0.4],
      [1 / 16, 20, 0],
      [1 / 64, 20, 0.4],
    ] as const) {
      // Worse by .02 exactly: by chance of a win, what must disagree for it.
      const disagreements = 0.02 / (1 - 2 * win);
      let [promoted, harmed] = [0, 0];
      for (let run = 0; run < runs; run++) {
        const counts = Array.from({ length: channels }, () => ({
          rate,
          zeros: 0,
          wins: 0,
          losses: 0,
          open: 0,
        }));
        const largest = { promotion: 0, harm: 0 };
        for (let look = 0; look < 40; look++) {
          for (const one of counts) {
            const drawn = binomial(random, 72, disagreements * rate);
            const wins = binomial(random, drawn, win);
            one.zeros += 72 - drawn;
            one.wins += wins;
            one.losses += drawn - wins;
          }
          const model = (side: 'harm' | 'promotion') =>
            new ClusterLikelihood(
              counts.map((one) => clusterOf([one], side, 0)),
              { clip: true },
            );
          largest.promotion = Math.max(largest.promotion, model('promotion').logNoWorse(0.02));
          largest.harm = Math.max(largest.harm, model('harm').logHarm(0.02));
        }
        promoted += Number(largest.promotion >= Math.log(20));
        harmed += Number(largest.harm >= Math.log(20));
      }
      const most = 0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs);
      assert.ok(
        Math.max(promoted, harmed) / runs <= most,
        `${promoted} promoted, ${harmed} harmed of ${runs} at rate ${rate}, ${channels} channels`,
      );
    }
  });

  test('clusters that come several times are a list of them, clipped or not', () => {
    const [one, other] = [
      { mean: -0.4, square: 0.5, episodes: 100 },
      { mean: 0.01, square: 0.1, episodes: 200 },
    ];
    for (const clip of [false, true]) {
      const grouped = new ClusterLikelihood(
        [
          { ...one, clusters: 2 },
          { ...other, clusters: 9 },
        ],
        { clip },
      );
      const listed = new ClusterLikelihood([one, ...alike(9, other), one], { clip });
      assert.equal(grouped.clusters, 11);
      close(grouped.logHarm(0.01), listed.logHarm(0.01));
    }
  });

  test('clipped, a few liars neither hide a worse candidate nor speak for the fleet; honest clusters are left as they are', () => {
    const honest = alike(19, cluster(-0.03, 0.1, 800));
    assert.ok(new ClusterLikelihood(honest).logHarm(0.01) > Math.log(20));
    const lied = [...honest, { ...cluster(1, 1, 800), share: 1 }];
    assert.ok(new ClusterLikelihood(lied).logHarm(0.01) < 0, 'unclipped, one hides the harm in the variance');
    assert.ok(
      new ClusterLikelihood(lied, { clip: true }).logHarm(0.01) > new ClusterLikelihood(lied).logHarm(0.01),
    );
    close(
      new ClusterLikelihood(honest, { clip: true }).logHarm(0.01),
      new ClusterLikelihood(honest).logHarm(0.01),
    );
  });

  test('clipped, clusters of few draws keep their noise: the mean over clusters stays what it was', () => {
    // Draws at 1/16 of 12 % of 200 episodes: a cluster holds one or two, worth sixteen episodes each.
    const random = seeded('few draws');
    const [rate, share, clusters] = [1 / 16, 0.12, 4000];
    const drawn = Array.from({ length: clusters }, () => {
      const counts = { rate, zeros: 0, wins: 0, losses: 0, open: 0 };
      for (let i = 0; i < 200; i++) {
        if (random.uniform() >= share * rate) counts.zeros += 1;
        else if (random.uniform() < 0.4) counts.wins += 1;
        else counts.losses += 1;
      }
      return clusterOf([counts], 'harm', 0);
    });
    const [clipped, raw] = [new ClusterLikelihood(drawn, { clip: true }), new ClusterLikelihood(drawn)];
    const middle = (of: ClusterLikelihood) => {
      const range = of.confidenceSequence(0.05);
      return range === null ? Number.NaN : (range.low + range.high) / 2;
    };
    assert.ok(
      Math.abs(middle(clipped) - middle(raw)) < 0.001,
      `moved from ${middle(raw)} to ${middle(clipped)}`,
    );
  });
});
