import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isTakenOut } from './apart.js';
import { type RolloutEvent, rolloutEvent } from './events.js';
import { after, ownChannel, PLAN, Play, pis, started } from './fixtures.js';
import { replay } from './log/replay.js';
import { inputOf } from './look.js';
import { explainRollout, explanationText } from './report/explain.js';
import { rollout } from './rollout.js';
import { standingOf } from './standing.js';

const WAITS = { ...PLAN, stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 150 })) };
const EVEN = { wins: 1, losses: 1, agreed: 30 };
const BAD = { losses: 3, agreed: 20 };

const exclude = (play: Play, device: string, hour: number, reason = 'its antenna is broken') =>
  play.send({ kind: 'exclude', at: after(hour).toISOString(), who: 'token:ada', device, reason });

/** Hours of devices that each watch a channel of their own; the last one says that the candidate is bad. */
function hours(play: Play, from: number, until: number, silent: readonly string[] = []): Play {
  for (let hour = from; hour < until; hour++) {
    for (const device of play.members.filter((one) => !silent.includes(one))) {
      const channel = ownChannel(device);
      const counts = device === play.members.at(-1) ? BAD : EVEN;
      play.window(device, hour, counts, { slice: { channel, site: 'home', hardware: 'pi5' } });
    }
    play.tick(hour + 1.75);
  }
  return play;
}
const counted = ({ state }: Play) => standingOf(state).clusters;
async function replayed(events: readonly RolloutEvent[]) {
  async function* source() {
    for (const event of events) yield rolloutEvent.parse(JSON.parse(JSON.stringify(event)));
  }
  return replay(source(), null);
}

describe('a device whose evidence a person takes out', () => {
  test('counts for nothing from then on, nor does what it gave before: the rest is as though it had never come', () => {
    const play = hours(new Play(pis(6), started(WAITS)), 0, 5);
    assert.equal(counted(play).length, 6);
    assert.deepEqual(exclude(play, 'pi-5', 7), [{ kind: 'assign' }]);
    assert.deepEqual(play.state.evidence.days, {}, 'a day held it too');
    hours(play, 8, 12);
    const without = new Play(pis(6), started(WAITS));
    hours(without, 0, 5, ['pi-5']);
    hours(without, 8, 12, ['pi-5']);
    assert.deepEqual(counted(play), counted(without));
    const { devices, channelsApart } = standingOf(play.state);
    assert.deepEqual([devices.map(({ id }) => id), channelsApart], [pis(5), 1]);
  });

  test('is neither silent, nor ill, nor a labeller any more', () => {
    const play = new Play(pis(6), started(WAITS));
    play.window('pi-5', 0, EVEN, { control: { asked: 9, answered: 9, wrong: 9 } });
    play.send({
      kind: 'device',
      at: after(1).toISOString(),
      device: 'pi-5',
      problem: 'model_load',
      enrolledAgain: false,
    });
    const before = inputOf(play.state, after(9));
    assert.equal(standingOf(play.state).controls.share, 1);
    assert.deepEqual(
      [before.silence?.acting.devices, before.health?.wanted, before.health?.failing.length],
      [6, 6, 1],
    );
    exclude(play, 'pi-5', 9);
    const input = inputOf(play.state, after(9));
    assert.equal(standingOf(play.state).controls.share, 0);
    assert.ok(!input.silence?.acting.silent.includes('pi-5'));
    assert.deepEqual(
      [input.silence?.acting.devices, input.health?.wanted, input.health?.failing.length],
      [5, 5, 0],
    );
  });

  test('takes along what is not kept by device: the stage’s episodes where it acted, and the round that it may have answered', () => {
    const play = new Play(pis(6), started(WAITS));
    play.order('force', 0);
    play.act(['pi-0', 'pi-5']);
    for (let hour = 0; hour < 4; hour++) {
      play.hour(hour, EVEN, { channel: ownChannel });
      play.tick(hour + 1.75);
    }
    const round = { round: 'round-1', low: 0, high: 0.1, devices: 5, episodes: 90, inconclusive: false };
    play.send({ kind: 'round', at: after(6).toISOString(), round });
    assert.ok(inputOf(play.state, after(6)).episodesInStage > 200);
    exclude(play, 'pi-4', 6);
    assert.ok(inputOf(play.state, after(6)).episodesInStage > 200, 'the candidate never acted on pi-4');
    assert.equal(play.state.round, null);
    exclude(play, 'pi-5', 6);
    assert.equal(inputOf(play.state, after(6)).episodesInStage, 0);
    assert.equal(inputOf(play.state, after(6)).acting, 1, 'also before its desired state has changed');
  });

  test('is named with who did it and why, in the history, in the explanation, and where it stays on production', () => {
    const play = hours(new Play(pis(6), started(WAITS)), 0, 3);
    exclude(play, 'pi-5', 5);
    const why = 'pi-5 was taken out by token:ada: its antenna is broken';
    const { history, setAside } = play.state;
    assert.deepEqual(
      history.slice(-1).map(({ verdict, cause, reason, action }) => [verdict, cause, reason, action]),
      [['ORDER', 'person', why, 'take pi-5 out']],
    );
    assert.deepEqual(setAside['pi-5'], { at: after(5).toISOString(), reason: why, who: 'token:ada' });
    const text = explanationText(explainRollout(play.state, after(6)));
    assert.match(text, /Stays on production\n {2}since 2026-01-01T05:00:00\.000Z: pi-5 was taken out by/);
    assert.match(
      text,
      /by a person's word alone, whatever they showed: pi-5;.*at most 10\.0 % of the devices/,
    );
  });

  test('once more, it changes nothing; one that the gate had set aside is taken out as well', () => {
    const play = new Play(pis(6), started(WAITS));
    const reason = 'pi-5 is unlike all others';
    play.state = { ...play.state, setAside: { 'pi-5': { at: after(0).toISOString(), reason } } };
    assert.equal(isTakenOut('pi-5', play.state), false);
    exclude(play, 'pi-5', 1);
    assert.equal(isTakenOut('pi-5', play.state), true);
    const { state, events } = play;
    const before = JSON.stringify(state);
    assert.deepEqual(exclude(play, 'pi-5', 2, 'for another reason'), []);
    assert.deepEqual([JSON.stringify(play.state), play.events.length], [before, events.length]);
  });

  test('may bear a name that every object has', () => {
    const names = ['constructor', 'tostring', 'hasOwnProperty', 'pi-0', 'pi-1', 'pi-2'];
    const play = hours(new Play(names, started(WAITS)), 0, 2);
    assert.deepEqual(
      names.filter((id) => isTakenOut(id, play.state)),
      [],
    );
    exclude(play, 'constructor', 4);
    assert.deepEqual(
      names.filter((id) => isTakenOut(id, play.state)),
      ['constructor'],
    );
    assert.equal(counted(play).length, 5);
    assert.deepEqual(rollout.parse(JSON.parse(JSON.stringify(play.state))).setAside, play.state.setAside);
  });
});

