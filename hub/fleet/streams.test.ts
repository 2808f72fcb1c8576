import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { BEGIN, report } from '../rollouts/fixtures.js';
import { RolloutLog } from '../rollouts/log/log.js';
import { replay } from '../rollouts/log/replay.js';
import { intakeOf, PAIR } from '../testing/intake.js';
import { numbersKept } from './streams.js';

const SPOOL = new URL('../../../edge/dist/uplink/spool.js', import.meta.url).href;
const SCRIPT = `
const { Spool } = await import(${JSON.stringify(SPOOL)});
const [folder, made, acknowledged] = JSON.parse(process.argv[1]);
const spool = await Spool.open(folder, (line) => console.error(line));
for (const report of made) await spool.add(report);
for (const sequence of acknowledged) await spool.acknowledge(sequence);
`;

type Hub = Awaited<ReturnType<typeof intakeOf>>;

/** An agent's real spool, a process at each look, and a hub that what is in it is sent to. */
class Card {
  readonly folder: string;
  private constructor(folder: string) {
    this.folder = folder;
  }
  static async blank(): Promise<Card> {
    return new Card(join(await temporaryFolder(), 'spool'));
  }
  /** An image of it, to be written to a card later. */
  async image(): Promise<Card> {
    const copy = await Card.blank();
    await cp(this.folder, copy.folder, { recursive: true });
    return copy;
  }
  async #run(made: readonly unknown[], acknowledged: readonly number[]): Promise<void> {
    const { stderr } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      SCRIPT,
      JSON.stringify([this.folder, made, acknowledged]),
    ]);
    assert.equal(stderr, '');
  }
  /** The windows of these hours are closed. */
  make({ rollout }: Hub, ...hours: number[]): Promise<void> {
    const made = hours.map((hour) => {
      const { sequence: _, ...rest } = report(
        1,
        hour,
        { wins: 1, agreed: 8 },
        { rollout: rollout().id, ...PAIR },
      );
      return rest;
    });
    return this.#run(made, []);
  }
  async waiting(): Promise<WindowReport[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith('.json')).sort();
    return Promise.all(
      names.map(async (name) =>
        windowReport.parse(JSON.parse(await readFile(join(this.folder, name), 'utf8'))),
      ),
    );
  }
  /** All that waits is sent, in order; `heard` says whether the acknowledgements arrive. */
  async send(hub: Hub, { heard = true } = {}): Promise<void> {
    const reports = await this.waiting();
    for (const one of reports) await hub.send(one);
    if (heard)
      await this.#run(
        [],
        reports.map(({ sequence }) => sequence),
      );
  }
  lose(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}

const clockAt = (hour: number) => ({ now: new Date(BEGIN + hour * 3_600_000) });
async function fleet(hour = 0) {
  const clock = clockAt(hour);
  const hub = await intakeOf({ now: () => clock.now });
  const at = (later: number) => {
    clock.now = new Date(BEGIN + later * 3_600_000);
  };
  return { hub, at, clock, card: await Card.blank() };
}
/** Hours that count in the rollout, and windows that count as lost there. */
const counted = ({ evidence }: Hub) => [evidence()?.health.own.hours, evidence()?.lost.windows];

test('finding 8: after a lost spool what comes counts, and the time between the streams counts as lost', async () => {
  const { hub, at, card } = await fleet();
  await card.make(hub, 0, 1, 2);
  at(3);
  await card.send(hub);
  assert.deepEqual(counted(hub), [3, 0]);
  // Made, not sent, and lost with the card: 3, 4 and 5.
  await card.make(hub, 3, 4, 5);
  await card.lose();
  await card.make(hub, 6, 7);
  at(8);
  await card.send(hub);
  assert.deepEqual(counted(hub), [5, 3]);
  const { stream, sequence, earlierStreams, missingWindows, refusedReports } = hub.device();
  assert.deepEqual([sequence, missingWindows, refusedReports, earlierStreams?.length], [2, 0, 0, 1]);
  assert.notEqual(stream, earlierStreams?.[0]?.stream);
});

test('who loses its spool without a window between the streams owes one all the same', async () => {
  const { hub, at, card } = await fleet();
  await card.make(hub, 0, 1, 2);
  at(3);
  await card.send(hub);
  await card.lose();
  await card.make(hub, 3, 4);
  at(5);
  await card.send(hub);
  assert.deepEqual(counted(hub), [5, 1]);
});

