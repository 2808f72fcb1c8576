import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { seeded } from '@adbreak/shared/random.js';
import { totalOf } from './evidence.js';
import { after, PLAN, Play, pis, report, started } from './fixtures.js';
import { type Rollout, rollout } from './rollout.js';
import { episodesOf, standingOf } from './standing.js';

const clusters = ({ state }: Play) =>
  Object.fromEntries(standingOf(state).clusters.map(({ id, tallies }) => [id, totalOf(tallies)]));
const refused = ({ state }: Play) => state.evidence.refused;
const near = (value: number | undefined, wanted: number) =>
  assert.ok(Math.abs((value ?? Number.NaN) - wanted) < 1e-9, `${value} is not ${wanted}`);

test('the reports of these tests add up', () => {
  assert.equal(contradiction(report(1, 0, { wins: 2, losses: 1, agreed: 7, undecided: 2 })), null);
});

describe('what counts once', () => {
  test('devices of one channel are averaged, fractions welcome, when the window is closed and not before', () => {
    const play = new Play();
    play.window('pi-0', 0, { wins: 2, agreed: 8 });
    play.window('pi-1', 0, { wins: 1, losses: 1, agreed: 8 });
    play.window('pi-2', 0, { agreed: 7 });
    assert.equal(episodesOf(play.state), 0, 'open');
    play.tick(1.4);
    assert.equal(episodesOf(play.state), 0, 'it waits for late reports');
    play.tick(1.6);
    const { 'channel=one': one } = clusters(play);
    near(one?.wins, 1);
    near(one?.losses, 1 / 3);
    near(one?.episodes, 9);
  });
  test('a device without a named channel belongs to its site’s one cluster', () => {
    const play = new Play();
    const at = (channel: string, site: string) => ({ slice: { channel, site, hardware: 'pi5' } });
    play.window('pi-0', 0, { agreed: 4 }, at('unknown', 'home'));
    play.window('pi-1', 0, { agreed: 8 }, at('', 'home'));
    play.window('pi-2', 0, { agreed: 5 }, at('unknown', 'hotel'));
    play.tick(2);
    assert.deepEqual(
      Object.entries(clusters(play)).map(([id, { episodes }]) => [id, episodes]),
      [
        ['site=home', 6],
        ['site=hotel', 5],
      ],
    );
  });
  test('a device that changes channel within a window takes back nothing that it has said there', () => {
    const play = new Play();
    const half = (from: number, channel: string) => ({
      start: after(from).toISOString(),
      end: after(from + 0.5).toISOString(),
      slice: { channel, site: 'home', hardware: 'pi5' },
    });
    play.window('pi-0', 0, { losses: 5, undecided: 2, agreed: 30 }, half(0, 'one'), 0.5);
    play.window('pi-0', 0, { undecided: 1, agreed: 1 }, half(0.5, 'two'), 1);
    play.window('pi-1', 0, { agreed: 37 });
    play.state = rollout.parse(JSON.parse(JSON.stringify(play.state)));
    const answer = (from: number) => ({
      answers: [{ start: after(from).toISOString(), wins: 0, losses: 1 }],
    });
    play.window('pi-0', 1, {}, answer(0));
    play.tick(5);
    play.window('pi-0', 5, {}, answer(0));
    play.window('pi-0', 5, {}, answer(0.5));
    const { 'channel=one': one, 'channel=two': two } = clusters(play);
    assert.deepEqual(
      [one, two],
      [
        { episodes: 37, wins: 0, losses: 3.5, open: 0 },
        { episodes: 2, wins: 0, losses: 1, open: 0 },
      ],
    );
    assert.equal(play.state.evidence.recent[0]?.devices, 2);
  });
  test('a clock of the hub’s that was ahead for a moment closes no window that nobody could have sent', () => {
    const play = new Play();
    play.tick(1000);
    for (let hour = 0; hour < 20; hour++) {
      play.hour(hour, { agreed: 30 });
      play.tick(hour + 1.75);
    }
    assert.deepEqual([refused(play).late, episodesOf(play.state)], [0, 600]);
  });
  test('a hub that was down for a day gives all devices time to empty what they kept, once', () => {
    const play = new Play(pis(6), started({ ...PLAN, lagHours: 2 }));
    for (let hour = 0; hour < 10; hour++) {
      play.hour(hour, { agreed: 30 });
      play.tick(hour + 1.1);
    }
    play.tick(36);
    for (const [i, device] of play.members.entries()) {
      for (let hour = 10; hour < 36; hour++) play.window(device, hour, { agreed: 30 }, {}, 36.01 + i / 50);
      play.tick(36.015 + i / 50);
    }
    assert.equal(refused(play).late, 0);
    play.tick(36.2);
    assert.equal(episodesOf(play.state), 34 * 30);
    play.window('pi-0', 5, { agreed: 30 }, {}, 36.3);
    assert.equal(refused(play).late, 1);
  });
  test('the order of reports, and a restart between any two of them, change no byte of what is decided', () => {
    const random = seeded('order');
    const devices = pis(7);
    const hours = Array.from({ length: 6 }, (_, hour) =>
      devices.map((device, i) => ({
        device,
        hour,
        rate: i % 2 === 0 ? 1 : 0.5,
        counts: { wins: i % 3, losses: hour % 2, undecided: i % 2, agreed: 5 + i },
      })),
    );
    const run = (shuffled: boolean, restarts: boolean) => {
      const play = new Play(devices);
      for (const [hour, reports] of hours.entries()) {
        const mixed = random.shuffle(reports);
        for (const { device, counts, rate } of shuffled ? mixed : reports) {
          const { wins = 0, losses = 0, undecided = 0 } = counts;
          play.window(device, hour, counts, {
            draws: { rate, drawn: wins + losses + undecided, wins, losses },
            slice: { channel: `c${Number(device.at(-1)) % 3}`, site: 'home', hardware: 'pi5' },
          });
          if (restarts) play.state = rollout.parse(JSON.parse(JSON.stringify(play.state)));
        }
        play.tick(hour + 1.75);
      }
      return [
        JSON.stringify(play.state.history),
        JSON.stringify(standingOf(play.state).clusters),
        JSON.stringify(play.state.last),
      ];
    };
    const plain = run(false, false);
    for (let i = 0; i < 5; i++) assert.deepEqual(run(true, i % 2 === 0), plain);
  });
  test('evidence is the same whether an answer comes before its window is closed or after', () => {
    const early = new Play();
    const late = new Play();
    for (const play of [early, late]) {
      play.window('pi-0', 0, { undecided: 3, agreed: 7 });
      play.window('pi-1', 0, { agreed: 10 });
      if (play === late) play.tick(2);
      play.window(
        'pi-0',
        1,
        { agreed: 10 },
        { answers: [{ start: after(0).toISOString(), wins: 1, losses: 1 }] },
      );
      play.tick(3);
      const { 'channel=one': one } = clusters(play);
      near(one?.wins, 0.5);
      near(one?.losses, 0.5);
      near(one?.open, 0.5);
    }
  });
});

