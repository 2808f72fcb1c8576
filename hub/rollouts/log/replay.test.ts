import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { link, NO_LINKS } from '../../store/chain.js';
import { type RolloutEvent, rolloutEvent } from '../events.js';
import { after, configPath, ownChannel, PLAN, Play, pis, report, started } from '../fixtures.js';
import { chainedLine, readEvents } from './log-file.js';
import { replay } from './replay.js';

const bin = fileURLToPath(new URL('../../../bin/adbreak.js', import.meta.url));
const command = (...args: string[]) =>
  spawnSync(process.execPath, [bin, 'rollouts', 'replay', ...args], { encoding: 'utf8' });

async function* source(events: readonly RolloutEvent[]) {
  for (const event of events) yield rolloutEvent.parse(JSON.parse(JSON.stringify(event)));
}

describe('a log of the first gate', () => {
  const golden = fileURLToPath(new URL('../../../../hub/rollouts/first-gate/golden.jsonl', import.meta.url));
  test('is audited by that gate, byte for byte', () => {
    const { status, stdout, stderr } = command('--events', golden);
    assert.equal(status, 0, stderr);
    assert.match(
      stdout,
      /A log of the first gate, audited by that gate\.\nidentical: 11 of 11 recorded decisions/,
    );
  });
  test('shows a line that somebody changed: a decision, or a report', async () => {
    const whole = await readFile(golden, 'utf8');
    const folder = await temporaryFolder();
    for (const [name, changed] of [
      ['decision', whole.replace('"verdict":"FAIL"', '"verdict":"PASS"')],
      [
        'report',
        whole
          .replaceAll('"wins":0,"losses":6', '"wins":0,"losses":5')
          .replaceAll('"productionRight":6,"candidateRight":0', '"productionRight":5,"candidateRight":0'),
      ],
    ] as const) {
      assert.notEqual(changed, whole);
      await writeFile(join(folder, name), changed);
      const { status, stdout, stderr } = command('--events', join(folder, name));
      assert.equal(status, 1, `${name}: ${stdout.slice(-300)}${stderr}`);
      assert.match(stdout, /different from the recorded decisions, first at number/, name);
    }
  });
  test('is told by its form, however it is spaced, and knows no other plan', async () => {
    const path = join(await temporaryFolder(), 'spaced.jsonl');
    const [first = '', ...rest] = (await readFile(golden, 'utf8')).split('\n');
    await writeFile(path, [first.replaceAll('":', '": '), ...rest].join('\n'));
    assert.match(command('--events', path).stdout, /identical: 11 of 11/);
    const other = command('--events', golden, '--plan', configPath('standard'));
    assert.equal(other.status, 1);
    assert.match(other.stderr, /the log is of the first gate, which knew no channels/);
  });
});

