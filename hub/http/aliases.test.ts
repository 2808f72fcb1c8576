import assert from 'node:assert/strict';
import { test } from 'node:test';
import { models } from '@adbreak/shared/contract/http/models.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { callBy, callHub } from '../cli/client.js';
import { publish } from '../testing/chain.js';
import { runAt } from '../testing/command.js';
import { auditLines } from '../testing/store.js';
import { type TestHub, testHub } from '../testing.js';

const NAME = 'base-ad-detector';
const name = (hub: TestHub, alias: string, version: string | null, model = NAME) =>
  callBy(hub, models.alias, { params: { name: model, alias }, body: { version } });
const shown = (hub: TestHub, version: string) =>
  callBy(hub, models.showVersion, { params: { name: NAME, version } });

test('an alias stands for a version in every path, moves, goes, and stands in the audit log', async (t) => {
  const hub = await testHub(t);
  for (const version of ['1.0.0', '1.1.0']) await publish(hub, version, 1, { promote: false });
  await name(hub, 'evening', '1.0.0');
  assert.deepEqual((await shown(hub, 'evening')).aliases, ['evening']);
  const promoted = await callBy(hub, models.promote, {
    params: { name: NAME, version: 'evening' },
    body: {},
  });
  assert.deepEqual([promoted.version, promoted.production], ['1.0.0', '1.0.0']);
  await name(hub, 'evening', '1.1.0');
  assert.equal((await shown(hub, 'evening')).version, '1.1.0');
  assert.deepEqual((await shown(hub, '1.0.0')).aliases, []);
  assert.equal((await shown(hub, 'production')).version, '1.0.0', 'it moves nothing');
  const path = `/api/v1/models/${NAME}/versions/evening/download`;
  assert.deepEqual(await callHub(hub, path), Buffer.from(tinyRelease('1.1.0').file));
  await name(hub, 'evening', null);
  await assert.rejects(shown(hub, 'evening'), { code: 'not_found' });
  const lines = (await auditLines(hub.folder)).filter((line) => line.includes('"model.alias"'));
  assert.deepEqual(
    lines
      .map((line) => JSON.parse(line))
      .map(({ who, subject, before, after }) => [who, subject, before, after]),
    [
      ['token:first', `${NAME} evening`, undefined, '1.0.0'],
      ['token:first', `${NAME} evening`, '1.0.0', '1.1.0'],
      ['token:first', `${NAME} evening`, '1.1.0', null],
    ],
  );
});

test('an alias is no number, not `production`, no name that every object has, and of a version that is there', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  for (const alias of ['production', 'constructor', '1.0.0', 'Evening', 'x'.repeat(41), '-'])
    await assert.rejects(name(hub, alias, '1.0.0'), { code: 'input_invalid', message: /alias: / }, alias);
  await assert.rejects(name(hub, 'evening', '9.9.9'), { code: 'not_found' });
  await assert.rejects(name(hub, 'evening', '1.0.0', 'another'), { code: 'not_found' });
  for (let i = 0; i < 50; i++) await name(hub, `a${i}`, '1.0.0');
  await assert.rejects(name(hub, 'evening', '1.0.0'), { code: 'conflict', message: /has 50 aliases/ });
  await name(hub, 'a7', '1.0.0');
});

test('what people wrote of a version is shown with it, also after a restart', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  assert.equal((await shown(hub, '1.0.0')).notes, '');
  const body = { notes: '  trained on the autumn recordings\n' };
  await callBy(hub, models.note, { params: { name: NAME, version: 'production' }, body });
  await name(hub, 'evening', '1.0.0');
  await hub.running[Symbol.asyncDispose]();
  const again = { ...(await testHub(t, { folder: hub.folder })), token: hub.token };
  const { notes, aliases } = await shown(again, '1.0.0');
  assert.deepEqual([notes, aliases], ['trained on the autumn recordings', ['evening']]);
});

test('names and notes are given, shown and taken away from the command line', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const run = async (...args: string[]) => await runAt(hub, 'models', ...args);
  assert.equal((await run('alias', NAME, 'evening', '1.0.0')).out, `evening is ${NAME} 1.0.0\n`);
  assert.equal((await run('show', NAME)).out, '1.0.0  production  100 %  evening\n');
  assert.equal((await run('note', NAME, 'evening', 'a good one')).out, `${NAME} 1.0.0: a good one\n`);
  assert.equal((await run('show', NAME)).out, '1.0.0  production  100 %  evening\n  a good one\n');
  const { production, versions } = JSON.parse((await run('show', NAME, '--json')).out);
  assert.deepEqual(
    [production, versions[0].notes, versions[0].aliases],
    ['1.0.0', 'a good one', ['evening']],
  );
  assert.match((await run('alias', NAME, 'evening')).error, /either a version or --remove/);
  assert.equal(
    (await run('alias', NAME, 'evening', '--remove')).out,
    `evening names no version of ${NAME}\n`,
  );
  assert.equal((await run('show', NAME)).out, '1.0.0  production  100 %\n  a good one\n');
});
