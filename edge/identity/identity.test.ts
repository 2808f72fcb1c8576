import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import 'reflect-metadata';
import { PemConverter, X509CertificateGenerator } from '@peculiar/x509';
import { DeviceIdentity, type KeyPair } from './identity.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
async function newPair(): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=pi-1',
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return {
    key: PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    certificate: certificate.toString('pem'),
  };
}
const response = ({ certificate }: KeyPair) => ({
  device: 'pi-1',
  certificate,
  authority: 'a',
  mqtt: 'mqtts://127.0.0.1:1',
  root: '{}',
});
const corrupt = (error: unknown) => error instanceof AdbreakError && error.code === 'state_corrupt';

test('key and certificate are one file: whatever a power cut leaves of the next one, the old pair is whole', async () => {
  const folder = await temporaryFolder();
  const [first, second] = [await newPair(), await newPair()];
  const identity = await DeviceIdentity.create(folder, response(first), first.key);
  assert.deepEqual(await readdir(folder), ['identity.json']);
  // A power cut in the middle of writing the next generation leaves its beginning, under another name.
  const next = JSON.stringify({ ...response(second), key: second.key });
  for (const length of [0, 1, next.length >> 1, next.length]) {
    await writeFile(join(folder, '.identity.json.1.part'), next.slice(0, length));
    assert.deepEqual((await DeviceIdentity.open(folder))?.pairs, [first]);
  }
  await identity.renewed(second, first);
  assert.deepEqual((await DeviceIdentity.open(folder))?.pairs, [second, first]);
  assert.deepEqual(identity.pairs, [second, first], 'who holds the identity sees the new pair');
});

test('an answer whose certificate is not for the key changes nothing', async () => {
  const folder = await temporaryFolder();
  const [first, second] = [await newPair(), await newPair()];
  const identity = await DeviceIdentity.create(folder, response(first), first.key);
  await assert.rejects(
    identity.renewed({ key: second.key, certificate: first.certificate }, first),
    /the certificate is not for the key/,
  );
  await assert.rejects(identity.renewed({ key: second.key, certificate: 'none' }, first), /not PEM/);
  assert.deepEqual((await DeviceIdentity.open(folder))?.pairs, [first]);
});

test('the two files of an agent before renewals are read, and become one with the first renewal', async () => {
  const folder = await temporaryFolder();
  const [first, second] = [await newPair(), await newPair()];
  await writeFile(join(folder, 'identity.json'), JSON.stringify(response(first)));
  await assert.rejects(DeviceIdentity.open(folder), corrupt, 'without its key it is no identity');
  await writeFile(join(folder, 'device.key'), first.key);
  const identity = await DeviceIdentity.open(folder);
  assert.deepEqual(identity?.pairs, [first]);
  await identity?.renewed(second, first);
  assert.deepEqual(await readdir(folder), ['identity.json']);
  assert.deepEqual((await DeviceIdentity.open(folder))?.pairs, [second, first]);
});

test('a damaged identity is coded, and stays on the disk beside a new one', async () => {
  const folder = await temporaryFolder();
  assert.equal(await DeviceIdentity.open(folder), null);
  const pair = await newPair();
  for (const damaged of [
    '{',
    '{}',
    JSON.stringify({ ...response(pair), key: 'no key' }),
    JSON.stringify({ ...response(pair), key: (await newPair()).key }),
  ]) {
    await writeFile(join(folder, 'identity.json'), damaged);
    await assert.rejects(DeviceIdentity.open(folder), corrupt, damaged);
  }
  await DeviceIdentity.create(folder, response(pair), pair.key);
  assert.deepEqual((await DeviceIdentity.open(folder))?.pairs, [pair]);
  assert.match(await readFile(join(folder, 'identity.damaged.json'), 'utf8'), /"key"/);
});