describe('no gate is disarmed by leaving out who disagrees', () => {
  test('more than the plan lets be set aside suspend the rollout, and nobody resumes it', () => {
    const play = hours(new Play(pis(10), started(WAITS)), 0, 3);
    play.order('force', 4);
    play.act(pis(10), 4);
    exclude(play, 'pi-9', 5);
    play.tick(5.1);
    assert.equal(play.state.status, 'running', 'one of ten may');
    exclude(play, 'pi-8', 6);
    play.tick(6.1);
    assert.deepEqual([play.state.status, play.state.last?.cause], ['suspended', 'too-many-apart']);
    assert.match(
      play.state.last?.reason ?? '',
      /2 of 10 devices are set aside, 2 of them by a person's word; at most 10\.0 % may be set aside/,
    );
    assert.throws(() => play.order('resume', 7), { code: 'conflict', message: /would suspend it again/ });
  });

  test('those that are no members any more, as their identity was revoked, take nothing back; what would pass waits for a person', () => {
    const play = hours(new Play(pis(10), started(WAITS)), 0, 3);
    exclude(play, 'pi-9', 5, 'its identity was revoked');
    exclude(play, 'pi-8', 5, 'its identity was revoked');
    const members = pis(8);
    play.send({ kind: 'assigned', at: after(5).toISOString(), members, acting: [], excepted: {} });
    hours(play, 6, 180);
    assert.deepEqual([play.state.status, play.state.stage], ['running', 0]);
    assert.deepEqual([play.state.last?.verdict, play.state.last?.cause], ['HOLD', 'too-many-apart']);
    assert.match(play.state.last?.reason ?? '', /2 devices that gave evidence are gone since/);
    play.order('force', 181);
    assert.equal(play.state.stage, 1);
  });

  test('who is there stays behind when the rollout completes; who is gone leaves nothing behind', () => {
    const play = hours(new Play(pis(10), started({ ...WAITS, maxSetAside: 0.3 })), 0, 2);
    exclude(play, 'pi-9', 5);
    exclude(play, 'pi-8', 5, 'its identity was revoked');
    const members = pis(10).filter((id) => id !== 'pi-8');
    play.send({ kind: 'assigned', at: after(5).toISOString(), members, acting: [], excepted: {} });
    for (const _ of WAITS.stages) play.order('force', 6);
    const done = play.effects.find(({ kind }) => kind === 'set-production');
    assert.deepEqual(done?.kind === 'set-production' && Object.keys(done.except), ['device=pi-9']);
  });
});

test('a log with the event replays to the same decisions and the same state, and one without it as ever', async () => {
  const play = hours(new Play(pis(6), started(PLAN)), 0, 3);
  const old = await replayed(play.events);
  assert.deepEqual([old.firstDifference, old.rollout.setAside], [null, {}]);
  exclude(play, 'pi-5', 5);
  hours(play, 6, 40);
  const { firstDifference, decisions, rollout: last } = await replayed(play.events);
  assert.equal(firstDifference, null);
  assert.ok(decisions.some(({ action }) => action === 'take pi-5 out'));
  assert.equal(
    JSON.stringify({ ...last, last: null, evidence: { ...last.evidence, revision: 0 } }),
    JSON.stringify({ ...play.state, last: null, evidence: { ...play.state.evidence, revision: 0 } }),
  );
});
