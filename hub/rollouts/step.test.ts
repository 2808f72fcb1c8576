import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { HOURS_OF_WEEK } from '@adbreak/shared/evidence/world.js';
import { seeded } from '@adbreak/shared/random.js';
import type { EventOf, Order, RolloutEvent } from './events.js';
import { rolloutEvent } from './events.js';
import { explainRollout, explanationText } from './explain.js';
import { after, DEMO_PLAN, report, started } from './fixtures.js';
import type { Plan } from './plan.js';
import { replay } from './replay.js';
import { percentOf, type Rollout } from './rollout.js';
import { type Effect, start, step } from './step.js';

const PLAN: Plan = { ...DEMO_PLAN, watchHours: 2, deadlineHours: 100 };
const DEVICES = ['pi-0', 'pi-1', 'pi-2'];

/** A rollout that is fed events and remembers everything. */
class Play {
  state: Rollout;
  readonly events: RolloutEvent[] = [];
  readonly effects: Effect[] = [];
  #sequence = 0;
  constructor(first: EventOf<'started'> = started(PLAN)) {
    this.events.push(first);
    this.state = start(first);
    this.send({ kind: 'assigned', at: after(0).toISOString(), members: DEVICES, acting: [] });
  }
  send(event: Exclude<RolloutEvent, { kind: 'started' }>) {
    const { state, effects, decision } = step(this.state, event);
    this.events.push(event);
    if (decision !== null) this.events.push({ kind: 'decision', entry: decision });
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }
  tick(hour: number) {
    return this.send({ kind: 'tick', at: after(hour).toISOString(), siblings: [] });
  }
  windows(hour: number, counts: Parameters<typeof report>[2], devices = DEVICES, change: Parameters<typeof report>[3] = {}) {
    this.#sequence += 1;
    for (const device of devices)
      this.send({ kind: 'window', at: after(hour + 1).toISOString(), device, report: report(this.#sequence, hour, counts, change) });
  }
  act(acting: string[]) {
    this.send({ kind: 'assigned', at: after(0).toISOString(), members: DEVICES, acting });
  }
  order(order: Order, hour = 1, percent?: number) {
    return this.send({ kind: 'order', at: after(hour).toISOString(), who: 'token:ada', order, reason: 'because', ...(percent !== undefined && { percent }) });
  }
}
const GOOD = { wins: 5, agreed: 30 };
const BAD = { losses: 9, agreed: 20 };

test('the reports of these tests add up', () => {
  assert.equal(contradiction(report(1, 0, { wins: 2, losses: 1, agreed: 7, undecided: 2 })), null);
});

describe('a rollout', () => {
  test('moves stage by stage, is watched after completion, and ends', () => {
    const play = new Play();
    const percents = [];
    play.windows(0, GOOD);
    play.tick(1.1);
    percents.push(percentOf(play.state));
    play.act(['pi-0']);
    play.windows(2, GOOD, DEVICES, { serving: 'candidate' });
    play.tick(3.1);
    percents.push(percentOf(play.state));
    play.act(DEVICES);
    play.windows(4, GOOD, DEVICES, { serving: 'candidate' });
    play.tick(5.1);
    percents.push(percentOf(play.state));
    assert.deepEqual(percents, [34, 100, 100]);
    assert.equal(play.state.status, 'watching');
    assert.deepEqual(
      play.effects.map(({ kind }) => kind),
      ['assign', 'assign', 'set-production', 'assign'],
    );
    play.tick(6);
    assert.equal(play.state.status, 'watching');
    play.tick(7.2);
    assert.equal(play.state.status, 'completed');
    assert.deepEqual(
      play.state.history.map(({ action }) => action),
      ['advance to canary', 'advance to all', 'complete', 'wait', 'end the watch'],
    );
    assert.deepEqual(play.tick(8), [], 'an ended rollout moves no more');
  });
  test('rolls back with quarantine', () => {
    const play = new Play();
    play.windows(0, BAD);
    assert.deepEqual(play.tick(1), [{ kind: 'quarantine', version: '2.0.0' }, { kind: 'assign' }]);
    assert.equal(play.state.status, 'rolled-back');
  });
  test('is taken back by harm after completion, production with it', () => {
    const play = new Play();
    play.order('force');
    play.order('force');
    play.order('force');
    assert.equal(play.state.status, 'watching');
    play.windows(2, BAD);
    const effects = play.tick(3);
    assert.deepEqual(effects.slice(0, 2), [
      { kind: 'set-production', version: '1.0.0' },
      { kind: 'quarantine', version: '2.0.0' },
    ]);
    assert.equal(play.state.status, 'rolled-back');
  });
  test('does not advance where the acting devices are silent, whatever the shadow says', () => {
    const play = new Play();
    play.windows(0, GOOD);
    play.tick(1);
    play.act(['pi-0']);
    for (let hour = 1; hour < 60; hour++) {
      play.windows(hour, GOOD, ['pi-1', 'pi-2']);
      play.tick(hour + 1);
    }
    assert.equal(play.state.stage, 1);
    assert.match(play.state.last?.reason ?? '', /1 of 1 devices on which the candidate acts have sent nothing/);
    for (let hour = 60; hour < 105; hour++) play.windows(hour, GOOD, ['pi-1', 'pi-2']);
    play.tick(105);
    assert.equal(play.state.last?.verdict, 'INCONCLUSIVE');
  });
  test('goes back to shadow on suspension, stays in shadow when it was there, and a person resumes', () => {
    const many: Plan = { ...PLAN, minDevices: 3 };
    const play = new Play(started(many));
    const six = ['a', 'b', 'c', 'd', 'e', 'f'];
    play.send({ kind: 'assigned', at: after(0).toISOString(), members: six, acting: [] });
    play.order('force');
    play.act(six);
    play.windows(0, { wins: 3, losses: 3, agreed: 60 }, six, { serving: 'candidate' });
    play.windows(1, { losses: 40, agreed: 20 }, ['a'], { serving: 'candidate' });
    play.tick(2);
    assert.deepEqual([play.state.status, play.state.stage, percentOf(play.state)], ['suspended', 0, 0]);
    assert.throws(
      () => play.order('resume', 3),
      (error: unknown) => error instanceof AdbreakError && /would suspend it again/.test(error.message),
    );
    play.windows(3, { wins: 12, agreed: 40 }, six.slice(1));
    play.order('resume', 4);
    assert.equal(play.state.status, 'running');
    play.windows(4, { losses: 60, agreed: 20 }, ['a']);
    play.tick(5);
    assert.deepEqual([play.state.status, play.state.last?.verdict, play.state.last?.action], ['running', 'SUSPEND', 'wait']);
  });
  test('pauses without losing evidence, and still rolls back', () => {
    const play = new Play();
    play.order('pause');
    play.windows(0, GOOD);
    play.tick(2);
    assert.deepEqual([play.state.status, play.state.stage], ['paused', 0]);
    play.order('resume', 3);
    play.tick(4);
    assert.equal(play.state.stage, 1);
    play.order('pause', 5);
    play.windows(5, { losses: 60 });
    play.tick(7);
    assert.equal(play.state.status, 'rolled-back');
  });
  test('does not go beyond its ceiling until it is raised', () => {
    const play = new Play({ ...started(PLAN), ceiling: 10 });
    play.windows(0, GOOD);
    play.tick(1);
    assert.equal(play.state.stage, 0);
    play.order('ceiling', 1, 100);
    play.tick(2);
    assert.equal(play.state.stage, 1);
  });
  test('orders that do not fit are refused with the state they meet', () => {
    const play = new Play();
    assert.throws(
      () => play.order('resume'),
      (error: unknown) => error instanceof AdbreakError && error.code === 'conflict' && /it is running/.test(error.message),
    );
  });
  test('asks the status pages for labels, and stops asking', () => {
    const play = new Play();
    play.windows(0, { wins: 2, agreed: 30, undecided: 8 });
    assert.deepEqual(play.tick(1), [{ kind: 'ask-labels', wanted: true }]);
    assert.deepEqual(play.tick(1.1), [], 'once');
    play.windows(2, { wins: 40, agreed: 30 });
    assert.ok(play.tick(3).some((effect) => effect.kind === 'ask-labels' && !effect.wanted));
  });
  test('counts a report once, and none of other models or rollouts', () => {
    const play = new Play();
    const event = { kind: 'window', at: after(1).toISOString(), device: 'pi-0', report: report(1, 0, GOOD) } as const;
    play.send(event);
    play.send(event);
    play.send({ ...event, report: { ...report(2, 0, GOOD), rollout: 'other' } });
    play.send({ ...event, report: { ...report(3, 0, GOOD), candidate: 'c'.repeat(64) } });
    assert.equal(play.state.evidence.devices['pi-0']?.windows, 1);
    play.send({ kind: 'device', at: after(2).toISOString(), device: 'pi-0', problem: null, enrolledAgain: true });
    play.send(event);
    assert.equal(play.state.evidence.devices['pi-0']?.windows, 2, 'a new card under the old name begins at one');
  });
  test('files reports under both slices of a device that moves, bounds how many it may name, and counts wrong dates', () => {
    const play = new Play();
    for (let i = 1; i <= 40; i++)
      play.send({
        kind: 'window',
        at: after(1).toISOString(),
        device: 'pi-0',
        report: report(i, 0, GOOD, { slice: { channel: `c${i}`, site: 's', hardware: 'h' } }),
      });
    assert.equal(Object.keys(play.state.evidence.slices).length, 12);
    assert.equal(play.state.evidence.devices['pi-0']?.wins, 200, 'the fleet counts all of it');
    play.send({
      kind: 'window',
      at: after(1).toISOString(),
      device: 'pi-1',
      report: report(1, 0, GOOD, { start: '1970-01-01T00:00:00.000Z', end: '1970-01-01T01:00:00.000Z' }),
    });
    assert.equal(play.state.drift.misdated, 1);
    play.tick(24 * 60);
    play.windows(24 * 60 - 1, GOOD, ['pi-2']);
    assert.deepEqual([play.state.drift.misdated, play.state.drift.late], [1, 0], 'after two silent months a report of today is one of today');
    assert.equal(play.state.evidence.devices['pi-1']?.wins, 5);
  });
});

describe('a changed world', () => {
  test('freezes a rollout that would have passed, and rolls nothing back', () => {
    const random = seeded('world');
    const shares = (ads: number) => Array.from({ length: 64 }, (_, i) => (i < 8 ? 60 - ads : i >= 56 ? ads : i >= 28 && i < 36 ? 2 : 0) + random.integer(4));
    const reference = Array.from({ length: 3 }, () => Array.from({ length: HOURS_OF_WEEK }, (_, hour) => shares(8 + (hour % 24))));
    const play = new Play({ ...started({ ...PLAN, deadlineHours: 1000, stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 60 })) }), reference });
    for (let hour = 0; hour < 60; hour++) {
      // Everything has become doubtful to both: bins in the middle, agreement as before.
      const bins = [[126, 30]] as [number, number][];
      const histogram = { bins, sum: (126.5 * 30) / 256 };
      play.windows(hour, { agreed: 30 }, DEVICES, { histograms: { production: histogram, candidate: histogram } });
      play.tick(hour + 1.5);
    }
    assert.equal(play.state.last?.verdict, 'WORLD', play.state.last?.reason);
    assert.equal(play.state.status, 'running');
    assert.match(explanationText(explainRollout(play.state, after(64))), /against 3 reference weeks/);
  });
});

