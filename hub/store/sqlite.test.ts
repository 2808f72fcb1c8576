import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { hasCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { PLAN, started } from '../rollouts/fixtures.js';
import { RolloutLog } from '../rollouts/log/log.js';
import { start } from '../rollouts/step.js';
import { deviceEntry, MODEL, modelEntry } from '../testing/state.js';
import { holdDatabase, tamper } from '../testing/store.js';
import { testHub } from '../testing.js';
import { auditLog } from './audit.js';
import { storeContract } from './contract.js';
import { DATABASE_FILE, openStore } from './open.js';
import { openSettings, SETTINGS_FILE } from './settings.js';
import { SCHEMA } from './sql/migrations.js';
import { all } from './sql/queries.js';
import { Sqlite } from './sql/sqlite.js';

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
    message: new RegExp(`its schema is number \\d+, and this hub knows ${SCHEMA}: a newer hub wrote it`),
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

test('a database with any byte of its header flipped opens, or is refused with a code', async () => {
  const { folder } = await used();
  const path = join(folder, DATABASE_FILE);
  const whole = await readFile(path);
  // The last byte of the schema's format, among others: a number that SQLite does not know.
  for (let at = 0; at < 100; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = ~(whole[at] ?? 0) & 0xff;
    await writeFile(path, damaged);
    const refused: unknown = await Sqlite.open(path)
      .then(async (database) => {
        await database.rows(all('device')).finally(() => database.close());
        return null;
      })
      .catch((error: unknown) => error);
    assert.ok(
      refused === null || hasCode(refused, 'state_corrupt', 'state_unwritable'),
      `byte ${at}: ${refused}`,
    );
    if (at === 47) assert.ok(hasCode(refused, 'state_corrupt'));
  }
});

test('the first write after a start does not fail because somebody reads the database at that moment', async () => {
  const { folder } = await used();
  const path = join(folder, DATABASE_FILE);
  const store = await openStore(folder, now);
  const reader = await Sqlite.open(path);
  await reader.snapshot(async () => {
    await store.change(({ devices }) => void Object.assign(devices['pi-1'] ?? {}, { sequence: 1 }));
  });
  await reader.close();
  await store.close();
});

test('a start waits for who reads the database, and for who writes it; the loop goes on meanwhile', async (t) => {
  const { folder } = await used();
  const reader = await Sqlite.open(join(folder, DATABASE_FILE));
  const { resolve, promise: done } = deferred();
  const reading = reader.snapshot(() => done);
  setTimeout(resolve, 300);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const store = await openStore(folder, now);
  await reading;
  const release = await holdDatabase(folder);
  await assert.rejects(
    store.change(({ devices }) => void Object.assign(devices['pi-1'] ?? {}, { sequence: 1 })),
    { code: 'state_unwritable', message: /another program holds it/ },
  );
  delay.disable();
  t.diagnostic(`the loop was held for ${(delay.max / 1e6).toFixed(0)} ms at most`);
  assert.ok(delay.max < 500e6, `${delay.max / 1e6} ms`);
  await release();
  await store.change(({ devices }) => void Object.assign(devices['pi-1'] ?? {}, { sequence: 1 }));
  await store.close();
  await reader.close();
});
function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { resolve, promise };
}

test('an edit whose last part cannot be kept leaves nothing of its first part', async () => {
  const store = await openStore(await temporaryFolder(), now);
  const endless: Record<string, unknown> = {};
  endless['itself'] = endless;
  const outcomes = await Promise.allSettled([
    store.change((state) => {
      state.devices['pi-1'] = deviceEntry('pi-1', 'one');
      Object.assign(state, { evaluations: [endless] });
    }),
    store.change(({ devices }) => Object.keys(devices)),
  ]);
  assert.deepEqual(
    outcomes.map((one) => (one.status === 'fulfilled' ? one.value : one.reason instanceof RangeError)),
    [true, []],
  );
  assert.deepEqual(Object.keys(store.state.devices), []);
  await store.close();
});

test('an empty database where one had been is refused, and the log of writes beside it is not thrown away', async (t) => {
  const { running, folder } = await testHub(t);
  await running[Symbol.asyncDispose]();
  const path = join(folder, DATABASE_FILE);
  await writeFile(path, '');
  await writeFile(`${path}-wal`, 'the writes of yesterday');
  await assert.rejects(testHub(t, { folder }), {
    code: 'state_corrupt',
    message: /hub\.db is missing or empty/,
  });
  assert.equal((await stat(path)).size, 0);
  assert.equal(await readFile(`${path}-wal`, 'utf8'), 'the writes of yesterday');
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
  const usual = {
    certificateGraceDays: 30,
    rawReportDays: 30,
    rollupHourMonths: 13,
    rollupDayMonths: null,
    modelByTag: {},
    training: { datasets: null, keepFreeMiB: 512 },
  };
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
