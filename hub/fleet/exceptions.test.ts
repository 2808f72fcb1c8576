import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import type { StoredRollout } from '../store/state.js';
import { emptyState, type HubState } from '../store/state.js';
import { AT, leftBehind, REASONS } from '../testing/exceptions.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { assignments } from './desired.js';
import { applyLift, exceptionsOf, liftOf, quoted } from './exceptions.js';
import { exceptionsText, liftText } from './exceptions-text.js';

const ref = (version: string) => ({ version, digest: (version[0] ?? '0').repeat(64) });
const ONE = { from: ref('1.0.0'), to: ref('2.0.0') };
const LEFT = { 'channel=one': ref('1.0.0'), 'device=pi-3': ref('1.0.0') };

/** pi-1, pi-2 on channel one, pi-3 and pi-4 on two; production is 2.0.0. */
function hub(
  exceptions: Record<string, ReturnType<typeof ref>> = LEFT,
  rollouts: StoredRollout[] = [leftBehind(ONE)],
): HubState {
  const channels = { 'pi-1': 'one', 'pi-2': 'one', 'pi-3': 'two', 'pi-4': 'two' };
  return {
    ...emptyState(),
    devices: Object.fromEntries(
      Object.entries(channels).map(([id, channel]) => [id, deviceEntry(id, channel)]),
    ),
    models: { [MODEL]: { ...modelEntry('2.0.0', ['1.0.0', '2.0.0', '3.0.0']), exceptions } },
    rollouts,
  };
}
const running = (status: StoredRollout['status'], change: Partial<StoredRollout> = {}) =>
  leftBehind({
    id: 'next',
    from: ref('2.0.0'),
    to: ref('3.0.0'),
    excluded: {},
    setAside: {},
    status,
    ...change,
  });
const coded = (code: ErrorCode, message: RegExp, remedy: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AdbreakError && error.code === code, String(error));
  assert.match(error.message, message);
  assert.match(error.remedy, remedy);
  return true;
};
const lifted = (state: HubState, name: string) => {
  const lift = liftOf(state, MODEL, name);
  assert.equal(lift.kind, 'lift');
  assert.ok(lift.kind === 'lift');
  return lift;
};
function apply(state: HubState, name: string): HubState {
  const after = structuredClone(state);
  applyLift(after.models[MODEL], {
    name,
    version: ref('1.0.0'),
    at: AT,
    who: 'token:first',
    reason: 'a new aerial',
  });
  return after;
}
const productions = (state: HubState) =>
  [...assignments(state, MODEL)].map(([id, { production }]) => `${id} ${production.version}`);

