import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import { RolloutLog } from '../rollouts/log/log.js';
import { start } from '../rollouts/step.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { tamper } from '../testing/store.js';
import { auditLog } from './audit.js';
import { storeContract } from './contract.js';
import { DATABASE_FILE, openStore } from './open.js';
import { openSettings, SETTINGS_FILE } from './settings.js';

const now = () => new Date('2026-01-01T00:00:00.000Z');

storeContract('SQLite', async () => {
  const folder = await temporaryFolder();
  return { open: (wrap) => openStore(folder, now, { ...(wrap && { wrap }) }) };
});

/** A folder with a device, a model and a rollout of two events. */
async function used(): Promise<{ readonly folder: string; readonly id: string }> {
  const folder = await temporaryFolder();
  const store = await openStore(folder, now);
  const event = started(PLAN);
  await store.change((state, writing) => {
    state.devices['pi-1'] = deviceEntry('pi-1', 'one');
    state.models[MODEL] = modelEntry('1.0.0', ['1.0.0', '2.0.0']);
    const seen = writing.event(event.rollout.id, event);
    state.rollouts.push({ ...start(event), seen });
    for (const minute of [1, 2, 3])
      writing.event(event.rollout.id, { kind: 'tick', at: `2026-01-01T00:0${minute}:00.000Z`, siblings: [] });
  });
  await store.close();
  return { folder, id: event.rollout.id };
}

test('a database of a newer hub is refused, and nothing of it is touched', async () => {
  const { folder } = await used();
  await tamper(folder, "insert into migration values (99, 'of tomorrow', '2030-01-01')");
  const before = await readFile(join(folder, DATABASE_FILE));
  await assert.rejects(openStore(folder, now), {
    code: 'conflict',
    message: /its schema is number \d+, and this hub knows 2: a newer hub wrote it/,
  });
  assert.deepEqual(await readFile(join(folder, DATABASE_FILE)), before);
});

test('a damaged database is state_corrupt with a remedy, and nothing is written over it', async () => {
  const { folder } = await used();
  const path = join(folder, DATABASE_FILE);
  const whole = await readFile(path);
  const holes = Buffer.from(whole);
  holes.fill(0x5a, 4096 * 3, 4096 * 5);
  for (const damaged of [
    Buffer.from('no database at all, but a text that is long enough'),
    whole.subarray(0, whole.length / 2),
    holes,
  ]) {
    await writeFile(path, damaged);
    await assert.rejects(openStore(folder, now), {
      code: 'state_corrupt',
      message: /hub\.db/,
      remedy: /backup/,
    });
    assert.deepEqual(await readFile(path), damaged);
  }
});

test('a row that fits no schema is state_corrupt, by its table and its key', async () => {
  const { folder } = await used();
  await tamper(folder, `update device set body = replace(body, '"revoked":false', '"revoked":"perhaps"')`);
  await assert.rejects(openStore(folder, now), {
    code: 'state_corrupt',
    message: /device pi-1 of .*hub\.db.*revoked/,
  });
});

test('the database is for its owner alone, with the files beside it', async () => {
  const folder = await temporaryFolder();
  const store = await openStore(folder, now);
  for (const name of [DATABASE_FILE, `${DATABASE_FILE}-wal`])
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  await store.close();
});

test('finding 7: an event of the log that was changed, deleted, inserted or cut off is found, by its number', async () => {
  for (const [sql, words] of [
    [
      "update event set body = replace(body, '00:02:00', '00:02:01') where number = 3",
      /event 3 .*was changed/,
    ],
    [
      'delete from event where number = 3',
      /event 4 .*stands where number 3 was written: one was deleted or inserted/,
    ],
    ['delete from event where number = 4', /it ends at event 3, and 4 were written/],
    ["update event set body = replace(body, '2.0.0', '2.0.1')", /event 1 .*was changed/],
    [
      'insert into event (rollout, number, at, kind, body, previous, hash) select rollout, 5, at, kind, body, hash, hash from event where number = 4',
      /event 5 .*was changed/,
    ],
  ] as const) {
    const { folder, id } = await used();
    await tamper(folder, sql);
    // What came after the rollout's last decision is read at every start; what came before it when somebody looks.
    const read = async () => {
      const store = await openStore(folder, now);
      try {
        for await (const _ of new RolloutLog(store).read(id));
      } finally {
        await store.close();
      }
    };
    await assert.rejects(read(), { code: 'state_corrupt', message: words }, sql);
  }
});

test('finding 7: an audit entry that was changed, deleted or cut off is found, by its number', async () => {
  const lines = async (folder: string) => {
    const read: string[] = [];
    for await (const line of auditLog(folder)) read.push(line);
    return read;
  };
  for (const [sql, words] of [
    ["update audit set body = replace(body, 'ada', 'bob') where number = 2", /entry 2 was changed/],
    ['delete from audit where number = 2', /entry 3 stands where number 2 was written/],
    ['delete from audit where number = 3', /it ends at entry 2, and 3 were written/],
  ] as const) {
    const folder = await temporaryFolder();
    const store = await openStore(folder, now);
    for (const subject of ['a', 'b', 'c'])
      await store.change(() => undefined, { who: 'token:ada', what: 'device.tag', subject });
    assert.equal((await lines(folder)).length, 3, 'while it is open');
    await store.close();
    await tamper(folder, sql);
    await assert.rejects(lines(folder), { code: 'state_corrupt', message: words }, sql);
  }
  await assert.rejects(lines(await temporaryFolder()), { code: 'not_found' });
});

test('the settings are written with what is usual, read again, and refused by name where they are wrong', async () => {
  const folder = await temporaryFolder();
  const usual = { certificateGraceDays: 30, rawReportDays: 30, rollupHourMonths: 13, rollupDayMonths: null };
  assert.deepEqual(await openSettings(folder), usual);
  const path = join(folder, SETTINGS_FILE);
  assert.equal(await readFile(path, 'utf8'), `${JSON.stringify(usual, null, 2)}\n`);
  await writeFile(path, '{"rawReportDays": 7}');
  assert.deepEqual(await openSettings(folder), { ...usual, rawReportDays: 7 });
  await writeFile(path, '{"rawReportDays": "long"}');
  await assert.rejects(openSettings(folder), {
    code: 'input_invalid',
    message: /settings\.json: rawReportDays/,
  });
});