describe('reports that give no evidence are counted under their reason', () => {
  const cases: [keyof Rollout['evidence']['refused'], (play: Play) => void][] = [
    [
      'unaligned',
      (play) =>
        play.window(
          'pi-0',
          0,
          { agreed: 3 },
          { start: after(0.5).toISOString(), end: after(1.5).toISOString() },
          1.5,
        ),
    ],
    ['misdated', (play) => play.window('pi-0', 50, { agreed: 3 }, {}, 1)],
    [
      'late',
      (play) => {
        play.window('pi-1', 7, {});
        play.tick(9);
        play.window('pi-0', 0, { agreed: 3 }, {}, 9);
      },
    ],
    [
      'late',
      (play) =>
        play.window(
          'pi-0',
          0,
          { agreed: 3 },
          { start: '1970-01-01T00:00:00.000Z', end: '1970-01-01T01:00:00.000Z' },
        ),
    ],
    ['foreign', (play) => play.window('stranger', 0, { agreed: 3 })],
    ['foreign', (play) => play.window('pi-0', 0, { agreed: 3 }, { candidate: 'c'.repeat(64) })],
    ['foreign', (play) => play.window('pi-0', 0, { agreed: 3 }, { production: 'c'.repeat(64) })],
    ['foreign', (play) => play.window('pi-0', 0, { agreed: 3 }, { rollout: 'other' })],
    ['foreign', (play) => play.window('pi-0', 0, { agreed: 3 }, { serving: 'candidate' })],
    ['foreign', (play) => play.window('constructor', 0, { agreed: 3 })],
    ['foreign', (play) => play.window('__proto__', 0, { agreed: 3 })],
  ];
  for (const [reason, act] of cases)
    test(`${reason}: ${act.toString().slice(10, 110).replaceAll(/\s+/g, ' ')}`, () => {
      const play = new Play();
      act(play);
      assert.equal(refused(play)[reason], 1);
      play.tick(60);
      assert.equal(episodesOf(play.state), 0);
    });
  test('a report that comes twice counts once, for drift too', () => {
    const play = new Play();
    play.window('pi-0', 0, { agreed: 12 });
    play.window('pi-0', 0, { agreed: 12 }, { sequence: 1 });
    assert.deepEqual(
      Object.values(Object.values(play.state.drift.open)[0] ?? {}).map(({ episodes }) => episodes),
      [12],
    );
    play.tick(2);
    assert.equal(episodesOf(play.state), 12);
    play.send({
      kind: 'device',
      at: after(2).toISOString(),
      device: 'pi-0',
      problem: null,
      enrolledAgain: true,
    });
    play.window('pi-0', 2, { agreed: 12 }, { sequence: 1 });
    play.tick(4);
    assert.equal(episodesOf(play.state), 24, 'a new card under the old name begins at one');
  });
  test('a device that names one channel after the other to be a cluster of its own is heard on three', () => {
    const play = new Play();
    for (let i = 0; i < 40; i++)
      play.window('pi-0', i, { wins: 9 }, { slice: { channel: `c${i}`, site: 's', hardware: 'h' } });
    play.tick(42);
    assert.equal(Object.keys(clusters(play)).length, 3);
    assert.equal(refused(play).wandering, 37);
    // A living room goes back and forth between its channels.
    const home = new Play();
    for (let i = 0; i < 40; i++)
      home.window('pi-0', i, { agreed: 9 }, { slice: { channel: `c${i % 2}`, site: 's', hardware: 'h' } });
    home.tick(42);
    assert.deepEqual([refused(home).wandering, episodesOf(home.state)], [0, 360]);
  });
  test('a loud device is left out of its window, whichever side it takes; of two nobody is', () => {
    for (const side of ['wins', 'losses'] as const) {
      const play = new Play();
      play.hour(0, { agreed: 10 });
      play.window('pi-0', 1, { [side]: 100_000 });
      play.window('pi-1', 1, { agreed: 10 });
      play.window('pi-2', 1, { agreed: 10 });
      play.tick(3);
      const { 'channel=one': one } = clusters(play);
      assert.deepEqual([refused(play).loud, one?.wins, one?.losses], [1, 0, 0]);
      near(one?.episodes, 20);
    }
  });
});

