import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assignments } from '../fleet/desired.js';
import { emptyState, type HubState } from '../store/state.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { tooManyApart } from './apart.js';
import { after, DIGESTS, ownChannel, PLAN, Play, pis, report, started } from './fixtures.js';
import { memberships } from './lifecycle/memberships.js';
import type { Rollout } from './rollout.js';
import { standingOf } from './standing.js';
import { step } from './step.js';

const SLOW = {
  ...PLAN,
  slices: ['channel' as const, 'site' as const],
  stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 1000 })),
  deadlineHours: 5000,
  watchHours: 5000,
};
const channelOf = (device: string) => `c${Number(device.slice(3)) % 10}`;

/** Twenty devices on ten channels of which two watch a channel where the candidate loses. */
function worseOnOne(play: Play, from: number, until: number): void {
  for (let hour = from; hour < until; hour++) {
    for (const device of play.members) {
      const serving =
        play.state.status === 'watching' && play.state.acting.includes(device) ? 'candidate' : 'production';
      play.window(
        device,
        hour,
        channelOf(device) === 'c3' ? { losses: 4, agreed: 6 } : { wins: 1, agreed: 9 },
        {
          serving,
          slice: { channel: channelOf(device), site: 'home', hardware: 'pi5' },
        },
      );
    }
    play.tick(hour + 1.75);
  }
}
const channels = (play: Play) => standingOf(play.state).clusters.map(({ id }) => id);

test('a device that ever named a site that is judged apart is apart everywhere: fleet, days, outliers, and whom it acts on', () => {
  const play = new Play(pis(20), started({ ...SLOW, slices: ['site'] }));
  const bad = (device: string) => ['pi-0', 'pi-1', 'pi-2'].includes(device);
  const hours = (from: number, until: number, site: (device: string) => string) => {
    for (let hour = from; hour < until; hour++) {
      for (const device of play.members)
        play.window(device, hour, bad(device) ? { losses: 6, agreed: 26 } : { wins: 1, agreed: 30 }, {
          slice: { channel: channelOf(device), site: site(device), hardware: 'pi5' },
        });
      play.tick(hour + 1.75);
    }
  };
  hours(0, 12, (device) => (bad(device) ? 'bad' : 'home'));
  assert.deepEqual(Object.keys(play.state.excluded), ['site=bad']);
  hours(12, 20, () => 'home');
  const standing = standingOf(play.state);
  assert.equal(standing.devices.length, 17);
  const lost = (all: readonly (readonly { losses: number }[])[]) =>
    all.flat().reduce((sum, { losses }) => sum + losses, 0);
  assert.deepEqual([lost(standing.clusters.map(({ tallies }) => tallies)), lost(standing.days)], [0, 0]);
  const last = { ...play.state, stage: play.state.plan.stages.length - 1 };
  const { effects } = step(last, {
    kind: 'order',
    at: after(20).toISOString(),
    who: 'token:ada',
    order: 'force',
    reason: 'because',
  });
  const except = effects.flatMap((effect) =>
    effect.kind === 'set-production' ? Object.keys(effect.except) : [],
  );
  assert.deepEqual(except, ['site=bad', 'device=pi-0', 'device=pi-1', 'device=pi-2']);
  assert.match(
    tooManyApart({ ...play.state, plan: { ...play.state.plan, maxExcluded: 0.1 } }) ?? '',
    /hold 3 of 20 devices/,
  );
  const state: HubState = {
    ...emptyState(),
    devices: Object.fromEntries(play.members.map((id) => [id, deviceEntry(id, channelOf(id))])),
    models: { [MODEL]: modelEntry('1.0.0', ['1.0.0', '2.0.0']) },
    rollouts: [{ ...play.state, status: 'watching', seen: 0 }],
  };
  assert.deepEqual(
    memberships(state, MODEL).get('r')?.acting,
    play.members.filter((device) => !bad(device)).sort(),
  );
});

