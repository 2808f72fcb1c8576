import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DeviceReply } from '@adbreak/shared/contract/device-commands.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { Commands, type Deeds } from './commands.js';
import { LogTail } from './log-tail.js';
import { Notebook } from './notebook.js';

/** The commands of a device over its real notebook; what it does is counted. */
const NOW = new Date('2026-01-01T12:00:00.000Z');
const ID = ['0b5c7c1e-0001', '0b5c7c1e-0002', '0b5c7c1e-0003'] as const;
const MEASURED = {
  model: { version: '1.0.0', digest: 'a'.repeat(64) },
  runtime: 'litert',
  inferences: 1,
  latency: [[3, 1]] as [number, number][],
  memoryMb: 1,
};

function message(command: string, { ms = 60_000, ...more }: { ms?: number; [field: string]: unknown } = {}) {
  const [sent, deadline] = [NOW.toISOString(), new Date(NOW.getTime() + ms).toISOString()];
  return Buffer.from(JSON.stringify({ command, sent, deadline, ...more }));
}

async function program(path: string, { deeds = {}, reloadFailed = null, offline = false }: Part = {}) {
  const done: string[] = [];
  const said: [id: string, reply: DeviceReply][] = [];
  const own: Deeds = {
    end: async (how) => void done.push(how),
    benchmark: async () => {
      done.push('benchmark');
      return MEASURED;
    },
    identify: async () => {
      done.push('identify');
      return ['page'];
    },
    ...deeds,
  };
  const commands = new Commands({
    notebook: await Notebook.open(path, () => undefined),
    deeds: own,
    tail: new LogTail(),
    agent: '0.1.0',
    reloadFailed,
    publish: async (id, reply) => {
      said.push([id, reply]);
      if (offline) await new Promise(() => undefined);
    },
    now: () => NOW,
    log: () => undefined,
  });
  await commands.begin();
  return { commands, done, said };
}
interface Part {
  readonly deeds?: Partial<Deeds>;
  readonly reloadFailed?: AdbreakError | null;
  readonly offline?: boolean;
}
const codeOf = (reply: DeviceReply | undefined) =>
  reply?.outcome === 'refused' ? reply.error.code : reply?.outcome;
const place = async () => join(await temporaryFolder(), 'commands');

test('a command that comes twice is done once, and its reply is said again; other content under its name is a conflict', async () => {
  const { commands, done, said } = await program(await place());
  commands.take(ID[0], message('benchmark', { seconds: 1 }));
  commands.take(ID[0], message('benchmark', { seconds: 1 }));
  await until('one reply', () => said.length === 1);
  await until('it is acknowledged, so it is said again when it is asked for', () => {
    commands.take(
      ID[0],
      Buffer.from(String(message('benchmark', { seconds: 1 })).replace('12:00:00', '12:00:01')),
    );
    return said.length >= 2;
  });
  assert.deepEqual(done, ['benchmark']);
  assert.deepEqual(said[1], said[0]);
  commands.take(ID[0], message('identify'));
  await until('a refusal', () => codeOf(said.at(-1)?.[1]) === 'conflict');
});

test('what was under way when the program ended is not begun anew: a restart is done, a measurement is interrupted', async () => {
  const path = await place();
  const hang = () => new Promise<never>(() => undefined);
  const first = await program(path, { deeds: { benchmark: hang } });
  first.commands.take(ID[0], message('benchmark'));
  await until('it is noted', async () => (await Notebook.open(path, () => undefined)).open.length === 1);
  // The power is cut.
  const second = await program(path);
  await until('its reply', () => second.said.length === 1);
  assert.equal(codeOf(second.said[0]?.[1]), 'command_interrupted');
  second.commands.take(ID[0], message('benchmark'));
  second.commands.take(ID[1], message('restart'));
  await until('it ends', () => second.done.length === 1);
  const third = await program(path);
  await until('the one that began says so', () => third.said.some(([id]) => id === ID[1]));
  assert.deepEqual([...second.done, ...third.done], ['restart']);
  assert.equal(codeOf(third.said.find(([id]) => id === ID[1])?.[1]), 'done');
});

test('what had not its turn before the end is not noted: it comes again, and is done then', async () => {
  const path = await place();
  const first = await program(path);
  first.commands.take(ID[0], message('restart'));
  first.commands.take(ID[1], message('benchmark'));
  await until('it ends', () => first.done.includes('restart'));
  await first.commands[Symbol.asyncDispose]();
  assert.deepEqual(first.done, ['restart']);
  const second = await program(path);
  second.commands.take(ID[1], message('benchmark'));
  await until('it is done', () => second.done.includes('benchmark'));
});

