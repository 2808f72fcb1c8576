import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { beta, binomial, dirichlet, gamma, multinomial, poisson } from '@adbreak/shared/draws.js';
import { seeded } from '@adbreak/shared/random.js';
import { type LivingRooms, RoomStream } from './living-rooms.js';
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

describe('living rooms', () => {
  const WINDOWS = 3000;
  const rooms = (change: Partial<LivingRooms>): LivingRooms => ({
    devices: 4,
    episodes: 4,
    disagreement: 0.1,
    difference: 0,
    ...change,
  });
  const all = (change: Partial<LivingRooms>) => {
    const stream = new RoomStream(rooms(change), seeded('rooms'));
    return Array.from({ length: WINDOWS }, (_, window) => stream.next(window));
  };
  /** Candidate less production over all windows, of the devices chosen. */
  const difference = (windows: ReturnType<typeof all>, chosen = (_: number) => true) => {
    const seen = windows.flat().filter(({ device }) => chosen(device));
    return (
      seen.reduce((sum, { wins, losses, rate }) => sum + (wins - losses) / rate, 0) /
      seen.reduce((sum, { episodes }) => sum + episodes, 0)
    );
  };
  const near = (found: number, wanted: number) =>
    assert.ok(Math.abs(found - wanted) < 0.02, `${found} for ${wanted}`);

  test('devices of one channel see the same; with noise they see some of it', () => {
    const same = (windows: ReturnType<typeof all>) =>
      windows.filter(([a, b]) => a?.wins === b?.wins && a?.losses === b?.losses).length / WINDOWS;
    const differing = (windows: ReturnType<typeof all>) => windows.filter(([a]) => (a?.differ ?? 0) > 0);
    assert.equal(same(all({ channels: 1 })), 1);
    assert.ok(same(all({ channels: 4 })) < 0.8);
    const noisy = all({ channels: 1, captureNoise: 0.2 });
    assert.ok(differing(noisy).length > 0 && same(noisy) < 1 && same(noisy) > same(all({ channels: 4 })));
  });
  test('the difference is what was asked for, whatever the draw rate, the noise and the spread', () => {
    for (const change of [
      {},
      { captureNoise: 0.3, channels: 2 },
      { people: { rate: 0.25 } },
      { spread: 4 },
      { zipf: 1, channels: 2 },
    ])
      for (const wanted of [0, -0.05])
        near(difference(all({ ...change, difference: wanted, devices: 20 })), wanted);
  });
  test('one broken device, one that lies, a turn: each differs by what was said, and nobody else does', () => {
    near(
      difference(all({ broken: -0.4 }), (device) => device === 0),
      -0.4,
    );
    near(
      difference(all({ broken: -0.4 }), (device) => device > 0),
      0,
    );
    near(
      difference(all({ liars: { count: 1, side: 'wins', disagreement: 0.5 } }), (device) => device === 3),
      0.5,
    );
    const turned = all({ turn: { window: 1500, by: -0.05 } });
    near(difference(turned.slice(0, 1500)), 0);
    near(difference(turned.slice(1500)), -0.05);
  });
  test('people leave a share open and err in a share, by what is true', () => {
    const seen = all({
      people: { missing: { wins: 0, losses: 0.3 }, wrong: { wins: 0.2, losses: 0 } },
    }).flat();
    const sum = (of: 'wins' | 'losses' | 'open' | 'differ') =>
      seen.reduce((total, one) => total + one[of], 0);
    near(sum('open') / sum('differ'), 0.15);
    near(sum('wins') / sum('differ'), 0.4);
    near(sum('losses') / sum('differ'), 0.45);
  });
  test('who does badly reports less, who comes late is not there before', () => {
    const honest = all({ difference: -0.05 }).flat().length;
    const seen = all({ difference: -0.05, dropLosing: 1 });
    assert.ok(seen.flat().length < 0.9 * honest);
    assert.ok(seen.flat().every(({ losses, differ }) => 2 * losses <= differ));
    const late = all({ devices: 10, late: 0.5 });
    assert.deepEqual([late[0]?.length, late[3]?.length, late[100]?.length], [6, 9, 10]);
  });
});