describe('a slice in which the candidate is worse', () => {
  const play = new Play(pis(20), started(SLOW));
  worseOnOne(play, 0, 12);
  test('stays on production while the rollout goes on, with its reason', () => {
    assert.equal(play.state.status, 'running');
    assert.deepEqual(Object.keys(play.state.excluded), ['channel=c3']);
    const apart = play.state.history.find(({ verdict }) => verdict === 'APART');
    assert.deepEqual([apart?.cause, apart?.action], ['worse-in-slice', 'stays on production there']);
    assert.match(
      apart?.reason ?? '',
      /worse in channel=c3 by more than 8\.0 points: \d+ lost, 0 won in \d+ episodes there; H = .* ≥ 220, the threshold of 11 slices/,
    );
    assert.ok(play.effects.some(({ kind }) => kind === 'assign'));
  });
  test('counts no more with the others, and the days begin anew', () => {
    assert.equal(channels(play).includes('channel=c3'), false);
    assert.equal(channels(play).length, 9);
    const before = Object.values(play.state.evidence.days).flat();
    assert.ok(before.reduce((sum, { losses }) => sum + losses, 0) === 0, 'the days hold none of its losses');
  });
  test('what a device saw there does not come back when it names another channel', () => {
    const moved = new Play(pis(20), started(SLOW));
    worseOnOne(moved, 0, 12);
    moved.window('pi-3', 12, { agreed: 3 }, { slice: { channel: 'c4', site: 'home', hardware: 'pi5' } });
    moved.tick(14);
    assert.equal(channels(moved).includes('channel=c3'), false);
    assert.ok(
      standingOf(moved.state).devices.some(({ id }) => id === 'pi-3'),
      'where it watches now it counts',
    );
  });
  test('too many of them suspend', () => {
    const many = new Play(pis(20), started(SLOW));
    for (let hour = 0; hour < 12 && many.state.history.length < 3; hour++) {
      for (const device of many.members)
        many.window(
          device,
          hour,
          ['c1', 'c2', 'c3'].includes(channelOf(device)) ? { losses: 5, agreed: 5 } : { wins: 2, agreed: 8 },
          {
            slice: { channel: channelOf(device), site: 'home', hardware: 'pi5' },
          },
        );
      many.tick(hour + 1.75);
    }
    const last = many.state.history.find(({ cause }) => cause === 'too-many-apart');
    assert.equal(last?.verdict, 'SUSPEND', JSON.stringify(many.state.history));
    assert.match(last?.reason ?? '', /hold \d+ of 20 devices; at most 20\.0 % may stay on production/);
  });
});

describe('one broken unit', () => {
  const broken = (n: number, bad: readonly string[]) => {
    const play = new Play(pis(n), started(SLOW));
    for (let hour = 0; hour < 14; hour++) {
      for (const device of play.members)
        play.window(device, hour, bad.includes(device) ? { losses: 8, agreed: 2 } : { wins: 1, agreed: 9 }, {
          slice: { channel: `c-${device}`, site: 'home', hardware: 'pi5' },
        });
      play.tick(hour + 1.75);
    }
    return play;
  };
  test('is its own case, named with what it watches; the rest is judged without it', () => {
    const play = broken(20, ['pi-7']);
    assert.deepEqual([play.state.status, Object.keys(play.state.setAside)], ['running', ['pi-7']]);
    assert.match(
      play.state.setAside['pi-7']?.reason ?? '',
      /pi-7 is unlike all others: \d+ lost, 0 won in \d+ episodes, a difference below −?-?\d.*; it watches c-pi-7 at home on pi5/,
    );
    assert.equal(standingOf(play.state).devices.length, 19);
  });
  test('more than a tenth of them suspend', () => {
    const play = broken(20, ['pi-1', 'pi-2', 'pi-3']);
    assert.ok(
      play.state.history.some(({ verdict, cause }) => verdict === 'SUSPEND' && cause === 'too-many-apart'),
      JSON.stringify(play.state.history.map(({ reason }) => reason)),
    );
  });
  test('too many of them: it is not resumed into the next suspension, and what is harmful without them still fails', () => {
    const play = new Play(pis(12), started({ ...SLOW, slices: [] }));
    const hours = (from: number, until: number, losses: number) => {
      for (let hour = from; hour < until && play.state.status !== 'rolled-back'; hour++) {
        for (const device of play.members)
          play.window(
            device,
            hour,
            ['pi-0', 'pi-1'].includes(device)
              ? { losses: 20, agreed: 12 }
              : { wins: 1, losses, agreed: 60 - losses },
            {
              slice: { channel: ownChannel(device), site: 'home', hardware: 'pi5' },
              serving: play.state.acting.includes(device) ? 'candidate' : 'production',
            },
          );
        play.tick(hour + 1.75);
      }
    };
    play.order('force', 0);
    play.act(['pi-5']);
    hours(0, 8, 1);
    assert.deepEqual([play.state.status, play.state.last?.cause], ['suspended', 'too-many-apart']);
    assert.throws(
      () => play.order('resume', 9),
      /the gate would suspend it again: 2 of 12 devices are unlike the others/,
    );
    play.act([], 9);
    hours(9, 200, 16);
    assert.deepEqual(
      [play.state.status, play.state.last?.verdict, play.state.last?.cause],
      ['rolled-back', 'FAIL', 'worse'],
    );
  });
  test('in a fleet of five one may be set aside; in one of four nobody can be told from the others', () => {
    assert.deepEqual(Object.keys(broken(5, ['pi-1']).state.setAside), ['pi-1']);
    assert.deepEqual(Object.keys(broken(4, ['pi-1']).state.setAside), []);
  });
});