describe('draws', () => {
  const draw = (undecided: number) => ({ undecided, agreed: 10 });
  const answer = (hour: number, wins: number, losses: number) => ({
    answers: [{ start: after(hour).toISOString(), wins, losses }],
  });
  test('answers to draws that were not drawn, and more answers than draws, count for nothing', () => {
    const play = new Play();
    play.window('pi-0', 0, draw(2));
    play.window('pi-0', 1, { agreed: 5 }, answer(0, 3, 0));
    play.window(
      'pi-0',
      2,
      { agreed: 5 },
      { answers: [{ start: after(0.25).toISOString(), wins: 1, losses: 0 }] },
    );
    play.window('pi-1', 2, { agreed: 5 }, answer(0, 1, 0));
    assert.equal(refused(play).answers, 5);
    play.tick(4);
    assert.equal(clusters(play)['channel=one']?.wins, 0);
    assert.equal(clusters(play)['channel=one']?.open, 2);
  });
  test('are answered while their window is open and after it is closed, and not when the plan’s time is over', () => {
    const play = new Play();
    play.window('pi-0', 0, draw(3));
    play.window('pi-0', 1, { agreed: 5 }, answer(0, 1, 0), 1.2);
    play.tick(2);
    play.window('pi-0', 2, { agreed: 5 }, answer(0, 0, 1));
    play.tick(8);
    assert.deepEqual(Object.keys(play.state.evidence.waiting), [], '1 h + 6 h for an answer + the lag');
    play.window('pi-0', 8, { agreed: 5 }, answer(0, 1, 0));
    play.tick(10);
    assert.deepEqual(
      [
        clusters(play)['channel=one']?.wins,
        clusters(play)['channel=one']?.losses,
        clusters(play)['channel=one']?.open,
      ],
      [1, 1, 1],
    );
    assert.equal(refused(play).answers, 1);
  });
  test('without an answer count against the candidate where it would move on, and for it where it would be stopped', () => {
    const decide = (counts: Parameters<Play['hour']>[1]) => {
      const play = new Play(
        pis(3),
        started({ ...PLAN, stages: PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 1 })) }),
      );
      for (let hour = 0; hour < 40; hour++) play.hour(hour, counts, { channel: () => 'one' });
      play.tick(42);
      return play.state.last;
    };
    assert.equal(decide({ wins: 1, undecided: 2, agreed: 20 })?.verdict, 'HOLD');
    assert.match(
      decide({ wins: 1, undecided: 2, agreed: 20 })?.reason ?? '',
      /66\.7 % of the drawn disagreements have no answer/,
    );
    assert.equal(decide({ wins: 3, agreed: 20 })?.verdict, 'PASS');
    assert.equal(decide({ losses: 1, undecided: 3, agreed: 4 })?.verdict, 'HOLD');
    assert.equal(decide({ losses: 4, agreed: 4 })?.verdict, 'SUSPEND');
  });
});

