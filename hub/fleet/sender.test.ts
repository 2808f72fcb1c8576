import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Desired } from '@adbreak/shared/contract/messages.js';
import { withSigned } from '@adbreak/shared/contract/signed-desired.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../store/open.js';
import { deviceEntry, MODEL } from '../testing/state.js';
import { Sender } from './sender.js';

const SIGNED = withSigned('0.1.0');
const DESIRED: Desired = {
  revision: 3,
  model: MODEL,
  production: { version: '1.0.0', digest: 'a'.repeat(64) },
  candidate: null,
  serve: 'production',
  rollout: null,
  evaluation: null,
  ask: null,
  draws: { perWeek: null, answerHours: 24 },
};

/** Devices by what their agents say they are, and what they are sent: whether it is signed. */
async function fleet(t: TestContext, agents: Readonly<Record<string, string | undefined>>) {
  const store = await openStore(await temporaryFolder(), () => new Date());
  t.after(() => store.close());
  await store.change(({ devices }) => {
    for (const [id, agent] of Object.entries(agents))
      devices[id] = deviceEntry(id, 'one', { desired: DESIRED, ...(agent !== undefined && { agent }) });
  });
  const sent: string[] = [];
  const log: string[] = [];
  const broken = { is: false };
  const sender = new Sender({
    store,
    now: () => new Date(),
    sign: (payload) => ({ payload, signatures: [{ keyid: 'a'.repeat(64), sig: 'b'.repeat(128) }] }),
    publish: async (device, word) => {
      if (broken.is) throw new Error('the broker is closed');
      sent.push(`${device} ${word.includes('"signatures"') ? 'signed' : 'plain'}`);
    },
    log: (line) => void log.push(line),
  });
  const says = (id: string, agent: string) => () =>
    store.change(({ devices }) => void Object.assign(devices[id] ?? {}, { agent }));
  return { store, sender, sent, log, broken, says };
}

test('a device whose agent turns out to read other words is sent those at once; one that says what it was, nothing', async (t) => {
  const { sender, sent, says, log, broken } = await fleet(t, { new: undefined, old: SIGNED, same: SIGNED });
  await sender.after('new', says('new', SIGNED));
  await sender.after('old', says('old', '0.1.0'));
  await sender.after('same', says('same', withSigned('0.2.0')));
  await sender.after('nobody', async () => undefined);
  assert.deepEqual(sent, ['new signed', 'old plain']);
  broken.is = true;
  // A message was taken: that nothing can be sent does not take it back.
  await sender.after('new', says('new', '0.1.0'));
  assert.match(log.join(), /new: cannot send what it shall run: the broker is closed/);
});

test('every hour what is signed is signed anew, for those who read it', async (t) => {
  const { store, sender, sent } = await fleet(t, { one: SIGNED, two: SIGNED, plain: '0.1.0', none: SIGNED });
  await store.change(({ devices }) => {
    Object.assign(devices['two'] ?? {}, { revoked: true });
    Object.assign(devices['none'] ?? {}, { desired: null });
  });
  await sender.signAnew();
  assert.deepEqual(sent, ['one signed']);
});
