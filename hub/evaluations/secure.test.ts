import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SecureClient } from '@adbreak/shared/aggregation/client.js';
import type { Phase, Unmasking } from '@adbreak/shared/aggregation/messages.js';
import type { SecureSum } from '@adbreak/shared/aggregation/server.js';
import { secureVector } from '@adbreak/shared/contract/rounds.js';
import { hasCode } from '@adbreak/shared/errors.js';
import { answer, rounds } from '../testing/rounds.js';
import { MODEL } from '../testing/state.js';
import { holdDatabase } from '../testing/store.js';
import { resultOf } from './round.js';

const DEVICES = ['pi-0', 'pi-1', 'pi-2', 'pi-3'];
const VECTOR = secureVector(answer('').counts);
type World = Awaited<ReturnType<typeof rounds>>;

/** A device's part in a phase; whatever is thrown in it is the device's own trouble, as with a real agent. */
type Part = (phase: Phase, honest: () => void, sum: SecureSum, client: SecureClient) => void;

/** What an honest device sends. */
function honestly(device: string, client: SecureClient, sum: SecureSum): void {
  const view = sum.view(device);
  switch (view.phase) {
    case 'keys':
      return sum.takeKeys(device, client.advertise());
    case 'shares':
      return sum.takeShares(device, client.shareOut(view.peers, view.threshold));
    case 'masked':
      return sum.takeMasked(device, client.mask(VECTOR, view.boxes));
    case 'unmask':
      return sum.takeUnmasking(device, client.unmask(view.survivors));
    case 'over':
      return;
  }
}

/**
 * Two secure rounds of all devices side by side; in the first one pi-0 does what `part` says. Gives both and what was
 * refused. `hold` keeps the last phase's look from writing.
 */
async function sideBySide(
  { evaluations, clock, order }: World,
  part: Part,
  hold?: () => Promise<() => Promise<void>>,
) {
  const secure = { ...order, where: { channel: ['one', 'two'] }, secure: true };
  const bad = (await evaluations.start(secure)).id;
  const good = (await evaluations.start({ ...secure, rollout: 'another' })).id;
  const refused: unknown[] = [];
  const clients = new Map(
    [bad, good].flatMap((id) =>
      DEVICES.map((device) => [`${id}/${device}`, new SecureClient(device, randomBytes)]),
    ),
  );
  const clientOf = (id: string, device: string) => clients.get(`${id}/${device}`) ?? assert.fail('no client');
  for (const phase of ['keys', 'shares', 'masked', 'unmask'] as const) {
    for (const id of [bad, good])
      for (const device of DEVICES) {
        const client = clientOf(id, device);
        try {
          evaluations.secureMessage(device, id, (sum) => {
            const honest = () => honestly(device, client, sum);
            if (id === bad && device === 'pi-0') part(phase, honest, sum, client);
            else honest();
          });
        } catch (error) {
          refused.push(error);
        }
      }
    // Longer than a phase waits for its slowest: the first one for what a Pi needs to look at all its episodes.
    clock.now = new Date(clock.now.getTime() + (phase === 'keys' ? 15 * 60_000 + 1000 : 61_000));
    const release = phase === 'unmask' ? await hold?.() : undefined;
    await evaluations.tick();
    await release?.();
  }
  await evaluations.tick();
  return { bad: evaluations.find(bad), good: evaluations.find(good), refused };
}

const changed = (box: string) => {
  const bytes = Buffer.from(box, 'base64');
  bytes[40] = (bytes[40] ?? 0) ^ 1;
  return bytes.toString('base64');
};
/** Another share of pi-1's own mask than the device was given. */
const unmaskedWith = (damage: (own: Unmasking) => Unmasking): Part => {
  return (phase, honest, sum, client) => {
    const view = sum.view('pi-0');
    if (phase !== 'unmask' || view.phase !== 'unmask') return honest();
    sum.takeUnmasking('pi-0', damage(client.unmask(view.survivors)));
  };
};
const withSelf = (share: (own: string) => string | undefined) =>
  unmaskedWith((own) => {
    const { 'pi-1': theirs = '', ...rest } = own.self;
    const put = share(theirs);
    return { ...own, self: put === undefined ? rest : { ...rest, 'pi-1': put } };
  });
const ownX = (share: string) => share.split(':')[0] ?? '';

