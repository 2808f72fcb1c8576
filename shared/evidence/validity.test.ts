import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beta, binomial } from '../draws.js';
import { type Random, seeded } from '../random.js';
import { ClusterLikelihood } from './clusters.js';
import { clusterOf, logHarm, logNoWorse, type Tally } from './tally.js';

/**
 * Validity by simulation (docs/gate.md, "Draws and answers"): under the null, and whatever is silent or wrong, the share of runs whose
 * evidence ever reaches 1/alpha is at most alpha. Each case holds the law at the edge of its null.
 */
const ALPHA = 0.05;
const RUNS = 400;
const MOST = ALPHA + 3 * Math.sqrt((ALPHA * (1 - ALPHA)) / RUNS);
const LOOKS = 60;
const SEED = 'validity';

interface World {
  readonly name: string;
  /** Draw rates of the windows in turn. */
  readonly rates: readonly number[];
  /** Shares unanswered, and of answers that are wrong, among true wins and true losses. */
  readonly open: { readonly wins: number; readonly losses: number };
  readonly errors: { readonly wins: number; readonly losses: number };
}
const EPSILON = 0.05;
const NONE = { wins: 0, losses: 0 };
/** Written for promotion, whose foe is the loss nobody answers or that is called a win; harm sees the mirror. */
const WORLDS: readonly World[] = [
  { name: 'all answered and right', rates: [0.25], open: NONE, errors: NONE },
  { name: 'losses unanswered', rates: [0.25], open: { wins: 0, losses: 0.6 }, errors: NONE },
  { name: 'losses called wins', rates: [0.25], open: NONE, errors: { wins: 0, losses: EPSILON } },
  {
    name: 'both, and the rate changes',
    rates: [0.25, 1, 1 / 16],
    open: { wins: 0, losses: 0.3 },
    errors: { wins: 0, losses: EPSILON },
  },
  {
    name: 'everything turned round now and then',
    rates: [0.25, 1],
    open: { wins: 0.05, losses: 0.1 },
    errors: { wins: EPSILON, losses: EPSILON },
  },
];
const mirror = ({ wins, losses }: World['open']) => ({ wins: losses, losses: wins });

/** What people make of one window: n episodes of which a share wins, a share loses. */
function windowOf(
  random: Random,
  n: number,
  rate: number,
  wins: number,
  losses: number,
  { open, errors }: World,
): Tally {
  const drawnWins = binomial(random, n, wins * rate);
  const drawnLosses = binomial(random, n - drawnWins, (losses * rate) / (1 - wins * rate));
  const [silentWins, silentLosses] = [
    binomial(random, drawnWins, open.wins),
    binomial(random, drawnLosses, open.losses),
  ];
  const [answeredWins, answeredLosses] = [drawnWins - silentWins, drawnLosses - silentLosses];
  const [wrongWins, wrongLosses] = [
    binomial(random, answeredWins, errors.wins),
    binomial(random, answeredLosses, errors.losses),
  ];
  return {
    rate,
    zeros: n - drawnWins - drawnLosses,
    wins: answeredWins - wrongWins + wrongLosses,
    losses: answeredLosses - wrongLosses + wrongWins,
    open: silentWins + silentLosses,
  };
}
function add(tallies: readonly Tally[], one: Tally): Tally[] {
  const before = tallies.find(({ rate }) => rate === one.rate);
  if (before === undefined) return [...tallies, one];
  const sum = (key: Exclude<keyof Tally, 'rate'>) => before[key] + one[key];
  return [
    ...tallies.filter((other) => other !== before),
    { rate: one.rate, zeros: sum('zeros'), wins: sum('wins'), losses: sum('losses'), open: sum('open') },
  ];
}

/** Share of runs that ever reach 1/alpha; `log` sees the tallies so far. */
function crossings(
  random: Random,
  world: World,
  [wins, losses]: readonly [number, number],
  log: (tallies: readonly Tally[]) => number,
): number {
  let crossed = 0;
  for (let run = 0; run < RUNS; run++) {
    let tallies: Tally[] = [];
    for (let look = 0; look < LOOKS; look++) {
      const rate = world.rates[look % world.rates.length] ?? 1;
      tallies = add(tallies, windowOf(random, 60, rate, wins, losses, world));
      if (log(tallies) < Math.log(1 / ALPHA)) continue;
      crossed += 1;
      break;
    }
  }
  return crossed / RUNS;
}

