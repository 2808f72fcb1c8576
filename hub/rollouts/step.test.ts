import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { after, ownChannel, PLAN, Play, pis, started } from './fixtures.js';
import { percentOf, type Rollout, rollout } from './rollout.js';
import { silenceOf, troubledBySilence } from './silence.js';

const GOOD = { wins: 4, agreed: 30 };
const BAD = { losses: 12, agreed: 20 };
const SOAK = { ...PLAN, stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 1, minEpisodes: 10 })) };
const own = { channel: ownChannel };
const status = ({ state }: Play) => [state.status, state.last?.verdict, state.last?.cause];

/** Runs until the last decision is what a test waits for, an hour at a time. */
function until(
  play: Play,
  from: number,
  counts: Parameters<Play['hour']>[1],
  done: (state: Rollout) => boolean,
  most = 200,
): number {
  for (let hour = from; hour < from + most; hour++) {
    play.hour(hour, counts, own);
    play.tick(hour + 1.75);
    play.act(
      percentOf(play.state) === 0 ? [] : percentOf(play.state) === 100 ? [...play.members] : ['pi-0'],
      hour + 1.75,
    );
    if (done(play.state)) return hour + 1;
  }
  return assert.fail(`never: ${play.state.status}, ${play.state.last?.reason}`);
}