test('a restored image goes on with old numbers of its stream: what is new counts, what was sent before is a duplicate', async () => {
  const { hub, at, card } = await fleet();
  await card.make(hub, 0, 1);
  const image = await card.image();
  at(2);
  await card.send(hub);
  await card.make(hub, 2, 3, 4);
  at(5);
  await card.send(hub);
  await image.send(hub);
  assert.deepEqual(counted(hub), [5, 0]);
  await image.make(hub, 6, 7);
  at(8);
  await image.send(hub);
  assert.deepEqual(counted(hub), [7, 1]);
  assert.equal(hub.device().refusedReports, 0);
});

test('an old card put in again: counted windows are duplicates, one whose time another card reported is refused and shown, new ones count', async () => {
  const { hub, at, card: old } = await fleet();
  await old.make(hub, 0, 1, 2);
  at(3);
  await old.send(hub, { heard: false });
  const other = await Card.blank();
  await old.make(hub, 3);
  await other.make(hub, 3, 4, 5);
  at(6);
  await other.send(hub);
  assert.deepEqual(counted(hub), [6, 1]);
  await old.send(hub);
  assert.deepEqual([counted(hub), hub.device().refusedReports], [[6, 1], 1]);
  assert.match(hub.lines.join('\n'), /window 4 of pi-0: it is of another stream, and its time was reported/);
  await old.make(hub, 6, 7);
  at(8);
  await old.send(hub);
  assert.deepEqual(counted(hub), [8, 2]);
  await other.make(hub, 8);
  at(9);
  await other.send(hub);
  assert.deepEqual(counted(hub), [9, 3]);
});

test('streams of a day are bounded: what is beyond is refused and shown, and its time counts as lost once one may begin', async () => {
  const { hub, at, card } = await fleet();
  for (let hour = 0; hour < 7; hour++) {
    await card.make(hub, hour);
    at(hour + 1);
    await card.send(hub);
    await card.lose();
  }
  assert.deepEqual([counted(hub), hub.device().refusedReports], [[5, 4], 2]);
  assert.match(hub.lines.join('\n'), /its numbers began anew 4 times within a day/);
  await card.make(hub, 26);
  at(27);
  await card.send(hub);
  // From the end of window 4 to the beginning of window 26: 21 of them.
  assert.deepEqual(counted(hub), [6, 25]);
});

test('a change of streams outside of a rollout is told to it with the next window that it hears', async () => {
  const { hub, at, card } = await fleet();
  await card.make(hub, 0, 1);
  at(2);
  await card.send(hub);
  await card.lose();
  await card.make(hub, 4, 5);
  at(6);
  const [first, second] = await card.waiting();
  assert.ok(first !== undefined && second !== undefined);
  await hub.send({ ...first, rollout: null });
  assert.deepEqual(counted(hub), [2, 0]);
  await hub.send(second);
  assert.deepEqual(counted(hub), [3, 2]);
});

test('the hub killed and started anew knows the streams; its log replays to the same', async () => {
  const { hub, at, clock, card } = await fleet();
  await card.make(hub, 0, 1, 2);
  at(3);
  await card.send(hub, { heard: false });
  const image = await card.image();
  await card.lose();
  await card.make(hub, 4, 5);
  at(6);
  await card.send(hub, { heard: false });
  // As a kill leaves it: nothing was closed.
  const again = await intakeOf({ now: () => clock.now, folder: hub.folder });
  assert.deepEqual(again.evidence(), hub.evidence());
  await image.send(again);
  await card.send(again);
  assert.deepEqual(counted(again), [5, 1]);
  const id = again.rollout().id;
  await again.executor.tick();
  assert.equal((await replay(new RolloutLog(again.store).read(id), null)).firstDifference, null);
});

test('a card that is enrolled anew with its spool is no stranger: what was counted is a duplicate, and nothing is missing', async () => {
  const { hub, at, clock, card } = await fleet();
  await card.make(hub, 0, 1, 2);
  at(3);
  await card.send(hub, { heard: false });
  const { stream: _, untold: __, ...before } = hub.device();
  await hub.store.change(({ devices }) => {
    devices['pi-0'] = {
      ...before,
      sequence: 0,
      enrolled: clock.now.toISOString(),
      enrolledAnew: true,
      ...numbersKept(hub.device(), clock.now.getTime()),
    };
  });
  await hub.executor.enrolledAgain('pi-0');
  await card.make(hub, 3);
  at(4);
  await card.send(hub);
  assert.deepEqual([counted(hub), hub.device().refusedReports], [[4, 0], 0]);
});