describe('the list', () => {
  test('says who stays on what, since when, by which rollout and why', () => {
    const { exceptions, production, active, lifted } = exceptionsOf(hub(), MODEL);
    assert.deepEqual([production, active, lifted], [ref('2.0.0'), null, []]);
    assert.deepEqual(
      exceptions.map(({ name, devices, standing, findings }) => ({ name, devices, standing, findings })),
      [
        {
          name: 'channel=one',
          devices: ['pi-1', 'pi-2'],
          standing: 'available',
          findings: [
            { rollout: 'base-ad-detector-2.0.0-abc123', version: '2.0.0', at: AT, reason: REASONS.slice },
          ],
        },
        {
          name: 'device=pi-3',
          devices: ['pi-3'],
          standing: 'available',
          findings: [
            { rollout: 'base-ad-detector-2.0.0-abc123', version: '2.0.0', at: AT, reason: REASONS.device },
          ],
        },
      ],
    );
  });
  test('reaches each device by the exception that decides, as desired states do; revoked ones and those of other models by none', () => {
    const state = hub({ ...LEFT, 'device=pi-1': ref('3.0.0'), 'site=home': ref('3.0.0') });
    Object.assign(state.devices['pi-2'] ?? {}, { revoked: true });
    state.devices['pi-9'] = deviceEntry('pi-9', 'one', { model: 'another' });
    const by = Object.fromEntries(
      exceptionsOf(state, MODEL).exceptions.map(({ name, devices, others }) => [name, [devices, others]]),
    );
    assert.deepEqual(by, {
      'channel=one': [[], [{ device: 'pi-1', by: 'device=pi-1' }]],
      'device=pi-1': [['pi-1'], []],
      'device=pi-3': [['pi-3'], []],
      'site=home': [
        ['pi-4'],
        [
          { device: 'pi-1', by: 'device=pi-1' },
          { device: 'pi-3', by: 'device=pi-3' },
        ],
      ],
    });
    assert.deepEqual(productions(state), ['pi-1 3.0.0', 'pi-3 1.0.0', 'pi-4 3.0.0']);
  });
  test('begins with the rollout that began to leave it on this version; what was taken back left nothing', () => {
    const later = { from: ref('2.0.0'), to: ref('3.0.0') };
    const earlier = leftBehind({ id: 'before', from: ref('1.0.0'), to: ref('4.0.0') });
    const rolledBack = leftBehind({
      id: 'back',
      from: ref('4.0.0'),
      to: ref('1.0.0'),
      excluded: {},
      setAside: {},
    });
    const aborted = leftBehind({ id: 'aborted', ...later, status: 'aborted' });
    const again = leftBehind({ id: 'again', ...later, status: 'watching', setAside: {} });
    const state = hub(LEFT, [earlier, rolledBack, leftBehind({ id: 'made', ...ONE }), aborted, again]);
    const found = exceptionsOf(state, MODEL).exceptions.map(({ findings }) =>
      findings.map(({ rollout }) => rollout),
    );
    assert.deepEqual(found, [['made', 'again'], ['made']]);
  });
  test('a device that was left behind for a place that it named before is told by that place', () => {
    const site = leftBehind({
      ...ONE,
      setAside: {},
      excluded: { 'site=attic': { at: AT, reason: 'worse in site=attic' } },
    });
    const named = {
      ...site,
      evidence: { ...site.evidence, devices: { 'pi-3': { named: ['one\nattic\npi5'] } } },
    };
    const state = hub(LEFT, [named as unknown as StoredRollout]);
    assert.deepEqual(
      exceptionsOf(state, MODEL).exceptions.map(({ findings }) => findings.map(({ reason }) => reason)),
      [[], ['worse in site=attic']],
    );
  });
  test('a version that is in quarantine or gone is said to be, and what history does not know is said too', () => {
    const state = hub(
      {
        'channel=one': ref('1.0.0'),
        'device=pi-3': { version: '1.0.0', digest: 'e'.repeat(64) },
        'device=pi-8': ref('9.0.0'),
      },
      [],
    );
    Object.assign(state.models[MODEL]?.versions['1.0.0'] ?? {}, { status: 'quarantined' });
    const all = exceptionsOf(state, MODEL);
    assert.deepEqual(
      all.exceptions.map(({ standing }) => standing),
      ['quarantined', 'gone', 'gone'],
    );
    const text = exceptionsText(all);
    assert.match(
      text,
      /channel=one stays on 1\.0\.0, which is in quarantine: 2 devices: pi-1, pi-2\n {2}since when and why is not known/,
    );
    assert.match(
      text,
      /device=pi-8 stays on 9\.0\.0, which is no longer registered: it reaches no device now/,
    );
  });
  test('names that every object has find nothing', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      assert.deepEqual(exceptionsOf(hub(), name).exceptions, []);
      assert.throws(
        () => liftOf(hub(), MODEL, name),
        coded('not_found', /it is no exception/, /channel=one/),
      );
    }
  });
});