describe('replay', () => {
  const play = (change: Partial<typeof PLAN> = {}) => {
    const made = new Play(pis(5), started({ ...PLAN, ...change }));
    for (let hour = 0; hour < 30; hour++) {
      made.hour(
        hour,
        hour % 4 === 1
          ? { wins: 2, undecided: 1, agreed: 20 }
          : { wins: 1, losses: hour > 20 ? 7 : 0, agreed: 15 },
        {
          channel: ownChannel,
          devices: hour > 10 && hour < 20 ? pis(3) : pis(5),
        },
      );
      for (const part of [0.2, 0.7, 0.9]) made.tick(hour + 1 + part);
      if (hour === 3) made.order('pause', hour + 1.95);
      if (hour === 5) made.order('resume', hour + 1.95);
      if (hour === 8) made.act(['pi-0', 'pi-1'], hour + 1.95);
    }
    return made;
  };
  const made = play();
  test('of a log gives the same decisions and the same state, byte for byte, though quiet looks are left out of it', async () => {
    const result = await replay(source(made.events), null);
    assert.equal(result.firstDifference, null);
    assert.ok(result.decisions.length >= 4, `${result.decisions.length}`);
    assert.equal(JSON.stringify(result.decisions), JSON.stringify(made.state.history));
    const { last: _a, ...replayed } = result.rollout;
    const { last: _b, ...kept } = made.state;
    assert.equal(JSON.stringify(replayed), JSON.stringify(kept));
  });
  test('with windows shorter than an hour, reports that came while they were closed are late again', async () => {
    const short = new Play(
      pis(3),
      started({
        ...PLAN,
        windowSeconds: 600,
        lagHours: 0.1,
        stages: PLAN.stages.map((stage) => ({ ...stage, minEpisodes: 1, soakHours: 9 })),
      }),
    );
    const window = (device: string, sixth: number, at: number) => {
      const times = { start: after(sixth / 6).toISOString(), end: after((sixth + 1) / 6).toISOString() };
      short.window(device, 0, { wins: 1, agreed: 9 }, times, at);
    };
    for (let sixth = 0; sixth < 6; sixth++) window('pi-0', sixth, sixth / 6 + 0.2);
    short.tick(0.7);
    short.tick(0.9);
    window('pi-1', 3, 0.95);
    short.tick(1.5);
    assert.equal(short.state.evidence.refused.late, 1);
    const { rollout } = await replay(source(short.events), null);
    assert.equal(JSON.stringify(rollout.evidence), JSON.stringify(short.state.evidence));
  });
  test('under another plan tells what that would have done', async () => {
    const strict = await replay(source(made.events), { ...PLAN, minDevices: 50 });
    assert.equal(strict.decisions.filter(({ verdict }) => verdict === 'PASS').length, 0);
    assert.notEqual(strict.firstDifference, null);
  });
  test('a log that begins in the middle, or twice, is refused', async () => {
    await assert.rejects(replay(source(made.events.slice(1)), null), /does not begin/);
    await assert.rejects(replay(source([...made.events, ...made.events]), null), /second rollout/);
    await assert.rejects(replay(source([]), null), /empty/);
  });
  test('finding 7: in a log that a hub exported an event that was changed, deleted or inserted is named', async () => {
    let head = NO_LINKS;
    const whole = made.events.map((event) => {
      const next = link(head, JSON.stringify(event));
      head = next;
      return chainedLine(next, next.body);
    });
    const path = join(await temporaryFolder(), 'exported.jsonl');
    const replayed = async (lines: readonly string[]) => {
      await writeFile(path, `${lines.join('\n')}\n`);
      return command('--events', path);
    };
    assert.match((await replayed(whole)).stdout, /identical: /);
    for (const [lines, words] of [
      [
        whole.toSpliced(4, 1),
        /event 6, line 5 of .*, stands where number 5 was written: one was deleted or inserted/,
      ],
      [whole.toSpliced(4, 0, whole[3] ?? ''), /event 4, line 5 of .*, stands where number 5 was written/],
      [whole.map((line) => line.replaceAll('2.0.0', '2.0.1')), /event 1, line 1 of .*, was changed/],
      [
        whole.toSpliced(4, 0, JSON.stringify(made.events[3])),
        /line 5 of .* has no number and no hash: it was inserted/,
      ],
    ] as const) {
      const { status, stderr } = await replayed(lines);
      assert.equal(status, 1);
      assert.match(stderr, words);
      assert.match(stderr, /^error state_corrupt: Cannot replay/);
    }
  });
  test('a report in a hand-written log must add up as one from a device, or its line is named', async () => {
    async function* lines() {
      yield JSON.stringify(made.events[0]);
      yield JSON.stringify({
        kind: 'window',
        at: after(1).toISOString(),
        device: 'pi-0',
        report: {
          ...report(1, 0, { undecided: 2, agreed: 1 }),
          draws: { rate: 0.5, drawn: 9, wins: 0, losses: 0 },
        },
      });
    }
    await assert.rejects(
      replay(readEvents(lines(), 'hand.jsonl', rolloutEvent), null),
      /line 2 of hand\.jsonl.*9 of 2 disagreements are drawn/,
    );
  });
});