test('an agent of before goes on without a stream, and names one after its update: no number is lost or doubled', async () => {
  const { hub, at } = await fleet();
  const old = (sequence: number, hour: number) =>
    hub.send(report(sequence, hour, { wins: 1, agreed: 8 }, { rollout: hub.rollout().id, ...PAIR }));
  at(10);
  for (const n of [1, 2, 2, 1, 4]) await old(n, n - 1);
  assert.deepEqual([counted(hub), hub.device().missingWindows], [[3, 1], 1]);
  const card = await Card.blank();
  await card.make(hub, 0, 1, 2, 3, 4);
  const updated = (await card.waiting()).slice(3);
  for (const one of updated) await hub.send(one);
  assert.deepEqual(
    [counted(hub), hub.device().stream, hub.device().earlierStreams],
    [[4, 1], updated[0]?.stream, undefined],
  );
  // Its card is lost before the update of another: numbers that go back count by their time.
  const { stream: __, ...rest } = hub.device();
  await hub.store.change(({ devices }) => {
    devices['pi-0'] = rest;
  });
  await old(1, 6);
  await old(1, 6);
  await old(2, 7);
  assert.deepEqual(counted(hub), [6, 2]);
});

test('a gap of more windows than there are seconds since the enrolment is refused with a code, and counts nowhere; one that may be true counts', async (t) => {
  const now = () => new Date('2026-01-03T00:00:00.000Z');
  const hub = await intakeOf({ now });
  t.after(() => hub.store.close());
  const send = (sequence: number, hour: number, stream: string) =>
    hub.send(report(sequence, hour, { wins: 1, agreed: 9 }, { rollout: hub.rollout().id, stream, ...PAIR }));
  const [first, second] = ['a'.repeat(16), 'b'.repeat(16)];
  await send(1, 0, first);
  for (const sequence of [Number.MAX_SAFE_INTEGER, 2 ** 40, 2 * 86_400 + 700]) await send(sequence, 1, first);
  const { refusal, ...known } = hub.device();
  assert.deepEqual([known.sequence, known.missingWindows, known.refusedReports], [1, 0, 3]);
  assert.equal(refusal?.code, 'input_invalid');
  assert.match(
    refusal?.message ?? '',
    /173498 windows are missing before it.*it can have made 173400.*enrol it anew/,
  );
  await send(2 * 86_400, 2, first);
  assert.equal(hub.device().missingWindows, 2 * 86_400 - 2, 'a window a second');
  // Another stream does not begin with a gap, and has no larger one either.
  await send(1, 3, second);
  await send(Number.MAX_SAFE_INTEGER, 4, second);
  assert.deepEqual([hub.device().sequence, hub.device().refusedReports], [1, 4]);
  // Enrolled while the hub's clock stood in the future: nobody can say, and what is taken can be read again.
  await hub.store.change(({ devices }) => {
    Object.assign(devices['pi-0'] ?? {}, {
      enrolled: '2027-01-01T00:00:00.000Z',
      firstEnrolled: '2026-01-01T00:00:00.000Z',
    });
  });
  for (const sequence of [2 ** 52, Number.MAX_SAFE_INTEGER])
    await send(sequence, sequence === 2 ** 52 ? 5 : 6, second);
  assert.equal(hub.device().sequence, Number.MAX_SAFE_INTEGER);
  await hub.store.close();
  const again = await intakeOf({ now, folder: hub.folder });
  assert.equal(again.device().missingWindows, hub.device().missingWindows);
  await again.store.close();
});

test('what a device that was revoked has left for its end is not taken', async (t) => {
  const hub = await intakeOf({ now: () => new Date('2026-01-03T00:00:00.000Z') });
  t.after(() => hub.store.close());
  await hub.store.change(({ devices }) => void Object.assign(devices['pi-0'] ?? {}, { revoked: true }));
  const last = report(1, 0, { wins: 1, agreed: 9 }, { rollout: hub.rollout().id, ...PAIR });
  await assert.rejects(async () => hub.send(last), { code: 'identity_revoked' });
  assert.equal(hub.device().sequence, 0);
});
