import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { after, ownChannel, PLAN, Play, pis, started } from '../fixtures.js';
import { explainRollout, explanationText } from './explain.js';

const SOAK = {
  ...PLAN,
  slices: ['channel' as const],
  stages: PLAN.stages.map((stage) => ({ ...stage, soakHours: 1, minEpisodes: 10 })),
};
const text = (play: Play, hour: number) => explanationText(explainRollout(play.state, after(hour)));
function hours(play: Play, until: number, counts: Parameters<Play['hour']>[1], devices = play.members): Play {
  for (let hour = 0; hour < until; hour++) {
    play.hour(hour, counts, { channel: ownChannel, devices });
    play.tick(hour + 1.75);
  }
  return play;
}

describe('an explanation says what an operator wants to know', () => {
  test('at the beginning: what waits, and who has sent nothing yet', () => {
    const play = new Play(pis(6), started(SOAK));
    play.window('pi-0', 0, { wins: 1, agreed: 5 });
    play.tick(1.1);
    for (const words of [
      /6 episodes in 1 window that are not closed yet/,
      /5 devices have sent nothing for this rollout yet: pi-1, pi-2/,
      /no WORLD verdict/,
    ])
      assert.match(text(play, 1.1), words);
  });
  test('where nobody answers: who was asked, and that this alone stops it', () => {
    const said = text(hours(new Play(pis(6), started(SOAK)), 30, { undecided: 1, agreed: 9 }), 31);
    for (const words of [
      /100\.0 % of the drawn disagreements have no answer/,
      /asked and never answered: pi-0 \(30\)/,
      /answers on the status pages/,
      /next stage \(no worse by 8\.0 points\): M = \S+ of 20\.0; E_fleet = \S+ of 20\.0/,
    ])
      assert.match(said, words);
  });
  test('in the last stage: how many days are missing', () => {
    const play = new Play(pis(6), started(SOAK));
    play.order('force', 0);
    play.order('force', 0);
    play.act(pis(6));
    assert.match(text(hours(play, 30, { wins: 1, agreed: 9 }), 31), /evidence of 4 more days\n/);
  });
  test('where it is suspended: that numbers for promotion do not help, and the next command', () => {
    assert.match(
      text(hours(new Play(pis(6), started(SOAK)), 12, { losses: 4, agreed: 6 }), 13),
      /while this stands nothing advances.*`adbreak rollouts abort r` ends it/,
    );
    const play = new Play(pis(6), started(SOAK));
    play.order('force', 0);
    play.act(pis(6));
    assert.match(
      text(hours(play, 6, { losses: 6, agreed: 4 }), 7),
      /a person resumes it when what stopped it is over \(`adbreak rollouts resume r`\)/,
    );
  });
  test('where devices are silent: which, since when', () => {
    const play = new Play(pis(6), started(SOAK));
    play.hour(0, { agreed: 5 });
    const said = text(hours(play, 12, { wins: 1, agreed: 9 }, pis(3)), 13);
    for (const words of [
      /the devices named under "Who is missing" must report again/,
      /silent: pi-3 \(since 2026-01-01T01:00\), pi-4/,
    ])
      assert.match(said, words);
  });
  test('where every report is refused: why, with the two lengths, and nobody is silent since 1970', () => {
    const play = new Play(pis(6), started(SOAK));
    for (let hour = 0; hour < 24; hour += 2) {
      for (const device of play.members)
        play.window(device, hour, { wins: 2, agreed: 30 }, { end: after(hour + 2).toISOString() }, hour + 2);
      play.tick(hour + 2.5);
    }
    const said = text(play, 26);
    assert.match(
      said,
      /Evidence\n {2}72 reports span a border between windows.*: devices' windows last up to 7200 s, the plan's `windowSeconds` is 3600\n/,
    );
    assert.match(said, /pi-0 \(heard, but no window of it counts: see "Evidence"\)/);
    assert.doesNotMatch(said, /1970/);
  });
  test('each decision with its own numbers: harm that suffices for the shadow is not contradicted by what a rollback needs', () => {
    const play = new Play(
      pis(6),
      started({ ...SOAK, slices: [], stages: SOAK.stages.map((stage) => ({ ...stage, minEpisodes: 1e6 })) }),
    );
    for (let hour = 0; hour < 12; hour++) {
      for (const [i, device] of play.members.entries())
        play.window(device, hour, i < 3 ? { losses: 8, agreed: 24 } : { wins: 1, losses: 1, agreed: 30 }, {
          slice: { channel: ownChannel(device), site: 'home', hardware: 'pi5' },
        });
      play.tick(hour + 1.75);
    }
    assert.equal(play.state.last?.verdict, 'SUSPEND');
    const said = text(play, 13);
    for (const words of [
      /back to the shadow \(worse by more than 4\.0 points\): H = \S+ of 20\.0, enough\n/,
      /rollback: H = \S+ of 20\.0, enough; E_fleet = \S+ of 20\.0; E_days waits: 1 of 5 days\n/,
      /completion: besides, E_days waits: 1 of 5 days\n/,
    ])
      assert.match(said, words);
  });
  test('where too much is judged apart: that alone, and that a resume is refused', () => {
    const play = new Play(pis(6), started(SOAK));
    const reason = { at: after(0).toISOString(), reason: 'for a test' };
    play.hour(0, { agreed: 9 }, { channel: ownChannel });
    play.tick(2);
    const many = { ...play.state, setAside: { 'pi-0': reason, 'pi-1': reason } };
    const change =
      explainRollout(many, after(3)).sections.find(({ title }) => title === 'What would change it')?.lines ??
      [];
    assert.equal(change.length, 1);
    assert.match(
      change[0] ?? '',
      /2 of 6 devices are unlike the others.*a resume is refused; `adbreak rollouts abort r` ends it/,
    );
  });
  test('where windows are closed that have not begun: that a clock was ahead', () => {
    const play = new Play(pis(6), started(SOAK));
    play.hour(50, { agreed: 9 }, { channel: ownChannel });
    play.tick(53);
    assert.match(
      text(play, 3),
      /windows until 2026-01-03T03:00:00.000Z are closed already: a clock was ahead/,
    );
  });
  test('when it has ended: its numbers stay', () => {
    const play = hours(new Play(pis(6), started(SOAK)), 12, { wins: 1, agreed: 9 });
    play.order('abort', 13);
    const forgotten = { ...play.state, evidence: new Play().state.evidence };
    assert.match(
      explanationText(explainRollout(forgotten, after(14))),
      /720 distinct episodes on 6 channels and 6 devices in 1 days?: 72 won, 0 lost/,
    );
  });
});
