import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { openStore } from '../store/open.js';
import { signingRequest } from '../testing/enrol.js';
import { Authority, fingerprint } from './authority.js';
import { DeviceCertificates } from './device-certificates.js';
import { OperatorCertificates } from './operator-certificates.js';
import { subjectOf } from './subject.js';

/** Operators over a real authority and a real store, with a clock of the test's. */
const START = Date.parse('2026-01-01T00:00:00.000Z');
const DAY = 24 * 3_600_000;

async function office() {
  let now = new Date(START);
  const clock = () => now;
  const authority = await Authority.open(await temporaryFolder(), now);
  const store = await openStore(await temporaryFolder(), clock);
  const ended: string[] = [];
  const operators = new OperatorCertificates({
    store,
    authority,
    now: clock,
    disconnect: (name) => ended.push(name),
  });
  const make = async (name: string, days = 365, role: 'viewer' | 'operator' = 'operator') => {
    const { csr } = await signingRequest();
    const certificate = await operators.issue(name, { csr, role, days }, 'token:first');
    return { certificate, print: fingerprint(certificate) };
  };
  const standing = (name: string, print: string) => {
    const who = operators.personOf(name, print);
    return who instanceof AdbreakError ? who.code : who.role;
  };
  const at = (milliseconds: number) => {
    now = new Date(START + milliseconds);
  };
  return { authority, store, operators, ended, make, standing, at, clock };
}

test('an operator’s certificate is one by its subject, and passes nowhere for that of a device of its name', async () => {
  const { authority, store, make, clock } = await office();
  const { certificate } = await make('desk');
  const read = new X509Certificate(certificate);
  assert.ok(authority.issued(read));
  assert.deepEqual(subjectOf(read.subject), { kind: 'operator', name: 'desk' });
  const devices = new DeviceCertificates({ store, authority, grace: DAY, now: clock, log: () => undefined });
  assert.throws(() => devices.identify(read.raw), { code: 'unauthorized' });
});

test('certificates of one name stand beside each other under one role, each until its own end', async () => {
  const { make, standing, at, operators } = await office();
  const [short, long] = [await make('desk', 1), await make('desk', 365)];
  assert.deepEqual([standing('desk', short.print), standing('desk', long.print)], ['operator', 'operator']);
  await assert.rejects(make('desk', 1, 'viewer'), { code: 'conflict' });
  await operators.setRole('desk', 'viewer', 'token:first');
  assert.equal(standing('desk', long.print), 'viewer');
  at(DAY);
  assert.deepEqual(
    [standing('desk', short.print), standing('desk', long.print), standing('other', long.print)],
    ['identity_expired', 'viewer', 'unauthorized'],
  );
});

test('revocation ends all certificates of a name and its sessions; the next one opens again', async () => {
  const { make, standing, at, operators, ended } = await office();
  const first = await make('desk');
  const revoked = await operators.revoke('desk', 'token:first');
  at(DAY);
  const second = await make('desk');
  assert.deepEqual(
    [standing('desk', first.print), standing('desk', second.print)],
    ['identity_revoked', 'operator'],
  );
  const again = await operators.revoke('desk', 'token:first');
  assert.equal(again.certificates[0]?.revoked, revoked.certificates[0]?.revoked, 'since the first time');
  assert.deepEqual(ended, ['desk', 'desk']);
  await assert.rejects(operators.revoke('other', 'token:first'), { code: 'not_found' });
});

test('an operator has eight good certificates at most; those that open nothing make room', async () => {
  const { make, operators, standing } = await office();
  const all = [];
  for (let made = 0; made < 8; made++) all.push(await make('desk'));
  await assert.rejects(make('desk'), { code: 'conflict', message: /it has 8 that are good/ });
  await operators.revoke('desk', 'token:first');
  const next = await make('desk');
  assert.equal(standing('desk', next.print), 'operator');
  assert.equal(operators.all[0]?.certificates.length, 8);
  assert.equal(standing('desk', all[0]?.print ?? ''), 'unauthorized', 'the oldest is forgotten');
});

test('where revocation cannot be written down the sessions end all the same, and the certificate opens nothing', async () => {
  const { store, make, standing, operators, ended } = await office();
  const { print } = await make('desk');
  await store.close();
  await assert.rejects(operators.revoke('desk', 'token:first'));
  assert.deepEqual([standing('desk', print), ended], ['identity_revoked', ['desk']]);
});
