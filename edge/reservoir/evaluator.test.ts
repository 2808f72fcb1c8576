import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RoundReport, RoundRequest } from '@adbreak/shared/contract/rounds.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
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

test('a round that was answered before a restart is answered again with the same counts; a hub out of reach does not keep the agent from stopping', async () => {
  const folder = await temporaryFolder();
  const statePath = join(folder, 'rounds.json');
  await writeFile(statePath, JSON.stringify({ spent: 0, answers: [ANSWER], secure: [] }));
  const identity = { device: 'pi-1', key: '', certificate: '', authority: '', mqtt: '', root: '' };
  const sent: RoundReport[] = [];
  let tell: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const evaluator = new Evaluator({
    reservoir: await Reservoir.open(join(folder, 'reservoir'), { episodes: 1, bytes: 1e6 }, seeded('evaluator').uniform, () => undefined),
    models: new ModelStore(folder, identity, 'https://127.0.0.1:1'),
    identity,
    hub: 'https://127.0.0.1:1',
    slice: ANSWER.slice,
    runtime: 'auto',
    statePath,
    privacyBudget: 20,
    // As a client without a connection: the promise waits for one.
    publish: (report) => {
      sent.push(report);
      tell();
      return new Promise(() => undefined);
    },
    onFault: (error) => assert.fail(String(error)),
    log: () => undefined,
  });
  evaluator.want(REQUEST, 'base-ad-detector');
  await asked;
  await evaluator[Symbol.asyncDispose]();
  assert.deepEqual(sent, [ANSWER]);
});