describe(`validity at every look, seed ${SEED}`, () => {
  for (const world of WORLDS) {
    test(`M, worse by the margin exactly: ${world.name}`, (t) => {
      const share = crossings(seeded(`${SEED}/M/${world.name}`), world, [0.04, 0.08], (tallies) =>
        logNoWorse(tallies, { margin: 0.04, wrong: EPSILON }),
      );
      t.diagnostic(
        `reached in ${(100 * share).toFixed(1)} % of ${RUNS} runs, at most ${(100 * MOST).toFixed(1)} %`,
      );
      assert.ok(share <= MOST, `${share} of ${RUNS} runs`);
    });
    test(`H, worse by the tolerance exactly: ${world.name}`, (t) => {
      const turned = { ...world, open: mirror(world.open), errors: mirror(world.errors) };
      const share = crossings(seeded(`${SEED}/H/${world.name}`), turned, [0.05, 0.07], (tallies) =>
        logHarm(tallies, { tolerance: 0.02, wrong: EPSILON }),
      );
      t.diagnostic(
        `reached in ${(100 * share).toFixed(1)} % of ${RUNS} runs, at most ${(100 * MOST).toFixed(1)} %`,
      );
      assert.ok(share <= MOST, `${share} of ${RUNS} runs`);
    });
  }

  test('counting open draws as no difference, or believing every answer, is what these guard against', () => {
    const [, unanswered, wrong] = WORLDS;
    assert.ok(unanswered !== undefined && wrong !== undefined);
    const zeros = (tallies: readonly Tally[]) =>
      tallies.map((one) => ({ ...one, zeros: one.zeros + one.open, open: 0 }));
    const naive = crossings(seeded(`${SEED}/naive`), unanswered, [0.04, 0.08], (tallies) =>
      logNoWorse(zeros(tallies), { margin: 0.04, wrong: 0 }),
    );
    assert.ok(naive > 0.5, `${naive} of ${RUNS} runs`);
    const tenth = { ...wrong, errors: { wins: 0, losses: 0.2 } };
    const credulous = crossings(seeded(`${SEED}/credulous`), tenth, [0.04, 0.08], (tallies) =>
      logNoWorse(tallies, { margin: 0.04, wrong: 0 }),
    );
    assert.ok(credulous > 2 * ALPHA, `${credulous} of ${RUNS} runs`);
  });

  test('answers that come late: what hurts the candidate (promotion) or clears it (harm) ten looks after the rest', (t) => {
    const world: World = {
      name: 'late',
      rates: [0.25],
      open: NONE,
      errors: { wins: EPSILON, losses: EPSILON },
    };
    for (const [late, wins, losses] of [
      ['losses', 0.04, 0.08],
      ['wins', 0.05, 0.07],
    ] as const) {
      const random = seeded(`${SEED}/late/${late}`);
      let crossed = 0;
      for (let run = 0; run < RUNS; run++) {
        const windows: Tally[] = [];
        for (let look = 0; look < LOOKS; look++) {
          windows.push(windowOf(random, 60, 0.25, wins, losses, world));
          const seen = windows.map((one, i) =>
            i <= look - 10 ? one : { ...one, [late]: 0, open: one.open + one[late] },
          );
          const tallies = seen.reduce<readonly Tally[]>(add, []);
          const log =
            late === 'losses'
              ? logNoWorse(tallies, { margin: 0.04, wrong: EPSILON })
              : logHarm(tallies, { tolerance: 0.02, wrong: EPSILON });
          if (log < Math.log(1 / ALPHA)) continue;
          crossed += 1;
          break;
        }
      }
      t.diagnostic(`${late} late: reached in ${((100 * crossed) / RUNS).toFixed(1)} % of ${RUNS} runs`);
      assert.ok(crossed / RUNS <= MOST, `${late} late: ${crossed} of ${RUNS} runs`);
    }
  });

  for (const question of ['harm', 'promotion'] as const)
    test(`the fleet's evidence over twenty channels that differ (correlation .1), draws at 1/4, clipped: ${question}`, () => {
      const [runs, correlation, disagreements, edge] = [150, 0.1, 0.12, 0.0216];
      const win = (1 - edge / disagreements) / 2;
      const world: World = { name: question, rates: [0.25], open: NONE, errors: NONE };
      const random = seeded(`${SEED}/fleet/${question}`);
      let crossed = 0;
      for (let run = 0; run < runs; run++) {
        const shares = Array.from({ length: 20 }, () =>
          beta(random, win * (1 / correlation - 1), (1 - win) * (1 / correlation - 1)),
        );
        let channels: readonly (readonly Tally[])[] = shares.map(() => []);
        for (let look = 0; look < 20; look++) {
          channels = channels.map((tallies, i) => {
            const wins = disagreements * (shares[i] ?? win);
            return add(tallies, windowOf(random, 48, 0.25, wins, disagreements - wins, world));
          });
          const model = new ClusterLikelihood(
            channels.map((tallies) => clusterOf(tallies, question, 0)),
            { clip: true },
          );
          if ((question === 'harm' ? model.logHarm(edge) : model.logNoWorse(edge)) < Math.log(1 / ALPHA))
            continue;
          crossed += 1;
          break;
        }
      }
      assert.ok(
        crossed / runs <= ALPHA + 3 * Math.sqrt((ALPHA * (1 - ALPHA)) / runs),
        `${crossed} of ${runs} runs`,
      );
    });
});
