import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { RolloutEvent } from '../rollouts/events.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import { RolloutLog } from '../rollouts/log/log.js';
import { replay } from '../rollouts/log/replay.js';
import { start } from '../rollouts/step.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { auditLog } from './audit.js';
import { openStore } from './open.js';
import type { Database } from './sql/database.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

test('a state of 0.1.0 is taken over: devices, models and tokens stay, its rollouts end, the old file is kept', async () => {
  const folder = await temporaryFolder();
  const token = { id: 'first', hash: 'a'.repeat(64), role: 'admin', created: now().toISOString() };
  const old = JSON.stringify({
    schema: 1,
    claims: [],
    tokens: [token],
    devices: {},
    models: {},
    rollouts: [{ id: 'r', plan: { minMinutes: 1 } }],
  });
  await writeFile(join(folder, 'hub.json'), old);
  const store = await openStore(folder, now);
  assert.deepEqual([store.state.tokens[0]?.id, store.state.rollouts.length], ['first', 0]);
  assert.equal(await readFile(join(folder, 'hub.json.before'), 'utf8'), old);
  await store.close();
  assert.equal((await openStore(folder, now)).state.tokens.length, 1);
});

test('what an older hub wrote after the takeover is refused, and neither it nor the first backup is touched', async () => {
  const folder = await temporaryFolder();
  const old = (id: string) =>
    JSON.stringify({
      schema: 3,
      claims: [],
      tokens: [{ id, hash: 'a'.repeat(64), role: 'admin', created: now().toISOString() }],
      devices: {},
      models: {},
      rollouts: [],
      evaluations: [],
      hours: {},
    });
  await writeFile(join(folder, 'hub.json'), old('first'));
  await (await openStore(folder, now)).close();
  await writeFile(join(folder, 'hub.json'), old('second'));
  await mkdir(join(folder, 'rollouts'));
  await assert.rejects(openStore(folder, now), {
    code: 'conflict',
    message: /hub\.json was taken over before/,
  });
  assert.equal(await readFile(join(folder, 'hub.json'), 'utf8'), old('second'));
  assert.equal(await readFile(join(folder, 'hub.json.before'), 'utf8'), old('first'));
});

test('a state with rollouts of the first gate is taken over: they end, their logs stay, everything else is kept', async () => {
  const folder = await temporaryFolder();
  const desired = {
    revision: 7,
    model: MODEL,
    production: { version: '1.0.0', digest: '1'.repeat(64) },
    candidate: null,
    serve: 'production',
    rollout: null,
    labelRate: 1,
  };
  const { exceptions: _, ...entry } = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
  const old = {
    schema: 2,
    claims: [],
    tokens: [],
    devices: { 'pi-0': deviceEntry('pi-0', 'one', { sequence: 41 }) },
    models: { [MODEL]: entry },
    rollouts: [
      {
        id: 'r',
        status: 'running',
        plan: { name: 'demo', maxSilent: 0.5 },
        evidence: { devices: {}, slices: {} },
      },
    ],
    evaluations: [],
    hours: {},
  };
  Object.assign(old.devices['pi-0'], { desired });
  const log = join(folder, 'rollouts', 'r.jsonl');
  await mkdir(join(folder, 'rollouts'));
  await writeFile(log, '{"kind":"started"}\n');
  await writeFile(join(folder, 'hub.json'), JSON.stringify(old));
  const { state } = await openStore(folder, now);
  assert.deepEqual(state.rollouts, []);
  assert.deepEqual([state.devices['pi-0']?.sequence, state.devices['pi-0']?.desired?.revision], [41, 7]);
  assert.deepEqual([state.models[MODEL]?.production, state.models[MODEL]?.exceptions], ['1.0.0', {}]);
  assert.equal(await readFile(join(folder, 'rollouts.before', 'r.jsonl'), 'utf8'), '{"kind":"started"}\n');
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'hub.json.before'), 'utf8')), old);
});