describe('scenarios', () => {
  test('in configs/ are valid, each with its plan', async () => {
    const names = (await readdir(SCENARIOS)).filter(
      (name) => name.endsWith('.yaml') && !name.endsWith('.plan.yaml'),
    );
    assert.ok(names.length >= 10);
    for (const name of names)
      assert.equal(`${(await readScenario(join(SCENARIOS, name))).scenario.name}.yaml`, name);
  });
  const ends: [name: string, status: string, says: RegExp | null, stage: number | null][] = [
    ['good-candidate', 'completed', null, 3],
    ['bad-candidate', 'rolled-back', /E_days/, null],
    ['crashing-candidate', 'suspended', /crashes: on \d+ of \d+ devices/, 0],
    ['silent-canary', 'suspended', /devices are silent/, 0],
    ['nobody-answers', 'running', /have no answer, and each counts against the candidate/, 0],
    ['world-shift', 'running', /the world changed under both models/, null],
    // By its channel or by itself, whichever shows first.
    ['broken-unit', 'completed', /worse in channel=c0 by|pi-0 is unlike all others/, 3],
    ['shared-channels', 'completed', /distinct episodes on 10 channels/, 3],
  ];
  for (const [name, status, says, stage] of ends)
    test(`${name} ends ${status}`, async () => {
      const { scenario, plan } = await load(name);
      for (const seed of ['a', 'b', 'c']) {
        const run = simulateRollout(scenario, plan, seed, { lookHours: 3 });
        assert.equal(run.status, status, `${seed}: ${run.history.at(-1)?.reason}`);
        if (says !== null)
          assert.ok(
            run.history.some(({ reason }) => says.test(reason)),
            `${seed}: ${run.history.map(({ reason }) => reason).join('\n')}`,
          );
        if (stage !== null) assert.equal(run.stage, stage, seed);
      }
    });
  test('what answers cost is counted until the shadow is left, and until the completion', async () => {
    const { scenario, plan } = await load('good-candidate');
    const { answers } = simulateRollout(scenario, plan, 'a', { lookHours: 3 });
    const [shadow, complete] = [answers.shadow ?? 0, answers.complete ?? 0];
    assert.ok(10 < shadow && shadow < complete && complete < answers.all, JSON.stringify(answers));
  });
  test('living rooms, everything at once, do not roll a good candidate back', async () => {
    const { scenario, plan } = await load('living-rooms');
    for (const seed of ['a', 'b', 'c']) {
      const run = simulateRollout(scenario, plan, seed, { lookHours: 6 });
      assert.notEqual(run.status, 'rolled-back', run.history.at(-1)?.reason);
    }
  });
  test('are a function of their seed', async () => {
    const { scenario, plan } = await load('bad-candidate');
    assert.deepEqual(
      simulateRollout(scenario, plan, 'x', { lookHours: 6 }),
      simulateRollout(scenario, plan, 'x', { lookHours: 6 }),
    );
  });
  test('run from the command line, with a line of JSON; mistakes are one sentence', () => {
    const bin = fileURLToPath(new URL('../../bin/adbreak.js', import.meta.url));
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [bin, 'simulate', ...args], { encoding: 'utf8' });
    const { status, stdout } = run(
      '--scenario',
      join(SCENARIOS, 'bad-candidate.yaml'),
      '--runs',
      '2',
      '--json',
    );
    assert.equal(status, 0);
    const { statuses, answers } = JSON.parse(stdout);
    assert.deepEqual(statuses, { 'rolled-back': 2 });
    assert.ok(answers.leaveShadow === null && answers.all > 0, JSON.stringify(answers));
    assert.match(
      run('--scenario', '/nowhere.yaml').stderr,
      /error not_found: Cannot read the scenario \/nowhere\.yaml/,
    );
    assert.match(
      run('--scenario', join(SCENARIOS, 'bad-candidate.yaml'), '--devices', '-3').stderr,
      /fleet\.devices/,
    );
  });
});
