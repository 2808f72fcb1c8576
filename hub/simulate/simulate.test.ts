import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { beta, binomial, dirichlet, gamma, multinomial, poisson } from '@adbreak/shared/draws.js';
import { seeded } from '@adbreak/shared/random.js';
import { configPath } from '../rollouts/fixtures.js';
import { forecast, forecastText } from '../rollouts/forecast.js';
import { readPlan } from '../rollouts/plan.js';
import { readScenario } from './scenario.js';
import { simulateRollout } from './simulate.js';

const SCENARIOS = fileURLToPath(new URL('../../../configs/scenarios/', import.meta.url));
const load = (name: string) => readScenario(join(SCENARIOS, `${name}.yaml`));

describe('draws', () => {
  const random = seeded('draws');
  const moments = (draw: () => number, n = 20_000) => {
    const values = Array.from({ length: n }, draw);
    const mean = values.reduce((a, b) => a + b, 0) / n;
    return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / n] as const;
  };
  for (const [name, draw, mean, variance] of [
    ['gamma(.3)', () => gamma(random, 0.3), 0.3, 0.3],
    ['gamma(5)', () => gamma(random, 5), 5, 5],
    ['beta(2, 3)', () => beta(random, 2, 3), 0.4, 0.04],
    ['binomial(40, .1)', () => binomial(random, 40, 0.1), 4, 3.6],
    ['binomial(40, .9)', () => binomial(random, 40, 0.9), 36, 3.6],
    ['poisson(3)', () => poisson(random, 3), 3, 3],
    ['poisson(100)', () => poisson(random, 100), 100, 100],
    ['dirichlet', () => dirichlet(random, [0.2, 0.3, 0.5], 9)[1] ?? 0, 0.3, 0.021],
  ] as const)
    test(`${name} has its mean and variance`, () => {
      const [m, v] = moments(draw);
      assert.ok(Math.abs(m - mean) < 5 * Math.sqrt(variance / 20_000), `mean ${m}`);
      assert.ok(Math.abs(v / variance - 1) < 0.1, `variance ${v}`);
    });
  test('multinomial counts add up', () => {
    const into = [0, 0, 0];
    multinomial(random, 1000, [0.5, 0.3, 0.2], into);
    assert.equal(
      into.reduce((a, b) => a + b, 0),
      1000,
    );
    assert.ok(Math.abs((into[0] ?? 0) - 500) < 100);
  });
});

describe('scenarios', () => {
  test('in configs/ are valid, each with its plan', async () => {
    const names = (await readdir(SCENARIOS)).filter((name) => name.endsWith('.yaml') && !name.endsWith('.plan.yaml'));
    assert.ok(names.length >= 6);
    for (const name of names) assert.equal(`${(await readScenario(join(SCENARIOS, name))).scenario.name}.yaml`, name);
  });
  const ends: [string, string[]][] = [
    ['good-candidate', ['completed']],
    ['bad-candidate', ['rolled-back']],
    ['crashing-candidate', ['rolled-back']],
    ['silent-canary', ['running']],
    ['world-shift', ['running']],
  ];
  for (const [name, statuses] of ends)
    test(`${name} ends ${statuses.join(' or ')}`, async () => {
      const { scenario, plan } = await load(name);
      for (const seed of ['a', 'b', 'c']) {
        const run = simulateRollout(scenario, plan, seed);
        assert.ok(statuses.includes(run.status), `${seed}: ${run.status}: ${run.history.at(-1)?.reason}`);
        if (name === 'silent-canary') assert.equal(run.stage, 1);
        if (name === 'world-shift') assert.ok(run.history.some(({ verdict }) => verdict === 'WORLD'));
      }
    });
  test('are a function of their seed', async () => {
    const { scenario, plan } = await load('bad-candidate');
    assert.deepEqual(simulateRollout(scenario, plan, 'x'), simulateRollout(scenario, plan, 'x'));
  });
  test('run from the command line, with a line of JSON; mistakes are one sentence', () => {
    const bin = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));
    const run = (...args: string[]) => spawnSync(process.execPath, [bin, 'simulate', ...args], { encoding: 'utf8' });
    const { status, stdout } = run('--scenario', join(SCENARIOS, 'bad-candidate.yaml'), '--runs', '2', '--json');
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(stdout).statuses, { 'rolled-back': 2 });
    assert.match(run('--scenario', '/nowhere.yaml').stderr, /error not_found: Cannot read the scenario \/nowhere\.yaml/);
    assert.match(run('--scenario', join(SCENARIOS, 'bad-candidate.yaml'), '--devices', '-3').stderr, /fleet\.devices/);
  });
});

test('a forecast names who moves when, and warns of plans that cannot end', async () => {
  const plan = await readPlan(configPath('standard'));
  const members = (n: number) =>
    Array.from({ length: n }, (_, i) => ({ id: `pi-${i}`, slice: { channel: i % 2 === 0 ? 'one' : 'two', site: 'home', hardware: 'pi5' }, tags: {} }));
  const rates = { episodesPerDay: 200, disagreement: 0.1, labelled: 0.9, correlation: 0.02, sources: ['for a test'] };
  const large = forecast(plan, members(40), rates);
  assert.deepEqual(
    large.stages.map(({ acting }) => acting.length),
    [0, 4, 20, 40],
  );
  assert.ok(large.promotion.share > 0.7, `${large.promotion.share}`);
  assert.ok(
    large.harm.every(({ share, difference }) => share > (difference === -0.02 ? 0.4 : 0.9)),
    JSON.stringify(large.harm),
  );
  const days = large.stages.map(({ untilDay }) => untilDay);
  assert.deepEqual(
    days,
    [...days].sort((a, b) => a - b),
  );
  const text = forecastText(plan, large);
  for (const words of [/canary 10 %.*4: pi-/, /as good as production pass the gate: \d/, /5\.0 points worse are rolled back/]) assert.match(text, words);
  const small = forecast(plan, members(3), { ...rates, labelled: 0.1 });
  assert.match(small.warnings.join(), /asks for evidence from 5 devices, the fleet has 3/);
  assert.match(small.warnings.join(), /10\.0 % of the disagreements get a label/);
});