describe('who stays behind, in desired states', () => {
  const hub = (states: Rollout[], change: Partial<HubState['models'][string]> = {}): HubState => ({
    ...emptyState(),
    devices: Object.fromEntries(pis(20).map((id) => [id, deviceEntry(id, channelOf(id))])),
    models: { [MODEL]: { ...modelEntry('1.0.0', ['1.0.0', '2.0.0', '3.0.0']), ...change } },
    rollouts: states.map((state) => ({ ...state, seen: 0 })),
  });
  const from = { version: '1.0.0', digest: DIGESTS.from };
  const shown = (state: HubState, id: string) => {
    const desired = assignments(state, MODEL).get(id);
    return [desired?.production.version, desired?.candidate?.version ?? null, desired?.serve];
  };
  const play = new Play(pis(20), started(SLOW));
  worseOnOne(play, 0, 12);
  test('an excluded device runs the candidate in its shadow, whatever the stage', () => {
    play.order('force', 20);
    play.order('force', 20);
    const state = hub([play.state]);
    const { acting } = memberships(state, MODEL).get('r') ?? { acting: [] as string[] };
    assert.deepEqual([acting.length, acting.includes('pi-3'), acting.includes('pi-13')], [18, false, false]);
    play.act(acting, 20);
    const acts = hub([play.state]);
    assert.deepEqual(
      [shown(acts, 'pi-3'), shown(acts, 'pi-4')],
      [
        ['1.0.0', '2.0.0', 'production'],
        ['1.0.0', '2.0.0', 'candidate'],
      ],
    );
  });
  test('after completion it stays on the version before; what is judged apart during the watch does too', () => {
    play.order('force', 21);
    const completed = play.effects.find((effect) => effect.kind === 'set-production');
    assert.deepEqual(completed, { kind: 'set-production', version: '2.0.0', except: { 'channel=c3': from } });
    const watched = new Play(pis(20), started(SLOW));
    for (let i = 0; i < 3; i++) watched.order('force', 0);
    watched.act(pis(20));
    worseOnOne(watched, 0, 12);
    assert.deepEqual(Object.keys(watched.state.excluded), ['channel=c3']);
    watched.order('supersede', 13);
    const last = watched.effects.findLast((effect) => effect.kind === 'set-production');
    assert.deepEqual(last, { kind: 'set-production', version: '2.0.0', except: { 'channel=c3': from } });
    const after2 = hub([], { production: '2.0.0', exceptions: { 'channel=c3': from, 'device=pi-9': from } });
    assert.deepEqual(
      [shown(after2, 'pi-3'), shown(after2, 'pi-9'), shown(after2, 'pi-4')],
      [
        ['1.0.0', null, 'production'],
        ['1.0.0', null, 'production'],
        ['2.0.0', null, 'production'],
      ],
    );
  });
  test('a later version is compared there with what runs there, and takes its place when it passes', () => {
    const next = new Play(pis(20), {
      ...started(SLOW, {
        from: { version: '2.0.0', digest: '2'.repeat(64) },
        to: { version: '3.0.0', digest: '3'.repeat(64) },
      }),
      exceptions: { 'channel=c3': from },
    });
    const state = hub([next.state], { production: '2.0.0', exceptions: { 'channel=c3': from } });
    const { excepted, members, acting } = memberships(state, MODEL).get('r') ?? {
      excepted: {},
      members: [] as string[],
      acting: [] as string[],
    };
    assert.deepEqual(excepted, { 'pi-3': DIGESTS.from, 'pi-13': DIGESTS.from });
    next.send({
      kind: 'assigned',
      at: after(0).toISOString(),
      members: [...members],
      acting: [...acting],
      excepted,
    });
    const placed = hub([next.state], { production: '2.0.0', exceptions: { 'channel=c3': from } });
    assert.deepEqual(
      [shown(placed, 'pi-3'), shown(placed, 'pi-4')],
      [
        ['1.0.0', '3.0.0', 'production'],
        ['2.0.0', '3.0.0', 'production'],
      ],
    );
    const said = (device: string, production: string) =>
      next.send({
        kind: 'window',
        at: after(1).toISOString(),
        device,
        report: { ...report(1, 0, { agreed: 5 }), production, candidate: '3'.repeat(64) },
      });
    said('pi-3', DIGESTS.from);
    said('pi-4', '2'.repeat(64));
    said('pi-13', '2'.repeat(64));
    assert.equal(next.state.evidence.refused.foreign, 1, 'not the pair that runs there');
    for (let i = 0; i < 3; i++) next.order('force', 1);
    assert.deepEqual(
      next.effects.find(({ kind }) => kind === 'set-production'),
      { kind: 'set-production', version: '3.0.0', except: {} },
    );
  });
});