describe('a rollout', () => {
  test('moves stage by stage, waits for five days in the last one, is watched, and keeps its numbers', () => {
    const play = new Play(pis(6), started(SOAK));
    const days = until(play, 0, GOOD, ({ last }) => last?.cause === 'days');
    assert.ok(days < 24, 'the stages before need no days');
    const done = until(play, days, GOOD, ({ status: now }) => now === 'watching');
    assert.ok(done > 96, `${done} hours`);
    assert.deepEqual(
      play.effects.filter(({ kind }) => kind === 'set-production'),
      [{ kind: 'set-production', version: '2.0.0', except: {} }],
    );
    until(play, done, GOOD, ({ status: now }) => now === 'completed');
    assert.deepEqual(
      play.state.history.map(({ action }) => action).filter((action) => action !== 'wait'),
      ['advance to canary', 'advance to all', 'complete', 'end the watch'],
    );
    const { summary } = play.state;
    assert.ok(
      summary !== null &&
        summary.channels === 6 &&
        summary.wins > 100 &&
        summary.days >= 5 &&
        (summary.difference?.low ?? -1) > 0,
      JSON.stringify(summary),
    );
    assert.deepEqual(play.tick(500), [], 'an ended rollout moves no more');
  });
  test('is suspended by harm first, and rolled back with quarantine only after five days', () => {
    const play = new Play(pis(6), started(SOAK));
    play.order('force', 0);
    play.act(pis(6));
    const suspended = until(play, 0, BAD, (state) => state.status === 'suspended');
    assert.ok(suspended < 24);
    assert.throws(
      () => play.order('resume', suspended),
      (error: unknown) => error instanceof AdbreakError && /would suspend it again/.test(error.message),
    );
    const failed = until(play, suspended, BAD, (state) => state.status === 'rolled-back');
    assert.ok(failed > 96, `${failed} hours`);
    assert.deepEqual(play.effects.slice(-2), [{ kind: 'quarantine', version: '2.0.0' }, { kind: 'assign' }]);
  });
  test('is taken back by harm after completion, production and exceptions with it', () => {
    const exceptions = { 'channel=old': { version: '0.9.0', digest: 'c'.repeat(64) } };
    const play = new Play(pis(6), { ...started({ ...SOAK, watchHours: 400 }), exceptions });
    for (const hour of [0, 0, 0]) play.order('force', hour);
    assert.equal(play.state.status, 'watching');
    play.act(pis(6));
    until(play, 0, BAD, (state) => state.status === 'suspended');
    assert.ok(
      play.effects.some(
        (effect) =>
          effect.kind === 'set-production' &&
          effect.version === '1.0.0' &&
          effect.except['channel=old']?.version === '0.9.0',
      ),
    );
  });
  test('pauses without losing evidence; harm acts all the same', () => {
    const play = new Play(pis(6), started(SOAK));
    play.order('pause', 0);
    play.hour(0, { wins: 30, agreed: 30 }, own);
    play.tick(3);
    assert.deepEqual([play.state.status, play.state.stage], ['paused', 0]);
    play.order('resume', 3);
    play.hour(3, GOOD, own);
    play.tick(5);
    assert.equal(play.state.stage, 1);
    play.order('pause', 5);
    play.act(['pi-0']);
    until(play, 5, { losses: 60 }, (state) => state.status === 'suspended');
  });
  for (const stop of ['pause', 'suspension'])
    test(`windows from before a ${stop} fill no hole after it`, () => {
      const quiet = {
        ...SOAK,
        silence: { ...SOAK.silence, windows: 6 },
        stages: SOAK.stages.map((stage) => ({ ...stage, minEpisodes: 1e6 })),
      };
      const play = new Play(pis(6), started(quiet));
      if (stop === 'suspension') play.order('force', 0);
      if (stop === 'suspension') play.act(pis(6));
      for (let hour = 0; hour < 50; hour++) play.hour(hour, { wins: 1, losses: 1, agreed: 30 }, own);
      play.tick(51.75);
      if (stop === 'pause') for (const order of ['pause', 'resume'] as const) play.order(order, 52);
      else {
        for (const device of pis(3))
          play.send({
            kind: 'device',
            at: after(52).toISOString(),
            device,
            problem: 'disk_full',
            enrolledAgain: false,
          });
        play.tick(52.5);
        assert.equal(play.state.status, 'suspended');
        play.act([], 52.5);
      }
      for (let hour = 52; hour < 85; hour += 3) play.hour(hour, { wins: 1, losses: 1, agreed: 30 }, own);
      assert.ok(
        silenceOf(play.state, [], after(85)).windows.came <= 6 * 12,
        JSON.stringify(silenceOf(play.state, [], after(85)).windows),
      );
      assert.match(
        troubledBySilence(silenceOf(play.state, [], after(85)), quiet) ?? '',
        /windows are missing in this stage/,
      );
    });
  test('does not go beyond its ceiling until it is raised', () => {
    const play = new Play(pis(6), { ...started(SOAK), ceiling: 10 });
    play.hour(0, { wins: 30, agreed: 30 }, own);
    play.tick(2);
    assert.deepEqual([play.state.stage, play.state.last?.cause], [0, 'approval']);
    play.order('ceiling', 2, 100);
    play.tick(2.1);
    assert.equal(play.state.stage, 1);
  });
  test('orders that do not fit are refused with the state they meet', () => {
    assert.throws(
      () => new Play().order('resume', 0),
      (error: unknown) =>
        error instanceof AdbreakError && error.code === 'conflict' && /it is running/.test(error.message),
    );
  });
});

describe('who acts and is not heard', () => {
  const silent = {
    ...SOAK,
    silence: { ...SOAK.silence, windows: 4, share: 0.2, suspendHours: 6, missing: 0.2 },
  };
  test('all acting devices die: held, then suspended, whatever the shadow says', () => {
    const play = new Play(pis(6), started(silent));
    play.order('force', 0);
    play.act(['pi-0', 'pi-1']);
    for (let hour = 0; hour < 40 && play.state.status === 'running'; hour++) {
      play.hour(hour, GOOD, { ...own, devices: hour < 3 ? pis(6) : pis(6).slice(2) });
      play.tick(hour + 1.75);
      if (hour === 10) assert.deepEqual(status(play).slice(1), ['HOLD', 'silent']);
    }
    assert.deepEqual(status(play), ['suspended', 'SUSPEND', 'silent']);
    assert.equal(play.state.stage, 0);
    assert.match(
      play.state.last?.reason ?? '',
      /2 of 2 devices are silent for 4 windows and longer \(pi-0, pi-1\), for 6\.\d h now/,
    );
  });
  test('also while it is watched: the watch does not end by itself, production goes back', () => {
    const play = new Play(pis(6), started({ ...silent, watchHours: 4 }));
    for (const hour of [0, 0, 0]) play.order('force', hour);
    play.act(pis(6));
    for (let hour = 0; hour < 40 && play.state.status === 'watching'; hour++) play.tick(hour + 0.75);
    assert.deepEqual(status(play), ['suspended', 'SUSPEND', 'silent']);
    assert.ok(play.effects.some((effect) => effect.kind === 'set-production' && effect.version === '1.0.0'));
  });
  test('a stage where nobody acts holds on evidence from the shadow, and ends with a person', () => {
    const play = new Play(pis(6), started({ ...silent, deadlineHours: 30 }));
    play.order('force', 0);
    for (let hour = 0; hour < 30; hour++) {
      play.hour(hour, { wins: 9, agreed: 30 }, own);
      play.tick(hour + 1.75);
      assert.equal(play.state.stage, 1);
    }
    assert.deepEqual(status(play), ['running', 'INCONCLUSIVE', 'devices']);
  });
});