describe('replay', () => {
  async function* source(events: readonly RolloutEvent[]) {
    for (const event of events) yield rolloutEvent.parse(JSON.parse(JSON.stringify(event)));
  }
  const play = new Play();
  play.windows(0, GOOD);
  play.tick(1.1);
  play.act(['pi-0']);
  play.windows(2, GOOD, DEVICES, { serving: 'candidate' });
  play.tick(3.1);
  play.order('pause', 4);
  play.order('resume', 5);
  play.windows(5, { losses: 40, agreed: 3 });
  play.tick(7);
  test('of a log gives the same decisions, byte for byte', async () => {
    const result = await replay(source(play.events), null);
    assert.equal(result.firstDifference, null);
    assert.ok(result.decisions.length >= 5);
    assert.equal(JSON.stringify(result.decisions), JSON.stringify(play.state.history));
    assert.equal(JSON.stringify(result.rollout), JSON.stringify(play.state));
  });
  test('under another plan tells what that would have done', async () => {
    const strict = await replay(source(play.events), { ...PLAN, minDevices: 50 });
    assert.equal(strict.decisions.filter(({ verdict }) => verdict === 'PASS').length, 0);
    assert.notEqual(strict.firstDifference, null);
  });
  test('a log that begins in the middle, or twice, is refused', async () => {
    await assert.rejects(replay(source(play.events.slice(1)), null), /does not begin/);
    await assert.rejects(replay(source([...play.events, ...play.events]), null), /second rollout/);
    await assert.rejects(replay(source([]), null), /empty/);
  });
});

test('an explanation says why, what the numbers are, and what would change the verdict', () => {
  const play = new Play();
  play.windows(0, { wins: 1, losses: 1, agreed: 12 });
  play.tick(1);
  const text = explanationText(explainRollout(play.state, after(1)));
  for (const words of [
    /HOLD → wait/,
    /42 of 60 episodes/,
    /between −/,
    /further episodes in a row where only the candidate is wrong/,
    /18 more episodes in this stage/,
    /channel=one: 3 devices/,
    /no WORLD verdict/,
  ])
    assert.match(text, words);
});
