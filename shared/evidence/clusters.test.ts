import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../random.js';
import { type Cluster, ClusterLikelihood } from './clusters.js';
import { FleetLikelihood } from './fleet.js';
import { clusterOf } from './tally.js';

const close = (given: number, expected: number, what = '') =>
  assert.ok(Math.abs(given - expected) <= 1e-9 * Math.max(1, Math.abs(expected)), `${what} ${given}, expected ${expected}`);
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
      const fleet = new FleetLikelihood(devices.map(({ wins, losses, agreed }) => ({ wins, losses, episodes: wins + losses + agreed })));
      for (const side of ['harm', 'promotion'] as const) {
        const clusters = new ClusterLikelihood(
          devices.map(({ wins, losses, agreed }) => clusterOf([{ rate: 1, zeros: agreed, wins, losses, open: 0 }], side, 0)),
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
    const clusters = [cluster(-0.05, 0.12, 300), cluster(-0.02, 0.1, 250), cluster(-0.07, 0.14, 410), cluster(0.01, 0.09, 120), cluster(-0.04, 0.1, 220)];
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
    assert.deepEqual([empty.clusters, empty.logHarm(0.01), empty.logNoWorse(0.02), empty.confidenceSequence(0.05)], [0, 0, 0, null]);
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
    assert.ok(new ClusterLikelihood(lied, { clip: true }).logHarm(0.01) > new ClusterLikelihood(lied).logHarm(0.01));
    close(new ClusterLikelihood(honest, { clip: true }).logHarm(0.01), new ClusterLikelihood(honest).logHarm(0.01));
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
    assert.ok(Math.abs(middle(clipped) - middle(raw)) < 0.001, `moved from ${middle(raw)} to ${middle(clipped)}`);
  });
});