test('replies that the hub has not acknowledged go out after the next start, the others do not', async () => {
  const path = await place();
  const first = await program(path, { offline: true });
  first.commands.take(ID[0], message('benchmark'));
  await until('it tried', () => first.said.length === 1);
  const second = await program(path);
  await until('it goes out', () => second.said.length === 1);
  await until(
    'it is acknowledged',
    async () => (await Notebook.open(path, () => undefined)).unsent.length === 0,
  );
  assert.deepEqual((await program(path)).said, []);
});

test('a deadline is counted from the arrival, whatever the clock says; what waited too long is expired', async () => {
  let go = () => undefined as void;
  const busy = new Promise<void>((resolve) => {
    go = resolve;
  });
  const benchmark = async () => {
    await busy;
    return MEASURED;
  };
  const { commands, done, said } = await program(await place(), { deeds: { benchmark } });
  commands.take(ID[0], message('benchmark'));
  commands.take(ID[1], message('reload', { ms: 50 }));
  commands.take(ID[2], message('identify'));
  await until('identify waits for nobody', () => done.includes('identify'));
  await new Promise((resolve) => setTimeout(resolve, 80));
  go();
  await until('both replies', () => said.length === 3);
  assert.equal(codeOf(said.find(([id]) => id === ID[1])?.[1]), 'command_expired');
  assert.ok(!done.includes('reload'));
});

test('a configuration that does not work is what a reload says, though the agent goes on with the one before', async () => {
  const path = await place();
  const first = await program(path);
  first.commands.take(ID[0], message('reload'));
  await until('it ends', () => first.done.includes('reload'));
  const reloadFailed = new AdbreakError('conflict', 'Cannot open the status page');
  const second = await program(path, { reloadFailed });
  await until('its reply', () => second.said.length === 1);
  assert.equal(codeOf(second.said[0]?.[1]), 'conflict');
});

test('what is no command, or one of a later hub, is refused and not noted; a deed that throws is told with its code', async () => {
  const path = await place();
  const fail = async () => {
    throw new AdbreakError('inference_failed', 'Cannot infer');
  };
  const { commands, said } = await program(path, { deeds: { benchmark: fail } });
  commands.take(ID[0], Buffer.from('{'));
  commands.take(ID[1], message('dance'));
  commands.take(ID[2], message('benchmark'));
  await until('three replies', () => said.length === 3);
  assert.deepEqual(said.map(([, reply]) => codeOf(reply)).sort(), [
    'inference_failed',
    'input_invalid',
    'input_invalid',
  ]);
});

test('without a note nothing is done: a notebook that cannot be written refuses', async () => {
  const path = await place();
  const { commands, done, said } = await program(path);
  // A file stands where its folder should be.
  await writeFile(path, '');
  commands.take(ID[0], message('benchmark'));
  await until('a refusal', () => said.length === 1);
  assert.equal(said[0]?.[1].outcome, 'refused');
  assert.deepEqual(done, []);
});

const SAID = 'a'.repeat(64);
const note = (path: string, number: number) => join(path, `${String(number).padStart(12, '0')}.json`);

test('a page of the notebook that the card has damaged is set aside, and says so; the others are known', async () => {
  const path = await place();
  const lines: string[] = [];
  const before = await Notebook.open(path, (line) => lines.push(line));
  for (const id of ID) await before.begin(id, { command: 'identify' }, SAID);
  await writeFile(note(path, 2), '{"id":');
  const after = await Notebook.open(path, (line) => lines.push(line));
  assert.deepEqual(
    after.open.map(({ id }) => id),
    [ID[0], ID[2]],
  );
  assert.match(lines.join('\n'), /000002\.json\.damaged/);
});

test('what a command writes is its own page; a hundred are kept, and the oldest goes', async () => {
  const path = await place();
  const notebook = await Notebook.open(path, () => undefined);
  const id = (n: number) => `0b5c7c1e-${String(n).padStart(4, '0')}`;
  for (let n = 1; n <= 100; n++) await notebook.begin(id(n), { command: 'collect-logs' }, SAID);
  const pages = async () =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(path)).map(
          async (name): Promise<[string, string]> => [name, await readFile(join(path, name), 'utf8')],
        ),
      ),
    );
  const before = await pages();
  const at = NOW.toISOString();
  await notebook.answer(id(50), { outcome: 'done', at, command: 'identify', by: ['page'] });
  await notebook.acknowledge(id(50));
  const after = await pages();
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  assert.deepEqual(changed, ['000000000050.json']);
  await notebook.begin(id(101), { command: 'collect-logs' }, SAID);
  const names = (await readdir(path)).sort();
  assert.deepEqual([names.length, names[0], names.at(-1)], [100, '000000000002.json', '000000000101.json']);
  const again = await Notebook.open(path, () => undefined);
  assert.deepEqual(
    [again.open.length, again.find(id(1)), again.find(id(50))?.acknowledged],
    [99, undefined, true],
  );
});
