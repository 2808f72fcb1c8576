import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RoundReport, RoundRequest } from '@adbreak/shared/contract/rounds.js';
import { explain } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { ModelStore } from '../models/fetch.js';
import { Evaluator } from './evaluator.js';
import { Reservoir } from './reservoir.js';

const ref = (version: string) => ({ version, digest: (version[0] ?? '0').repeat(64) });
const ANSWER: RoundReport = {
  round: 'round-1',
  production: ref('1.0.0').digest,
  candidate: ref('2.0.0').digest,
  sources: { operator: 0, button: 4, rule: 0 },
  ageHours: { youngest: 1, oldest: 2 },
  counts: { episodes: 4, productionRight: 2, candidateRight: 3, wins: 1, losses: 0 },
  slice: { channel: 'one', site: 'home', hardware: 'pi5' },
  epsilonSpent: 0,
  at: '2026-01-01T00:00:00.000Z',
};
const REQUEST: RoundRequest = {
  round: 'round-1',
  production: ref('1.0.0'),
  candidate: ref('2.0.0'),
  deadline: '2099-01-01T00:00:00.000Z',
  secure: false,
  epsilon: null,
};

type Options = ConstructorParameters<typeof Evaluator>[0];

/** A device that has answered round-1 before; its hub is out of reach. */
async function evaluatorWith(more: Pick<Options, 'publish'> & Partial<Options>): Promise<Evaluator> {
  const folder = await temporaryFolder();
  const statePath = join(folder, 'rounds.json');
  await writeFile(statePath, JSON.stringify({ spent: 0, answers: [ANSWER], secure: [] }));
  const identity = { device: 'pi-1', key: '', certificate: '', authority: '', mqtt: '', root: '' };
  return new Evaluator({
    reservoir: await Reservoir.open(
      join(folder, 'reservoir'),
      { episodes: 1, bytes: 1e6 },
      seeded('evaluator').uniform,
      () => undefined,
    ),
    models: new ModelStore(folder, identity, 'https://127.0.0.1:1'),
    identity,
    hub: 'https://127.0.0.1:1',
    slice: ANSWER.slice,
    runtime: 'auto',
    statePath,
    privacyBudget: 20,
    onFault: (error) => assert.fail(String(error)),
    uniform: () => 0,
    log: () => undefined,
    ...more,
  });
}

test('a round that was answered before a restart is answered again with the same counts; a hub out of reach does not keep the agent from stopping', async () => {
  const sent: RoundReport[] = [];
  const evaluator = await evaluatorWith({
    // As a client without a connection: the promise waits for one.
    publish: (report) => {
      sent.push(report);
      return new Promise(() => undefined);
    },
  });
  evaluator.want(REQUEST, 'base-ad-detector');
  await until('the answer', () => sent.length > 0);
  await evaluator[Symbol.asyncDispose]();
  assert.deepEqual(sent, [ANSWER]);
});

test('a round that is wanted next does not wait for the pause of one that cannot be answered', async () => {
  const sent: RoundReport[] = [];
  const faults: string[] = [];
  await using evaluator = await evaluatorWith({
    publish: async (report) => void sent.push(report),
    onFault: (error) => faults.push(explain(error)),
  });
  evaluator.want({ ...REQUEST, round: 'round-2' }, 'base-ad-detector');
  await until('its models cannot be had', () => faults.length > 0);
  evaluator.want(REQUEST, 'base-ad-detector');
  // The pause alone takes five seconds.
  await until('the other round is answered', () => sent.length > 0, 4);
  assert.equal(faults.length, 1);
});
