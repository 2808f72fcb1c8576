import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@adbreak/shared/testing/until.js';
import { callHub } from './cli/client.js';
import { agentOf, labelForever, overview, publish, scenes } from './testing/chain.js';
import { storedState } from './testing/store.js';
import { testHub } from './testing.js';

/** Federated rounds over the real hub and real agents: labelled by a person at each page, answered from each reservoir. */
interface RoundView {
  readonly id: string;
  readonly status: string;
  readonly answered: string[];
  readonly text: string;
  readonly result: {
    inconclusive: boolean;
    episodes: number;
    answered: number;
    difference: { value: number; low: number; high: number } | null;
    slices: object;
  };
}

test('two versions over the devices’ own labelled episodes: plain, noisy and secure rounds', {
  timeout: 180_000,
}, async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0', -1);
  const video = await scenes();
  const agents = await Promise.all(
    ['pi-1', 'pi-2', 'pi-3', 'pi-4'].map((device, i) =>
      agentOf(t, hub, { device, input: video, channel: i % 2 === 0 ? 'grey' : 'white' }),
    ),
  );
  const stop = new AbortController();
  t.after(() => stop.abort());
  for (const agent of agents)
    void labelForever(
      await until('status page', async () => agent.status()),
      (start) => (Math.floor(start / 8) % 2 === 0 ? 'content' : 'ad'),
      stop.signal,
    );
  await until(
    'all serve',
    async () =>
      (await overview(hub)).devices.filter(({ reported }) => reported?.serving?.version === '1.0.0')
        .length === 4,
  );
  const kept = async () =>
    (await Promise.all(agents.map(({ state }) => readdir(join(state, 'reservoir')).catch(() => [])))).map(
      ({ length }) => length,
    );
  await until('every reservoir holds labelled episodes', async () => (await kept()).every((n) => n >= 8));
  // Registered and nowhere assigned: a round needs no rollout.
  await publish(hub, '2.0.0', 1, { promote: false });
  const start = async (body: object) =>
    (await callHub(hub, '/api/v1/evaluations', {
      method: 'POST',
      json: { model: 'base-ad-detector', candidate: '2.0.0', quorum: 3, min_devices: 3, hours: 1, ...body },
    })) as RoundView;
  const closed = async ({ id }: RoundView) =>
    until(
      `${id} closes`,
      async () => {
        const round = (await callHub(hub, `/api/v1/evaluations/${id}`)) as RoundView;
        return round.status === 'closed' && round;
      },
      60,
    );

  const plain = await closed(await start({}));
  assert.equal(plain.result.inconclusive, false, plain.text);
  assert.deepEqual(plain.answered.toSorted(), ['pi-1', 'pi-2', 'pi-3', 'pi-4']);
  assert.ok(
    (plain.result.difference?.value ?? 0) > 0.9,
    `2.0.0 is right where 1.0.0 is wrong: ${plain.text}`,
  );
  assert.match(plain.text, /by the button/);

  const secure = await closed(await start({ secure: true }));
  assert.equal(secure.result.inconclusive, false, secure.text);
  assert.equal(secure.result.answered, 4);
  assert.ok((secure.result.difference?.value ?? 0) > 0.9, secure.text);
  const stored = await storedState(hub.folder);
  assert.deepEqual(
    stored.evaluations.find(({ id }) => id === secure.id)?.answers,
    {},
    'the hub has no single device’s counts',
  );

  const noisy = await closed(await start({ epsilon: 1 }));
  assert.match(noisy.text, /discrete Laplace noise of scale 1\.00/);
  const spent = JSON.parse(await readFile(join(agents[0]?.state ?? '', 'rounds.json'), 'utf8')) as {
    spent: number;
  };
  assert.equal(spent.spent, 4, 'one round at epsilon 1 costs 4 on each device');
  for (const agent of agents) assert.equal(agent.child.exitCode, null);
});