describe('deadlines', () => {
  test('a suspension that stands asks a person in the end, whatever keeps it there', () => {
    const play = new Play(pis(3), started({ ...SOAK, deadlineHours: 20 }));
    for (let hour = 0; hour < 25; hour++) {
      play.hour(hour, BAD, own);
      play.tick(hour + 1.75);
      if (hour === 10) assert.deepEqual(status(play), ['running', 'SUSPEND', 'worse']);
    }
    assert.deepEqual(status(play), ['running', 'INCONCLUSIVE', 'worse']);
    assert.match(
      play.state.last?.reason ?? '',
      /the deadline of 20\.0 h has passed in the shadow: a person decides/,
    );
  });
});

describe('limits', () => {
  const swollen = { memoryMb: 5000 };
  const filled = (play: Play, from: number, hours: number, memory: boolean) => {
    for (let hour = from; hour < from + hours; hour++) {
      for (const device of play.members)
        play.window(
          device,
          hour,
          { agreed: 5 },
          {
            ...(memory ? swollen : {}),
            serving: play.state.acting.includes(device) ? 'candidate' : 'production',
          },
        );
      play.tick(hour + 1.75);
    }
  };
  test('one that stands is no repetition of itself: no look after the first one fails', () => {
    const play = new Play(pis(4), started(SOAK));
    filled(play, 0, 12, true);
    assert.deepEqual([...status(play), play.state.limitStops], ['running', 'SUSPEND', 'memory', 1]);
    play.order('force', 13);
    play.act(pis(4));
    filled(play, 13, 2, false);
    assert.notEqual(play.state.status, 'running');
  });
  for (const order of ['ceiling', 'approve', 'pause'] as const)
    test(`one that stands is no second one after an order in between: ${order}`, () => {
      const play = new Play(pis(4), started(SOAK));
      filled(play, 0, 12, true);
      play.order(order, 13, order === 'ceiling' ? 50 : undefined);
      play.tick(13.5);
      assert.deepEqual(
        [play.state.limitStops, play.state.last?.verdict, play.state.last?.cause],
        [1, 'SUSPEND', 'memory'],
      );
      assert.notEqual(play.state.status, 'rolled-back');
    });
  test('one that stands is no second one after a device was set aside in between', () => {
    const play = new Play(
      pis(20),
      started({ ...SOAK, stages: SOAK.stages.map((stage) => ({ ...stage, minEpisodes: 1e6 })) }),
    );
    for (let hour = 0; hour < 40; hour++) {
      for (const device of play.members)
        play.window(
          device,
          hour,
          device === 'pi-0' && hour > 5 ? { losses: 12, agreed: 20 } : { wins: 1, losses: 1, agreed: 30 },
          {
            ...swollen,
            slice: { channel: ownChannel(device), site: 'home', hardware: 'pi5' },
          },
        );
      play.tick(hour + 1.75);
    }
    assert.ok(play.state.history.some(({ verdict }) => verdict === 'APART'));
    assert.deepEqual([...status(play), play.state.limitStops], ['running', 'SUSPEND', 'memory', 1]);
  });
  test('devices that cannot fetch it, then can, then cannot, end nothing in the shadow: it has not gone on in between', () => {
    const play = new Play(pis(20), started(SOAK));
    const says = (hour: number, device: string, problem: string | null) => {
      play.send({ kind: 'device', at: after(hour).toISOString(), device, problem, enrolledAgain: false });
      play.tick(hour);
    };
    for (const device of pis(3)) says(1, device, 'fetch_failed');
    assert.deepEqual([...status(play), play.state.limitStops], ['running', 'SUSPEND', 'failures', 1]);
    for (const hour of [2, 3, 4]) {
      says(hour, 'pi-0', null);
      assert.notEqual(play.state.last?.cause, 'failures');
      says(hour + 0.5, 'pi-0', 'fetch_failed');
    }
    assert.deepEqual([...status(play), play.state.limitStops], ['running', 'SUSPEND', 'failures', 1]);
  });
  test('suspends where it acts, stays suspended, and fails when it breaks after a person has resumed', () => {
    const play = new Play(pis(4), started({ ...SOAK, deadlineHours: 1000 }));
    play.order('force', 0);
    play.act(pis(4));
    const crash = (from: number) => {
      for (let hour = from; hour < from + 4; hour++) {
        for (const device of pis(4))
          play.window(device, hour, { agreed: 5 }, { restarts: 3, serving: 'candidate' });
        play.tick(hour + 1.75);
      }
    };
    crash(0);
    assert.deepEqual(
      [
        play.state.status,
        ...play.state.history.slice(0, 2).map(({ action }) => action),
        play.state.limitStops,
      ],
      ['suspended', 'forced to canary', 'back to shadow', 1],
    );
    play.act([]);
    for (let hour = 4; hour < 8; hour++) {
      play.hour(hour, { agreed: 5 });
      play.tick(hour + 1.75);
    }
    assert.equal(play.state.status, 'suspended');
    play.order('resume', 10);
    play.order('force', 10);
    play.act(pis(4), 10);
    play.tick(10.5);
    assert.equal(play.state.status, 'running', 'what crashed before is no second time');
    crash(11);
    assert.deepEqual(status(play), ['rolled-back', 'FAIL', 'crashes']);
  });
});

