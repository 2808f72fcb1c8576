import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, copyFile, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { labelActionSchema } from '@adbreak/shared/contract/labelling.js';
import { smallVolume, temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { LabelBook } from './book.js';
import { FIRST_DIGEST } from './event-line.js';
import { EventLog, type LogFile } from './event-log.js';
import { type LabelEvent, Labels } from './fold.js';
import { lockOutput } from './lock.js';
import { FIRST, paint } from './testing.js';

const NAME = 'labels.events.jsonl';
const said = (labeller = 'ann') => ({ labeller, at: '2026-01-01T00:00:00.000Z', action: paint(0, 1) });

const never = (event: LabelEvent) => assert.fail(`nothing is there: ${event.sequence}`);

/** What is read back, and what was said of it. */
async function readBack(path: string) {
  const [events, lines]: [LabelEvent[], string[]] = [[], []];
  await using log = await EventLog.open(
    path,
    (event) => void events.push(event),
    (line) => void lines.push(line),
  );
  await log.append([]);
  return { events, lines };
}

/** A log of three events. */
async function three(): Promise<string> {
  const path = join(await temporaryFolder(), NAME);
  await using log = await EventLog.open(path, never, assert.fail);
  await log.append([said()]);
  await log.append([said('bob'), said('bob')]);
  return path;
}

describe('the log of labels', () => {
  test('gives back what was appended, in order, and counts on', async () => {
    const path = await three();
    const { events } = await readBack(path);
    assert.deepEqual(
      events.map(({ sequence, labeller }) => `${sequence} ${labeller}`),
      ['1 ann', '2 bob', '3 bob'],
    );
    await using log = await EventLog.open(path, () => undefined, assert.fail);
    assert.equal((await log.append([said()]))[0]?.sequence, 4);
  });

  test('gives back whatever may stand in the name of a spot', async () => {
    const path = join(await temporaryFolder(), NAME);
    const names = ['\u2028', 'a\u2029b', '\n\r\0', '","digest":"0123456789abcdef"}', '\ud800', 'ü💡\u0085'];
    const airings = [{ recording: FIRST, start: 0, end: 1 }];
    const actions = names.map((spot, i) => {
      const id = `00000000-0000-4000-8000-00000000000${i}`;
      return labelActionSchema.parse({ kind: 'spot', id, spot, label: 'ad', airings });
    });
    {
      await using log = await EventLog.open(path, never, assert.fail);
      await log.append(actions.map((action) => ({ ...said(), action })));
    }
    const { events, lines } = await readBack(path);
    assert.deepEqual(
      events.map(({ action }) => action),
      actions,
    );
    assert.deepEqual(lines, []);
  });

  test('a torn last line is cut off and said, wherever it was torn', async () => {
    const whole = await readFile(await three());
    const second = whole.lastIndexOf(10, whole.length - 2) + 1;
    for (const bytes of [second + 1, second + 60, whole.length - 1]) {
      const path = await three();
      await writeFile(path, whole);
      await truncate(path, bytes);
      const { events, lines } = await readBack(path);
      assert.equal(events.length, 2);
      assert.match(lines.join(), /the last line was cut off/);
      assert.deepEqual((await readBack(path)).lines, [], 'once');
    }
  });

  test('what a power cut leaves behind the last line is cut off, too', async () => {
    const path = await three();
    await appendFile(path, Buffer.alloc(500));
    assert.equal((await readBack(path)).events.length, 3);
  });

  const edits: Record<string, [(lines: string[]) => string[], RegExp]> = {
    'a label that was changed by hand': [
      (lines) => lines.map((line, i) => (i === 1 ? line.replace('"ad"', '"content"') : line)),
      /line 2: it is not what was written/,
    ],
    'a line that is gone': [(lines) => lines.filter((_, i) => i !== 1), /line 2: it is not what was written/],
    'two lines in another order': [([a = '', b = '', ...more]) => [b, a, ...more], /line 1: it is not/],
    'a line of somebody’s own': [
      ([a = '', ...more]) => [a, '{"sequence":2}', ...more],
      /line 2: it has no digest/,
    ],
    'an empty line': [([a = '', ...more]) => [a, '', ...more], /line 2: it has no digest/],
  };
  for (const [what, [edit, message]] of Object.entries(edits))
    test(`${what} is refused with the line and what to do, and nothing is changed`, async () => {
      const path = await three();
      const text = `${edit((await readFile(path, 'utf8')).trimEnd().split('\n')).join('\n')}\n`;
      await writeFile(path, text);
      await assert.rejects(readBack(path), { code: 'state_corrupt', message, remedy: /head -n/ });
      assert.equal(await readFile(path, 'utf8'), text);
    });
});

/** A book over a log, of one recording of a minute. */
function bookOf(log: EventLog, labels = new Labels()): LabelBook {
  return new LabelBook({
    ...{ log, labels, now: () => new Date(0), nameOf: () => 'evening.mkv', onChange: () => undefined },
    durations: () => new Map([[FIRST, 60]]),
  });
}

describe('writing', () => {
  test('the same action twice, also at once from two tabs, is one line', async () => {
    const path = join(await temporaryFolder(), NAME);
    await using log = await EventLog.open(path, never, assert.fail);
    const book = bookOf(log);
    const action = paint(1, 65 - 10);
    const answers = await Promise.all([1, 2, 3].map(() => book.post({ labeller: 'ann', action })));
    assert.deepEqual(new Set(answers.map((one) => JSON.stringify(one))).size, 1);
    assert.equal((await readFile(path, 'utf8')).trimEnd().split('\n').length, 1);
    assert.equal(answers[0]?.undo, 'ad: 0:01.0 to 0:55.0 of evening.mkv');
  });

  test('a full disk is said, loses nothing that was answered, and is over once there is room', async (t: TestContext) => {
    const folder = await smallVolume(t, 64);
    const path = join(folder, NAME);
    const filler = join(folder, 'filler');
    await writeFile(filler, Buffer.alloc(48 * 1024));
    const log = await EventLog.open(path, never, assert.fail);
    const book = bookOf(log);
    let answered = 0;
    const fill = async () => {
      for (; answered < 1000; answered++) await book.post({ labeller: 'ann', action: paint(1, 2) });
    };
    await assert.rejects(fill(), { code: 'disk_full' });
    assert.ok(answered > 0 && answered < 1000);
    await truncate(filler, 0);
    await book.post({ labeller: 'ann', action: paint(1, 2) });
    await log[Symbol.asyncDispose]();
    const { events, lines } = await readBack(path);
    assert.equal(events.length, answered + 1);
    assert.deepEqual(lines, [], 'no half of a line was left');
  });

  const changes: Record<string, (path: string) => Promise<void>> = {
    'replaced by a copy': async (path) => {
      await copyFile(path, `${path}.copy`);
      await rename(`${path}.copy`, path);
    },
    'taken away': (path) => rm(path),
    'changed in its place': (path) => appendFile(path, '{}\n'),
  };
  for (const [name, change] of Object.entries(changes))
    test(`a log that was ${name} while it is open takes nothing more, and nobody is told that it did`, async () => {
      const path = await three();
      await using log = await EventLog.open(path, () => undefined, assert.fail);
      await log.append([said()]);
      await change(path);
      await assert.rejects(log.append([said()]), { code: 'state_unwritable' });
    });

  test('where a begun line cannot be taken back nothing more is written', async () => {
    let works = false;
    const fault = Object.assign(new Error('no'), { code: 'EIO' });
    const file: LogFile = {
      write: async (bytes: Uint8Array) => {
        if (!works) throw fault;
        return { bytesWritten: bytes.length };
      },
      datasync: async () => undefined,
      truncate: async () => Promise.reject(fault),
      close: async () => undefined,
      isStill: async () => true,
    };
    const log = new EventLog(file, NAME, { bytes: 0, digest: FIRST_DIGEST, sequence: 0 });
    await assert.rejects(log.append([said()]), fault);
    works = true;
    await assert.rejects(log.append([said()]), { code: 'state_unwritable' });
  });
});

describe('the lock', () => {
  test('keeps a second writer out while the first runs, and is gone with it', async () => {
    const folder = await temporaryFolder();
    const first = await lockOutput(folder);
    await assert.rejects(lockOutput(folder), {
      code: 'conflict',
      message: new RegExp(`process ${process.pid} `),
    });
    await first[Symbol.asyncDispose]();
    await (await lockOutput(folder))[Symbol.asyncDispose]();
  });

  test('of a process that was killed is taken over; so is one whose number another process has by now', async () => {
    const folder = await temporaryFolder();
    const child = spawn('sleep', ['60']);
    const { pid = 0 } = child;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const path = join(folder, 'labels.lock');
    const own: object = await (async () => {
      await using _ = await lockOutput(folder);
      return JSON.parse(await readFile(path, 'utf8')) as object;
    })();
    await writeFile(path, JSON.stringify({ ...own, pid, started: '1' }));
    await (await lockOutput(folder))[Symbol.asyncDispose]();
    await writeFile(path, JSON.stringify({ ...own, started: '1' }));
    await (await lockOutput(folder))[Symbol.asyncDispose]();
    await writeFile(path, '{"pid":');
    await (await lockOutput(folder))[Symbol.asyncDispose]();
  });
});
