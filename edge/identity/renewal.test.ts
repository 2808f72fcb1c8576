import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ERROR_CODES, type ErrorCode } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import 'reflect-metadata';
import { PemConverter, Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { DeviceIdentity } from './identity.js';
import { Renewal } from './renewal.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Short enough that the pauses between tries are parts of a second. */
const LIFE_MS = 24_000;

/** A hub that renews nothing any more, and answers enrolments with these faults first. */
async function lostDevice(t: TestContext, faults: readonly ErrorCode[]) {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const extensions = [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])];
  const own = await X509CertificateGenerator.createSelfSigned({ name: 'CN=hub', keys, signingAlgorithm: ALGORITHM, extensions });
  const authority = own.toString('pem');
  const pem = async (key: webcrypto.CryptoKey) => PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
  const issue = async (publicKey: webcrypto.CryptoKey | Pkcs10CertificateRequest['publicKey']) => {
    const [notBefore, notAfter] = [new Date(), new Date(Date.now() + LIFE_MS)];
    const signed = { subject: 'CN=pi-1', issuer: 'CN=hub', publicKey, signingKey: keys.privateKey, signingAlgorithm: ALGORITHM, notBefore, notAfter };
    const certificate = (await X509CertificateGenerator.create(signed)).toString('pem');
    return { device: 'pi-1', certificate, authority, mqtt: 'mqtts://127.0.0.1:1', root: '{}' };
  };
  const left = [...faults];
  let enrolments = 0;
  const server = createServer({ key: await pem(keys.privateKey), cert: authority }, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const fault = request.url === '/agent/renew' ? 'identity_expired' : left.shift();
    if (request.url !== '/agent/renew') enrolments += 1;
    if (fault !== undefined) return response.writeHead(ERROR_CODES[fault].status).end(JSON.stringify({ error: fault, message: 'no' }));
    return response.end(JSON.stringify(await issue(new Pkcs10CertificateRequest(JSON.parse(body).csr).publicKey)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  const hub = `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const folder = await temporaryFolder();
  const authorityPath = join(folder, 'ca.pem');
  await writeFile(authorityPath, authority);
  const mine = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const identity = await DeviceIdentity.create(folder, await issue(mine.publicKey), await pem(mine.privateKey));
  const seen = { renewed: 0, faults: [] as string[], log: [] as string[] };
  const start = () => {
    const renewal = new Renewal({
      device: 'pi-1',
      hub,
      authorityPath,
      token: 'adbreak_claim_0000000000',
      instance: 'i',
      identity,
      onRenewed: () => {
        seen.renewed += 1;
      },
      onFault: ({ code, cause }) => seen.faults.push(cause instanceof Error && 'code' in cause ? `${code}: ${cause.code}` : code),
      log: (line) => seen.log.push(line),
      uniform: () => 0,
    });
    t.after(() => renewal[Symbol.asyncDispose]());
    renewal.hurry();
  };
  return { folder, seen, start, enrolments: () => enrolments };
}

test("a hub's passing faults leave the claim token untried", async (t) => {
  const { seen, start } = await lostDevice(t, ['disk_full', 'internal', 'too_many_requests']);
  start();
  await until('it is enrolled anew', () => seen.renewed === 1);
  assert.deepEqual(seen.faults, ['disk_full', 'internal', 'too_many_requests']);
});

test('a card that does not take the new certificate leaves the claim token untried', async (t) => {
  const { folder, seen, start } = await lostDevice(t, []);
  // Nothing can be written where a folder is.
  const inTheWay = join(folder, `.identity.json.${process.pid}.part`);
  await mkdir(inTheWay);
  start();
  await until('it was not written', () => seen.log.some((line) => line.includes('trying again')));
  await rmdir(inTheWay);
  await until('it is enrolled anew', () => seen.renewed === 1);
});

test('a token that the hub has refused is not tried again', async (t) => {
  const { seen, start, enrolments } = await lostDevice(t, ['token_used']);
  start();
  await until('three tries', () => seen.faults.length === 3);
  assert.deepEqual([seen.faults, enrolments()], [['identity_expired: token_used', 'identity_expired', 'identity_expired'], 1]);
});
