import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Desired, desired } from '@adbreak/shared/contract/messages.js';
import { desiredPayload, signedDesired, withSigned } from '@adbreak/shared/contract/signed-desired.js';
import { z } from 'zod';
import { round } from '../evaluations/round.js';
import { emptyState } from '../store/state.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { assignments, forTheWire, wordTo } from './desired.js';

const modelRef = z.strictObject({ version: z.string(), digest: z.string() });
/** What an agent of 0.1.0 takes: a key that it does not know makes it refuse the whole message. */
const ofTheFirstAgents = z.strictObject({
  revision: z.int().positive(),
  model: z.string(),
  production: modelRef,
  candidate: modelRef.nullable(),
  serve: z.enum(['production', 'candidate']),
  rollout: z.string().nullable(),
});
const ref = (version: string) => ({ version: `${version}.0.0`, digest: version.repeat(64) });
const PLAIN: Desired = {
  revision: 3,
  model: 'base-ad-detector',
  production: ref('1'),
  candidate: ref('2'),
  serve: 'production',
  rollout: 'r',
  evaluation: null,
  ask: null,
  draws: { perWeek: null, answerHours: 24 },
};
const published = (message: Desired): unknown => JSON.parse(JSON.stringify(forTheWire(message)));

test('an agent of 0.1.0 takes an assignment that asks for nothing newer, and later agents read it as it was', () => {
  assert.deepEqual(ofTheFirstAgents.parse(published(PLAIN)).candidate, ref('2'));
  assert.deepEqual(desired.parse(published(PLAIN)), PLAIN);
});

test('an agent that takes signed words gets them, for itself and for two weeks; one that has said nothing, or is older, gets plain ones', () => {
  const now = new Date('2027-01-01T00:00:00.000Z');
  const signed = (payload: string) => ({
    payload,
    signatures: [{ keyid: 'a'.repeat(64), sig: 'b'.repeat(128) }],
  });
  for (const agent of [undefined, '0.1.0', 'signed', '0.1.0-signed'])
    assert.deepEqual(
      ofTheFirstAgents.parse(JSON.parse(wordTo({ id: 'pi-1', agent }, PLAIN, now, signed))).candidate,
      ref('2'),
    );
  for (const agent of [withSigned('0.1.0'), '1.0.0-rc.1+build.signed.5']) {
    const word = signedDesired.parse(JSON.parse(wordTo({ id: 'pi-1', agent }, PLAIN, now, signed)));
    const payload = desiredPayload.parse(JSON.parse(word.payload));
    assert.deepEqual(payload, {
      device: 'pi-1',
      issued: now.toISOString(),
      expires: '2027-01-15T00:00:00.000Z',
      desired: PLAIN,
    });
  }
  assert.ok(withSigned('0.1.0').length <= 40, 'hubs of before take it as a version');
});

test('what is not its default is published', () => {
  for (const change of [
    { ask: 'disagreements' as const },
    { draws: { perWeek: null, answerHours: 12 } },
    { draws: { perWeek: 7, answerHours: 24 } },
  ]) {
    const message = { ...PLAIN, ...change };
    assert.deepEqual(desired.parse(published(message)), message);
  }
});

test('why a report was refused is published beside the same assignment, and not to an agent that would refuse all of it', () => {
  const refusal = {
    code: 'input_invalid',
    message: 'Cannot accept window 3',
    at: '2026-01-01T00:00:00.000Z',
  };
  const told = (entry: Parameters<typeof forTheWire>[1]) =>
    JSON.parse(JSON.stringify(forTheWire(PLAIN, entry)));
  assert.deepEqual(desired.parse(told({ stream: '0123456789abcdef', refusal })), { ...PLAIN, refusal });
  assert.deepEqual(desired.parse(told({ stream: '0123456789abcdef' })), PLAIN);
  assert.equal(ofTheFirstAgents.safeParse(told({ refusal })).success, true);
});

/** A fleet that is asked for a round, and how often somebody has looked into the list of who is asked. */
function asked(devices: number) {
  const state = emptyState();
  state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  const ids = Array.from({ length: devices }, (_, i) => `pi-${i}`);
  for (const id of ids) state.devices[id] = deviceEntry(id, 'one');
  const looks = { count: 0 };
  const open = round.parse({
    id: 'round-1',
    model: MODEL,
    request: {
      round: 'round-1',
      production: ref('1'),
      candidate: ref('2'),
      deadline: '2026-01-02T00:00:00.000Z',
      secure: false,
      epsilon: null,
    },
    started: '2026-01-01T00:00:00.000Z',
    who: 'test',
    quorum: 1,
    minDevices: 1,
    rollout: null,
    cohort: ids,
    status: 'open',
    answers: {},
    sum: null,
    closed: null,
  });
  const cohort = new Proxy(ids, {
    get: (list, key, self) => {
      looks.count += 1;
      return Reflect.get(list, key, self);
    },
  });
  state.evaluations.push({ ...open, cohort });
  return { state, looks };
}

test('finding 4: what a round costs grows with its devices, not with their square; for one device no other is looked at', () => {
  const { state, looks } = asked(300);
  const all = assignments(state, MODEL);
  assert.equal([...all.values()].filter(({ evaluation }) => evaluation?.round === 'round-1').length, 300);
  assert.ok(looks.count < 3 * 300, `${looks.count} looks`);
  assert.deepEqual(assignments(state, MODEL, ['pi-7', 'nobody']), new Map([['pi-7', all.get('pi-7')]]));
});