describe('hostile reports leave the state small and readable', () => {
  const sizeOf = (play: Play) => JSON.stringify(rollout.parse(JSON.parse(JSON.stringify(play.state)))).length;
  test('a hundred thousand late ones, in little time', () => {
    const play = new Play();
    play.window('pi-1', 90, { agreed: 1 });
    play.tick(100);
    const before = sizeOf(play);
    const late = report(1, 0, { losses: 5, agreed: 5 });
    const since = process.cpuUsage();
    for (let sequence = 1; sequence <= 100_000; sequence++)
      play.send({
        kind: 'window',
        at: after(100).toISOString(),
        device: 'pi-0',
        report: {
          ...late,
          sequence,
          answers: [{ start: after(sequence / 1e6).toISOString(), wins: 1e9, losses: 0 }],
        },
      });
    const { user } = process.cpuUsage(since);
    assert.ok(user < 20e6, `${user} µs`);
    play.events.length = 0;
    assert.equal(refused(play).late, 100_000);
    assert.ok(sizeOf(play) < before + 2000, `${sizeOf(play)} from ${before}`);
  });
  test('a hundred thousand that each open something new: windows, draws, channels, sites, hours', () => {
    const play = new Play();
    const draws = (sequence: number) => ({
      draws: { rate: 2 ** -(sequence % 9), drawn: 1, wins: 0, losses: 0 },
    });
    for (let sequence = 1; sequence <= 100_000; sequence++) {
      // Windows of a millisecond inside one of the plan, and of months to come.
      const start = sequence % 3 === 0 ? after(sequence) : new Date(after(0).getTime() + sequence);
      const own = {
        ...report(sequence, 0, { undecided: 1 }),
        ...draws(sequence),
        start: start.toISOString(),
        end: new Date(start.getTime() + 1).toISOString(),
      };
      const slice =
        sequence % 2 === 0
          ? own.slice
          : { channel: `c${sequence}`, site: `s${sequence}`, hardware: `constructor${sequence}` };
      play.send({ kind: 'window', at: after(1).toISOString(), device: 'pi-0', report: { ...own, slice } });
      play.events.length = 0;
    }
    assert.ok(sizeOf(play) < 80_000, `${sizeOf(play)} characters while open`);
    play.tick(2);
    assert.ok(sizeOf(play) < 80_000, `${sizeOf(play)} characters closed`);
    assert.ok(
      refused(play).misdated > 30_000 && refused(play).wandering > 10_000 && refused(play).loud > 0,
      JSON.stringify(refused(play)),
    );
  });
  test('the largest numbers that a message may carry, a thousand times', () => {
    const play = new Play();
    const count = 1e9;
    for (let hour = 0; hour < 1000; hour++)
      play.window(
        'pi-0',
        hour,
        { agreed: count },
        {
          restarts: count,
          memoryMb: count,
          downloadFailures: count,
          waiting: count,
          control: { asked: count, answered: count, wrong: count },
          latency: { production: [[63, count]], candidate: [[63, count]] },
        },
      );
    play.tick(1002);
    const since = process.cpuUsage();
    play.tick(1003);
    assert.ok(process.cpuUsage(since).user < 5e6);
    rollout.parse(JSON.parse(JSON.stringify(play.state)));
    assert.notEqual(play.state.last?.verdict, 'FAIL');
  });
});
