import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { publish } from '../testing/chain.js';
import { runAt } from '../testing/command.js';
import { signingRequest } from '../testing/enrol.js';
import { TestOperator } from '../testing/operator.js';
import { testHub } from '../testing.js';

test('the key is made here for its owner alone, the certificate opens the hub, and nothing is written over', async (t) => {
  const hub = await testHub(t);
  await publish(hub, '1.0.0');
  const folder = await temporaryFolder();
  const make = (...more: string[]) =>
    runAt(hub, 'operators', 'certificate', 'desk', '--role', 'viewer', '--output', folder, ...more);
  const made = await make();
  assert.equal(made.code, 0, made.error);
  assert.match(made.out, /desk\.key, .*desk\.pem: desk is viewer over MQTT, as client operator:desk/);
  const [key, certificate, authority] = await Promise.all(
    ['desk.key', 'desk.pem', 'ca.pem'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  assert.equal((await stat(join(folder, 'desk.key'))).mode & 0o777, 0o600);
  assert.equal(authority, hub.authority);
  const pair = { name: 'desk', key: key ?? '', certificate: certificate ?? '' };
  const desk = await TestOperator.connect(t, hub, pair);
  const reply = await desk.ask({ command: 'status', model: 'base-ad-detector' });
  assert.equal(reply.outcome, 'done');
  const again = await make();
  assert.equal(again.code, 1);
  assert.match(again.error, /error conflict: Cannot write .*desk\.key: it is there already/);
  assert.equal(await readFile(join(folder, 'desk.key'), 'utf8'), key);
});

test('with a signing request no key is written; the list says until when, a role changes, and revoked is revoked', async (t) => {
  const hub = await testHub(t);
  const folder = await temporaryFolder();
  const { csr } = await signingRequest();
  await writeFile(join(folder, 'own.csr'), csr);
  const own = ['--csr', join(folder, 'own.csr'), '--output', folder, '--days', '30'];
  const made = await runAt(hub, 'operators', 'certificate', 'desk', '--role', 'viewer', ...own);
  assert.equal(made.code, 0, made.error);
  await assert.rejects(stat(join(folder, 'desk.key')), { code: 'ENOENT' });
  assert.match((await runAt(hub, 'operators', 'role', 'desk', 'operator')).out, /^desk {2}operator {2}/);
  assert.match((await runAt(hub, 'operators', 'list')).out, /^desk {2}operator {2}[0-9a-f]{12} until \d{4}-/);
  assert.match((await runAt(hub, 'operators', 'revoke', 'desk')).out, /[0-9a-f]{12} revoked \d{4}-/);
  const wrong = await runAt(
    hub,
    'operators',
    'certificate',
    'constructor',
    '--role',
    'viewer',
    '--output',
    folder,
  );
  assert.match(wrong.error, /error input_invalid: Cannot accept the path: name: must be lower-case/);
});