describe('a lift', () => {
  test('moves the devices on which it decides, and those alone, to production', () => {
    const lift = lifted(hub(), 'channel=one');
    assert.deepEqual(lift.moves, [
      { device: 'pi-1', online: true, to: '2.0.0', by: null },
      { device: 'pi-2', online: true, to: '2.0.0', by: null },
    ]);
    const after = apply(hub(), 'channel=one');
    assert.deepEqual(productions(hub()), ['pi-1 1.0.0', 'pi-2 1.0.0', 'pi-3 1.0.0', 'pi-4 2.0.0']);
    assert.deepEqual(productions(after), ['pi-1 2.0.0', 'pi-2 2.0.0', 'pi-3 1.0.0', 'pi-4 2.0.0']);
    assert.deepEqual(apply(after, 'channel=one'), after);
    assert.equal(lift.back, 'base-ad-detector-2.0.0-abc123');
  });
  test('once more, says that it is done and by whom', () => {
    const lift = liftOf(apply(hub(), 'channel=one'), MODEL, 'channel=one');
    assert.deepEqual(lift, {
      kind: 'lifted',
      lifted: {
        name: 'channel=one',
        version: ref('1.0.0'),
        at: AT,
        who: 'token:first',
        reason: 'a new aerial',
      },
    });
    assert.match(
      liftText(MODEL, lift),
      /was lifted already, at 2026-01-03T04:00:00\.000Z by token:first: a new aerial\..*nothing changes/,
    );
  });
  test('gives a device to the exception that comes next, and says so', () => {
    const state = hub(
      { 'device=pi-1': ref('1.0.0'), 'channel=one': ref('3.0.0'), 'site=home': ref('1.0.0') },
      [],
    );
    assert.deepEqual(lifted(state, 'device=pi-1').moves, [
      { device: 'pi-1', online: true, to: '3.0.0', by: 'channel=one' },
    ]);
    assert.match(
      liftText(MODEL, lifted(state, 'device=pi-1')),
      /1 device changes its version now: pi-1 to 3\.0\.0 \(channel=one\)\./,
    );
  });
  test('is refused where another exception would keep all of it; lifted from the weakest on, all of them go', () => {
    const names = ['hardware=pi5', 'site=home', 'channel=one', 'device=pi-1'];
    let state = hub(Object.fromEntries(names.map((name) => [name, ref('1.0.0')])), []);
    assert.throws(
      () => liftOf(state, MODEL, 'device=pi-1'),
      coded(
        'conflict',
        /channel=one would keep it on 1\.0\.0/,
        /Lift that first: `adbreak models exceptions base-ad-detector --lift channel=one`/,
      ),
    );
    for (const name of names) {
      lifted(state, name);
      state = apply(state, name);
    }
    assert.ok(productions(state).every((one) => one.endsWith('2.0.0')));
  });
  test('some that stay by another exception are named', () => {
    const state = hub(
      { 'channel=two': ref('1.0.0'), 'site=home': ref('3.0.0'), 'channel=one': ref('3.0.0') },
      [],
    );
    Object.assign(state.devices['pi-2'] ?? {}, { slice: { channel: 'one', site: 'attic', hardware: 'pi5' } });
    const lift = lifted(state, 'channel=one');
    assert.deepEqual(
      [lift.moves.map(({ device }) => device), lift.stay],
      [['pi-2'], [{ device: 'pi-1', by: 'site=home' }]],
    );
    assert.match(liftText(MODEL, lift), /On 3\.0\.0 by another exception: pi-1 \(site=home\)\./);
  });
  test('is refused where it stays on what is in production anyway', () => {
    const state = hub({ 'channel=one': ref('2.0.0') });
    assert.throws(
      () => liftOf(state, MODEL, 'channel=one'),
      coded('conflict', /stays on 2\.0\.0, which is in production/, /Nothing needs to be done/),
    );
  });
  test('is refused where it is none: what there is, is named', () => {
    assert.throws(
      () => liftOf(hub(), MODEL, 'channel=onne'),
      coded('not_found', /it is no exception/, /There is channel=one, device=pi-3: `adbreak models/),
    );
    assert.throws(
      () => liftOf(hub({}), MODEL, 'channel=one'),
      coded('not_found', /no exception/, /has no exceptions/),
    );
    const many = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`channel=c${i}`, ref('1.0.0')]));
    assert.throws(
      () => liftOf(hub(many), MODEL, 'channel=x'),
      coded('not_found', /no exception/, /channel=c\d+ and more: /),
    );
  });
  test('is refused while a rollout of the model is active, which has taken the exceptions up; the next command is named', () => {
    for (const status of ['running', 'paused', 'suspended'] as const)
      assert.throws(
        () => liftOf(hub(LEFT, [leftBehind(ONE), running(status)]), MODEL, 'channel=one'),
        coded(
          'conflict',
          new RegExp(`rollout next is ${status}`),
          /tries 3\.0\.0 there too.*`adbreak rollouts abort next`/,
        ),
      );
    const watching = running('watching', { stageSince: AT });
    assert.throws(
      () => liftOf(hub(LEFT, [leftBehind(ONE), watching]), MODEL, 'channel=one'),
      coded(
        'conflict',
        /is watching/,
        new RegExp(
          `its watch ends \\(${new Date(Date.parse(AT) + watching.plan.watchHours * 3_600_000).toISOString()}\\)`,
        ),
      ),
    );
    assert.equal(
      liftOf(hub(LEFT, [leftBehind(ONE), { ...running('running'), model: 'another' }]), MODEL, 'channel=one')
        .kind,
      'lift',
    );
  });
  test('of what reaches no device is done all the same: the next device of that name is on production', () => {
    const lift = lifted(hub({ 'channel=empty': ref('9.0.0') }, []), 'channel=empty');
    assert.deepEqual([lift.moves, lift.stay], [[], []]);
    assert.match(
      liftText(MODEL, lift),
      /No device changes its version now\.\n.*why it was left behind is not known.*\nTo go back, roll another version/,
    );
  });
});

test('the sentences say what follows: who changes now, who later, that no gate said so, and the way back', () => {
  const state = hub();
  Object.assign(state.devices['pi-2'] ?? {}, { online: false });
  assert.equal(
    liftText(MODEL, lifted(state, 'channel=one')),
    [
      'channel=one of base-ad-detector is lifted: it stayed on 1.0.0, production is 2.0.0.',
      '2 devices change their version now (1 is offline and follows when it is back): pi-1 to 2.0.0, pi-2 to 2.0.0.',
      `This goes without the gate, by your word alone; it was left behind by base-ad-detector-2.0.0-abc123: ${REASONS.slice}. No rollout watches 2.0.0 there.`,
      'To go back, on all devices: `adbreak rollouts rollback base-ad-detector-2.0.0-abc123 --reason WHY` takes 2.0.0 back.',
    ].join('\n'),
  );
  assert.equal(
    exceptionsText(exceptionsOf(hub({}), MODEL)),
    'base-ad-detector: production is 2.0.0; there are no exceptions',
  );
  assert.match(
    exceptionsText(exceptionsOf(apply(state, 'channel=one'), MODEL)),
    /lifted since 2\.0\.0 is in production:\n {2}channel=one \(was on 1\.0\.0\) at/,
  );
  assert.match(
    exceptionsText(exceptionsOf(hub(LEFT, [running('running')]), MODEL)),
    /Rollout next is running: nothing can be lifted until it is over\./,
  );
  for (const device of Array.from({ length: 12 }, (_, i) => deviceEntry(`tv-${i}`, 'one')))
    state.devices[device.id] = device;
  assert.match(exceptionsText(exceptionsOf(state, MODEL)), /14 devices: pi-1, pi-2, .* and 4 more/);
});

test('a name is put in quotes where a shell would split it', () => {
  assert.deepEqual(['channel=one', 'channel=Das Erste', "site=Peter's"].map(quoted), [
    'channel=one',
    "'channel=Das Erste'",
    "'site=Peter'\\''s'",
  ]);
});
