import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { DRAW_RATES, type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { seeded } from '@adbreak/shared/random.js';
import type { Episode, Pairing } from './episode-log.js';
import { Ledger, type LedgerSettings, type LedgerState, MOST_WAITING } from './ledger.js';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const T0 = Date.parse('2026-03-01T10:00:00.000Z');
const iso = (hours: number) => new Date(T0 + hours * HOUR).toISOString();
const PAIRING: Pairing = {
  rollout: 'r',
  production: 'a'.repeat(64),
  candidate: 'b'.repeat(64),
  serving: 'production',
};
const FLIPPED: Pairing = { ...PAIRING, serving: 'candidate' };
const ALL = { perWeek: null, answerHours: 24 };

let id = 0;
const episode = (
  production: number,
  candidate: number,
  label: Episode['label'] = null,
  pairing = PAIRING,
): Episode => ({
  id: ++id,
  pairing,
  start: 0,
  end: 8,
  frames: 10,
  productionSum: production * 10,
  candidateSum: candidate * 10,
  label,
});
const differ = (label: Episode['label'] = null, pairing = PAIRING) => episode(0.1, 0.9, label, pairing);

function ledgerOf({
  now = T0,
  before = null,
  order = ALL,
  ...settings
}: Partial<LedgerSettings> & {
  now?: number;
  before?: LedgerState | null;
  order?: typeof ALL | { perWeek: number; answerHours: number };
} = {}) {
  return new Ledger(
    { labelSeconds: 600, windowSeconds: 3600, canAsk: true, uniform: () => 0.5, ...settings },
    order,
    now,
    before,
  );
}
/** The reports of a border, held to the contract. */
function close(ledger: Ledger, now: number, current: Pairing | null = PAIRING) {
  return ledger.closeWindow(now, current).map((report): WindowReport => {
    const whole = windowReport.parse({
      ...report,
      sequence: 1,
      slice: { channel: 'one', site: 'home', hardware: 'pi5' },
    });
    assert.equal(contradiction(whole), null);
    return whole;
  });
}

test('a window has the borders of the hour, whenever the agent began; a set that is off is reported as watching nothing', () => {
  const ledger = ledgerOf({ now: T0 + 17 * MINUTE });
  assert.deepEqual(close(ledger, T0 + 59 * MINUTE), []);
  const [report] = close(ledger, T0 + HOUR + 400);
  assert.deepEqual([report?.start, report?.end, report?.episodes, report?.frames], [iso(0), iso(1), 0, 0]);
  assert.deepEqual(report?.draws, { rate: 1, drawn: 0, wins: 0, losses: 0 });
  assert.deepEqual(close(ledger, T0 + 2 * HOUR, null), [], 'without a model there is nothing to say');
});

test('an episode is counted when its time has passed, labelled or not, in the window in which that is', () => {
  const ledger = ledgerOf();
  const [early, unlabelled, late] = [differ(), differ(), differ('ad')];
  ledger.end(early, T0 + 5 * MINUTE, true);
  assert.ok(ledger.label(early.id, 'content', T0 + 6 * MINUTE));
  assert.equal(ledger.label(early.id, 'ad', T0 + 7 * MINUTE), false, 'the first word stays');
  ledger.end(unlabelled, T0 + 50 * MINUTE, true);
  ledger.end(late, T0 + 51 * MINUTE, true);
  const [first] = close(ledger, T0 + HOUR + 700);
  assert.deepEqual(
    [first?.episodes, first?.draws, first?.waiting],
    [2, { rate: 1, drawn: 2, wins: 0, losses: 1 }, 1],
  );
  const [second] = close(ledger, T0 + 2 * HOUR);
  assert.deepEqual(
    [second?.episodes, second?.draws?.wins, second?.labelled.wins],
    [1, 1, 1],
    'a label hurries nothing: 10:51 is due at 11:01',
  );
});

test('an answer that comes after the count goes into a later report, under the window of its draw', () => {
  const ledger = ledgerOf();
  const [one, two, three] = [differ(), differ(), differ()];
  for (const each of [one, two]) ledger.end(each, T0, true);
  ledger.end(three, T0 + 30 * MINUTE, true);
  // Counted at 10:10, answered at 10:30: the window that counted it is still open.
  assert.ok(ledger.label(one.id, 'ad', T0 + 30 * MINUTE));
  const [first] = close(ledger, T0 + HOUR);
  assert.deepEqual(
    [first?.draws, first?.answers, first?.labelled.episodes, first?.waiting],
    [{ rate: 1, drawn: 3, wins: 0, losses: 0 }, [], 0, 2],
  );
  assert.ok(ledger.label(two.id, 'content', T0 + 5 * HOUR - MINUTE));
  const [second] = close(ledger, T0 + 5 * HOUR);
  assert.deepEqual(
    [second?.answers, second?.labelled.episodes, second?.waiting],
    [[{ start: iso(0), wins: 1, losses: 1 }], 0, 1],
  );
  // 24 hours after 10:40 the last one leaves the list without a word.
  assert.equal(close(ledger, T0 + 24 * HOUR)[0]?.waiting, 1);
  assert.equal(ledger.label(three.id, 'ad', T0 + 24.7 * HOUR), false);
  assert.deepEqual([close(ledger, T0 + 25 * HOUR)[0]?.answers, ledger.asked], [[], []]);
});

test('an answer for a pairing that is gone gets a report of that pairing', () => {
  const ledger = ledgerOf();
  const one = differ();
  ledger.end(one, T0, true);
  close(ledger, T0 + HOUR);
  ledger.label(one.id, 'ad', T0 + 1.2 * HOUR);
  const reports = close(ledger, T0 + 2 * HOUR, FLIPPED);
  assert.deepEqual(
    reports.map(({ serving, episodes, answers }) => [serving, episodes, answers.length]),
    [
      ['production', 0, 1],
      ['candidate', 0, 0],
    ],
  );
});

test('a report answers draws of a hundred windows; the rest goes with the next one', () => {
  const ledger = ledgerOf({ order: { perWeek: 10_000, answerHours: 1000 } });
  const drawn = Array.from({ length: 130 }, () => differ());
  drawn.forEach((one, hour) => {
    ledger.end(one, T0 + hour * HOUR, true);
    close(ledger, T0 + (hour + 1) * HOUR);
  });
  for (const one of drawn) assert.ok(ledger.label(one.id, 'ad', T0 + 130.5 * HOUR));
  assert.deepEqual(
    [131, 132, 133].map((hour) => close(ledger, T0 + hour * HOUR)[0]?.answers.length),
    [100, 30, 0],
  );
});

test('where nobody can be asked nothing is drawn, and the report says so; without a candidate there is nothing to draw', () => {
  const ledger = ledgerOf({ canAsk: false });
  ledger.end(differ(), T0, true);
  const [report] = close(ledger, T0 + HOUR);
  assert.deepEqual([report?.episodes, report?.draws, report?.waiting, ledger.asked], [1, null, 0, []]);
  const [alone] = close(ledgerOf(), T0 + HOUR, { ...PAIRING, candidate: null });
  assert.equal(alone?.draws, null);
});

test('a share of the disagreements is drawn at the rate of the window that counts them; the rate waits for the border', () => {
  const random = seeded('draws');
  const ledger = ledgerOf({ order: { perWeek: 700 / 8, answerHours: 24 }, uniform: random.uniform });
  for (let i = 0; i < 400; i++) ledger.end(differ(), T0, true);
  ledger.order({ perWeek: null, answerHours: 24 });
  for (let i = 0; i < 40; i++) ledger.end(differ(), T0 + 55 * MINUTE, true);
  const [first] = close(ledger, T0 + HOUR);
  assert.equal(first?.draws?.rate, 1 / 8);
  assert.ok(Math.abs((first?.draws?.drawn ?? 0) - 50) < 25, `${first?.draws?.drawn} of 400`);
  const [second] = close(ledger, T0 + 2 * HOUR);
  assert.deepEqual(
    second?.draws,
    { rate: 1, drawn: 40, wins: 0, losses: 0 },
    'ended under 1/8, counted under 1',
  );
});

test('now and then something known is asked like the rest; its answer is a control, and a label once at most', () => {
  const random = seeded('controls');
  const ledger = ledgerOf({ uniform: random.uniform });
  const reports: WindowReport[] = [];
  const controls: number[] = [];
  let now = T0;
  for (let i = 0; i < 2400; i++) {
    now += 10_000;
    const known = i % 3 > 0;
    const one = known ? episode(0.99, 0.995) : differ();
    ledger.end(one, now, true);
    if (!known || !ledger.asked.some(({ episode: { id } }) => id === one.id)) continue;
    controls.push(one.id);
    // The first is answered rightly and at once, the second wrongly, the others not.
    if (controls.length <= 2) assert.ok(ledger.label(one.id, controls.length === 1 ? 'ad' : 'content', now));
    reports.push(...close(ledger, now));
  }
  // One for each ten draws, give or take.
  assert.ok(controls.length > 50 && controls.length < 110, `${controls.length} controls for 800 draws`);
  const sum = (of: (report: WindowReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const told = () => [
    sum(({ control }) => control.asked),
    sum(({ control }) => control.answered),
    sum(({ control }) => control.wrong),
  ];
  assert.deepEqual(
    [told(), sum(({ labelled }) => labelled.episodes)],
    [[2, 2, 1], 2],
    'answered in time: a label like any other',
  );
  reports.push(...close(ledger, now + HOUR));
  assert.ok(ledger.label(controls[5] ?? 0, 'ad', now + HOUR));
  reports.push(...close(ledger, now + 2 * HOUR));
  assert.deepEqual(
    [told(), sum(({ labelled }) => labelled.episodes), sum(({ answers }) => answers.length)],
    [[3, 3, 1], 2, 0],
    'later: no label of any window',
  );
  reports.push(...close(ledger, now + 60 * HOUR));
  assert.deepEqual(told(), [controls.length, 3, 1], 'who never answers was asked too');
});

test('nobody is tested while nobody is asked, and a word that came unasked is no control', () => {
  const ledger = ledgerOf({ uniform: () => 0 });
  for (let i = 0; i < 20; i++) {
    ledger.end(differ(), T0, false);
    ledger.end(episode(0.99, 0.99), T0, false);
    ledger.end(episode(0.99, 0.99, 'ad'), T0, true);
  }
  assert.equal(ledger.asked.length, 20);
});

test('a restart goes on in the middle of a window; a window that ended meanwhile is reported as it was', () => {
  const first = ledgerOf();
  const [one, two] = [differ(), differ('ad')];
  first.end(one, T0 + MINUTE, true);
  first.end(two, T0 + 5 * MINUTE, true);
  assert.deepEqual(close(first, T0 + 12 * MINUTE), []);
  first.label(999_999, 'ad', T0 + 12 * MINUTE);
  const copy = (): LedgerState => structuredClone(first.state);
  const [same] = close(ledgerOf({ before: copy(), now: T0 + 20 * MINUTE }), T0 + HOUR);
  assert.deepEqual(
    [same?.start, same?.episodes, same?.draws],
    [iso(0), 2, { rate: 1, drawn: 2, wins: 1, losses: 0 }],
  );
  const later = ledgerOf({ before: copy(), now: T0 + 7.5 * HOUR });
  const old = close(later, T0 + 7.5 * HOUR, null);
  assert.deepEqual(
    old.map(({ start, episodes, waiting }) => [start, episodes, waiting]),
    [[iso(0), 2, 1]],
    'the hours without an agent are no windows',
  );
  assert.ok(later.label(one.id, 'ad', T0 + 7.6 * HOUR));
  assert.deepEqual(close(later, T0 + 8 * HOUR)[0]?.answers, [{ start: iso(0), wins: 1, losses: 0 }]);
});

test('windows of another length begin anew; the draws that wait stay', () => {
  const first = ledgerOf();
  const one = differ();
  first.end(one, T0, true);
  close(first, T0 + HOUR);
  first.end(differ(), T0 + HOUR, true);
  const second = ledgerOf({ before: first.state, windowSeconds: 60, now: T0 + 1.5 * HOUR });
  assert.ok(second.label(one.id, 'ad', T0 + 1.5 * HOUR));
  const [report] = close(second, T0 + 1.5 * HOUR + MINUTE);
  assert.deepEqual([report?.start, report?.answers.length, report?.episodes], [iso(1.5), 1, 1]);
});

test('a clock that was ahead costs the draws of hours that never were; a wait begins anew and does not last for years', () => {
  const ledger = ledgerOf();
  const ahead = 9000 * HOUR;
  const [future, present] = [differ(), differ()];
  ledger.end(present, T0, true);
  close(ledger, T0 + HOUR + ahead);
  ledger.end(future, T0 + HOUR + ahead, true);
  close(ledger, T0 + 2 * HOUR + ahead);
  assert.ok(ledger.label(future.id, 'ad', T0 + 2.1 * HOUR + ahead));
  ledger.end(differ(), T0 + 2.1 * HOUR + ahead, true);
  const back = close(ledger, T0 + 2.5 * HOUR);
  assert.equal(back[0]?.start, iso(9002), 'the hub refuses it: it ends in the future');
  const [right] = close(ledger, T0 + 3 * HOUR);
  assert.deepEqual([right?.start, right?.episodes, right?.answers], [iso(2), 1, []]);
});

test('more draws than the list holds: the oldest leave it', () => {
  const ledger = ledgerOf();
  for (let i = 0; i < MOST_WAITING + 20; i++) ledger.end(differ(), T0 + i, true);
  const [report] = close(ledger, T0 + HOUR);
  assert.deepEqual(
    [report?.draws?.drawn, report?.waiting, ledger.asked.length],
    [MOST_WAITING + 20, MOST_WAITING, MOST_WAITING],
  );
});

test('a random week: every report keeps the contract, draws and answers add up, every start comes once', () => {
  for (let seed = 0; seed < 8; seed++) {
    const random = seeded(`week ${seed}`);
    let ledger = ledgerOf({ uniform: random.uniform, order: { perWeek: 200, answerHours: 8 } });
    const [reports, asked]: [WindowReport[], Map<number, true>] = [[], new Map()];
    let [now, answered] = [T0, 0];
    for (let step = 0; step < 3000; step++) {
      now += random.between(0, 4 * MINUTE);
      const pairing = random.uniform() < 0.5 ? PAIRING : FLIPPED;
      const one =
        random.uniform() < 0.2
          ? differ(random.pick([null, null, 'ad', 'content']), pairing)
          : episode(0.99, 0.99, null, pairing);
      ledger.end(one, now, true);
      for (const { episode } of ledger.asked) {
        asked.set(episode.id, true);
        if (random.uniform() < 0.02 && ledger.label(episode.id, random.pick(['ad', 'content']), now))
          answered += 1;
      }
      if (random.uniform() < 0.01)
        ledger = ledgerOf({ uniform: random.uniform, now, before: JSON.parse(JSON.stringify(ledger.state)) });
      reports.push(...close(ledger, now, pairing));
    }
    const sum = (of: (report: WindowReport) => number) =>
      reports.reduce((total, report) => total + of(report), 0);
    const starts = reports.map(({ start, serving }) => `${start} ${serving}`);
    assert.equal(new Set(starts).size, starts.length, `seed ${seed}`);
    assert.ok(reports.every(({ draws }) => draws !== null && DRAW_RATES.includes(draws.rate)));
    const drawn = new Map(
      reports.map(({ start, serving, draws }) => [
        `${start} ${serving}`,
        (draws?.drawn ?? 0) - (draws?.wins ?? 0) - (draws?.losses ?? 0),
      ]),
    );
    for (const { serving, answers } of reports)
      for (const { start, wins, losses } of answers)
        drawn.set(`${start} ${serving}`, (drawn.get(`${start} ${serving}`) ?? 0) - wins - losses);
    assert.ok(
      [...drawn.values()].every((left) => left >= 0),
      `seed ${seed}: no window has more answers than draws`,
    );
    assert.ok(
      answered > 20 && sum(({ control }) => control.answered) > 0 && sum(({ answers }) => answers.length) > 0,
      `seed ${seed}: ${answered}`,
    );
  }
});