test('a person’s way back is not taken back by the gate: it says what it sees, and waits', () => {
  const play = new Play(pis(6), started({ ...SOAK, evidence: 'no-harm' }, { kind: 'rollback' }));
  play.order('force', 0);
  play.act(pis(6));
  for (let hour = 0; hour < 130; hour++) {
    play.hour(hour, BAD, own);
    play.tick(hour + 1.75);
    assert.equal(play.state.status, 'running');
  }
  assert.deepEqual(status(play), ['running', 'INCONCLUSIVE', 'worse']);
  assert.match(play.state.last?.reason ?? '', /a person went back to this version, and decides/);
  assert.deepEqual(
    play.effects.filter(({ kind }) => kind !== 'assign'),
    [],
  );
});

test('the history in the state is bounded, and what is in it can be read again', () => {
  const play = new Play(pis(1), started({ ...SOAK, minDevices: 1 }));
  for (let i = 0; i < 1200; i++) play.order(i % 2 === 0 ? 'pause' : 'resume', 0);
  assert.equal(play.state.history.length, 1000);
  rollout.parse(JSON.parse(JSON.stringify(play.state)));
});

test('a device that cannot run the candidate is named until it can', () => {
  const play = new Play(pis(3), started(SOAK));
  const says = (problem: string | null) =>
    play.send({ kind: 'device', at: after(0).toISOString(), device: 'pi-0', problem, enrolledAgain: false });
  says('disk_full');
  assert.deepEqual(play.state.failing, { 'pi-0': 'disk_full' });
  says(null);
  assert.deepEqual(play.state.failing, {});
});