/** Rounds of four need three in each phase. */
const ENDS: readonly [string, Part, RegExp][] = [
  [
    'a share of other bytes',
    withSelf((own) => `${ownX(own)}:${Buffer.alloc(32, 7).toString('base64')}`),
    /a share or an input was damaged/,
  ],
  ['a share that is too short', withSelf((own) => `${ownX(own)}:AAAA`), /cannot be opened/],
  [
    'a share under another device’s number',
    withSelf((own) => own.replace(/^\d+/, '2')),
    /cannot be opened|was damaged/,
  ],
  [
    'a key that is none',
    (phase, honest, sum) => {
      const nothing = Buffer.alloc(32).toString('base64');
      if (phase === 'keys') sum.takeKeys('pi-0', { channel: nothing, mask: nothing });
      else honest();
    },
    /quorum/,
  ],
  [
    'boxes that nobody can open',
    (phase, honest, sum, client) => {
      const view = sum.view('pi-0');
      if (phase !== 'shares' || view.phase !== 'shares') return honest();
      const boxes = Object.entries(client.shareOut(view.peers, view.threshold));
      sum.takeShares('pi-0', Object.fromEntries(boxes.map(([to, box]) => [to, changed(box)])));
    },
    /quorum/,
  ],
  [
    'an input beside its mask',
    (phase, honest, sum) => {
      if (phase === 'masked')
        sum.takeMasked(
          'pi-0',
          VECTOR.map((_, i) => String(2n ** 63n + BigInt(i))),
        );
      else honest();
    },
    /a share or an input was damaged/,
  ],
];
/** What the round is mended of: it goes on without the device, or as if nothing had been. */
const MENDED: readonly [string, Part, { readonly devices: number; readonly refused: number }][] = [
  ['a share that is missing', withSelf(() => undefined), { devices: 4, refused: 0 }],
  [
    'shares of a device that is not asked',
    unmaskedWith((own) => ({ ...own, self: { ...own.self, stranger: `1:${'A'.repeat(43)}=` } })),
    { devices: 4, refused: 0 },
  ],
  [
    'an answer that comes twice in each phase',
    (_, honest, sum) => {
      const before = sum.phase;
      honest();
      if (before === 'keys') return sum.takeKeys('pi-0', { channel: 'x', mask: 'y' });
      if (before === 'shares') return sum.takeShares('pi-0', {});
      if (before === 'masked') return sum.takeMasked('pi-0', VECTOR.map(String));
      return sum.takeUnmasking('pi-0', { self: {}, pairwise: {} });
    },
    { devices: 4, refused: 4 },
  ],
  [
    'an input of the wrong length',
    (phase, honest, sum) => (phase === 'masked' ? sum.takeMasked('pi-0', ['1', '2']) : honest()),
    { devices: 3, refused: 1 },
  ],
  [
    'boxes for too few peers',
    (phase, honest, sum) => (phase === 'shares' ? sum.takeShares('pi-0', { 'pi-1': 'x' }) : honest()),
    { devices: 3, refused: 1 },
  ],
  [
    'boxes for a device that is not asked',
    (phase, honest, sum) =>
      phase === 'shares' ? sum.takeShares('pi-0', { 'pi-1': 'x', 'pi-2': 'x', stranger: 'x' }) : honest(),
    { devices: 3, refused: 1 },
  ],
  [
    'a phase that is over by then',
    (phase, honest, sum, client) => {
      if (phase === 'masked') sum.takeKeys('pi-0', client.advertise());
      else honest();
    },
    { devices: 3, refused: 1 },
  ],
  ['no answer at all', () => undefined, { devices: 3, refused: 0 }],
];

for (const [what, part, words] of ENDS)
  test(`finding 4: ${what} ends its own round, inconclusive and with the reason; the round beside it gives its sum`, async (t) => {
    const world = await rounds(t);
    const { bad, good } = await sideBySide(world, part);
    assert.deepEqual([bad.status, good.status], ['closed', 'closed']);
    assert.equal(resultOf(bad).inconclusive, true);
    assert.match(resultOf(bad).notes.join(), words);
    assert.deepEqual([resultOf(good).inconclusive, resultOf(good).episodes], [false, 80]);
    assert.deepEqual(
      new Map(world.closed.map(([rollout, { inconclusive }]) => [rollout, inconclusive])),
      new Map([
        ['some-rollout', true],
        ['another', false],
      ]),
    );
  });

for (const [what, part, { devices, refused: times }] of MENDED)
  test(`finding 4: ${what} costs at most that device’s part`, async (t) => {
    const { bad, good, refused } = await sideBySide(await rounds(t), part);
    assert.deepEqual(
      [bad, good].map((round) => [round.status, resultOf(round).inconclusive, resultOf(round).episodes]),
      [
        ['closed', false, 20 * devices],
        ['closed', false, 80],
      ],
    );
    assert.equal(refused.length, times);
    assert.ok(refused.every((error) => hasCode(error, 'conflict')));
  });

test('a foreign device has no part in a round', async (t) => {
  const { evaluations, order } = await rounds(t);
  const { id } = await evaluations.start({ ...order, secure: true });
  assert.throws(
    () => evaluations.secureMessage('stranger', id, () => assert.fail('not asked')),
    (error) => hasCode(error, 'conflict'),
  );
});

test('the sum is in one write with the end: its version has the result, also where that write failed at first', async (t) => {
  const world = await rounds(t);
  const { bad, good } = await sideBySide(
    world,
    (_, honest) => honest(),
    () => holdDatabase(world.folder),
  );
  for (const round of [bad, good]) assert.deepEqual([round.status, resultOf(round).episodes], ['closed', 80]);
  const found = world.store.state.models[MODEL]?.versions['2.0.0']?.evaluations;
  assert.deepEqual(
    found?.map(({ episodes, devices, difference }) => [episodes, devices, difference?.value]),
    [
      [80, 4, 0.15],
      [80, 4, 0.15],
    ],
  );
});