/** As hub 0.2 left a rollout: the document has seen its start, the log holds a decision more, and the record of that was cut. */
async function ofTwo(folder: string): Promise<{ readonly id: string; readonly audit: readonly string[] }> {
  const begin = started(PLAN);
  const { id } = begin.rollout;
  const order: RolloutEvent = { kind: 'order', at: begin.at, who: 'test', order: 'force', reason: 'go' };
  const lines = [begin, order].map((event) => `${JSON.stringify(event)}\n`);
  const rollout = { ...start(begin), seen: Buffer.byteLength(lines[0] ?? ''), pending: ['start-round'] };
  const state = {
    schema: 3,
    claims: [],
    tokens: [],
    devices: {},
    models: { [MODEL]: modelEntry('1.0.0', ['1.0.0', '2.0.0']) },
    evaluations: [],
    hours: {},
  };
  const audit = [1, 2, 3].map((n) =>
    JSON.stringify({ at: now().toISOString(), who: 'hub', what: 'token.create', subject: `t${n}` }),
  );
  await mkdir(join(folder, 'rollouts'));
  await writeFile(join(folder, 'rollouts', `${id}.jsonl`), `${lines.join('')}{"kind":"deci`);
  await writeFile(join(folder, 'audit.jsonl'), `${audit.join('\n')}\n{"at":`);
  await writeFile(join(folder, 'hub.json'), JSON.stringify({ ...state, rollouts: [rollout] }));
  return { id, audit };
}

test('rollouts, their logs and the audit log are taken over; what the log knew better than the state is not lost', async () => {
  const folder = await temporaryFolder();
  const { id, audit } = await ofTwo(folder);
  const said: string[] = [];
  const store = await openStore(folder, now, { say: (line) => said.push(line) });
  const [rollout] = store.state.rollouts;
  assert.deepEqual([rollout?.stage, rollout?.last?.action, rollout?.seen], [1, 'forced to canary', 3]);
  const replayed = await replay(new RolloutLog(store).read(id), null);
  assert.deepEqual(
    [replayed.firstDifference, replayed.decisions.length, replayed.recorded.length],
    [null, 1, 1],
  );
  assert.deepEqual(
    Object.values(store.state.outbox).map(({ kind }) => kind),
    ['assign', 'start-round'],
  );
  const lines: string[] = [];
  for await (const { body } of store.audited()) lines.push(body);
  assert.deepEqual(lines, audit);
  assert.match(said.join('\n'), /the old files stay beside it as \*\.before/);
  assert.deepEqual((await readdir(folder)).filter((name) => name.endsWith('.before')).toSorted(), [
    'audit.jsonl.before',
    'hub.json.before',
    'rollouts.before',
  ]);
});

test('NUL bytes in an old audit log, as a power cut leaves them, break no chain: what stood beside them is read again', async () => {
  const folder = await temporaryFolder();
  const { audit } = await ofTwo(folder);
  await writeFile(join(folder, 'audit.jsonl'), `${audit[0]}\n${'\0'.repeat(5000)}{"at":"torn\n${audit[1]}\n`);
  const store = await openStore(folder, now);
  await store.change(() => undefined, { who: 'test', what: 'thing.change', subject: 'x' });
  await store.close();
  const lines: string[] = [];
  for await (const line of auditLog(folder)) lines.push(line);
  assert.deepEqual(lines.slice(0, 3), [audit[0], '(5000 bytes 0){"at":"torn', audit[1]]);
  assert.equal(lines.length, 4);
});

test('a takeover that fails or is killed leaves the old files, and nothing half of it; the next start does it', async () => {
  const folder = await temporaryFolder();
  await ofTwo(folder);
  const failing = (database: Database): Database => ({
    name: database.name,
    transact: async (statements) => {
      if (Symbol.asyncIterator in statements)
        return database.transact(
          (async function* () {
            let left = 9;
            for await (const one of statements) {
              if (left-- === 0) throw new Error('killed');
              yield one;
            }
          })(),
        );
      return database.transact(statements);
    },
    rows: (statement) => database.rows(statement),
    snapshot: (work) => database.snapshot(work),
    close: () => database.close(),
  });
  await assert.rejects(openStore(folder, now, { wrap: failing }), /killed/);
  assert.ok((await readdir(folder)).includes('hub.json'));
  // Killed after the commit and before the renames.
  const store = await openStore(folder, now);
  await store.close();
  await rename(join(folder, 'hub.json.before'), join(folder, 'hub.json'));
  const again = await openStore(folder, now);
  assert.equal(again.state.rollouts.length, 1);
  assert.ok((await readdir(folder)).includes('hub.json.before'));
});

test('a document that fits no schema is refused and not overwritten, and there is no new state', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'hub.json'), '{"schema":3,"claims":[]}');
  for (let starts = 0; starts < 2; starts++)
    await assert.rejects(openStore(folder, now), { code: 'state_corrupt', message: /hub\.json/ });
  assert.equal(await readFile(join(folder, 'hub.json'), 'utf8'), '{"schema":3,"claims":[]}');
});
