import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AdbreakError, explainForPeople } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import 'reflect-metadata';
import { PemConverter, Pkcs10CertificateRequest, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { openIdentity } from './enrol.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A hub's door over TLS that issues for each request, and loses its first answers on the way. */
async function door(t: TestContext, lose: number) {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const extensions = [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])];
  const own = await X509CertificateGenerator.createSelfSigned({ name: 'CN=hub', keys, signingAlgorithm: ALGORITHM, extensions });
  const authority = own.toString('pem');
  const asked: string[] = [];
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  const server: Server = createServer({ key, cert: authority }, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const csr = new Pkcs10CertificateRequest(JSON.parse(body).csr);
    asked.push(Buffer.from(csr.publicKey.rawData).toString('hex'));
    // The claim is spent, the answer never arrives.
    if (asked.length <= lose) {
      request.socket.destroy();
      return;
    }
    const issued = await X509CertificateGenerator.create({
      subject: 'CN=pi-1',
      issuer: 'CN=hub',
      publicKey: csr.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
    });
    response.end(JSON.stringify({ device: 'pi-1', certificate: issued.toString('pem'), authority, mqtt: 'mqtts://127.0.0.1:1', root: '{}' }));
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => server.close());
  const folder = await temporaryFolder();
  const authorityPath = join(folder, 'ca.pem');
  await writeFile(authorityPath, authority);
  const address = server.address();
  const hub = `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return { asked, options: { device: 'pi-1', hub, authorityPath, token: 'adbreak_claim_0000000000', instance: 'i' } };
}
const lost = (error: unknown) => error instanceof AdbreakError && error.code === 'hub_unreachable';

test('an enrolment whose answer was lost is asked again with the same key, as the claim is spent on it; then nothing is left of it', async (t) => {
  const { asked, options } = await door(t, 2);
  const folder = await temporaryFolder();
  for (let attempt = 0; attempt < 2; attempt++)
    await assert.rejects(
      openIdentity(folder, options, () => undefined),
      lost,
    );
  assert.deepEqual(await readdir(folder), ['enrolment.key']);
  const identity = await openIdentity(folder, options, () => undefined);
  assert.equal(identity.device, 'pi-1');
  assert.equal(new Set(asked).size, 1, 'one key in three requests');
  assert.deepEqual(await readdir(folder), ['identity.json']);
});

test('half a key that a power cut left is no key: a new one is made', async (t) => {
  const { asked, options } = await door(t, 0);
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'enrolment.key'), '-----BEGIN PRIVATE KEY-----\nMIGH');
  await openIdentity(folder, options, () => undefined);
  assert.equal(asked.length, 1);
  assert.deepEqual(await readdir(folder), ['identity.json']);
});

test('a hub that is not there is said once, and one whose certificate has another name with what to do', async (t) => {
  const { options } = await door(t, 0);
  const said = async (hub: string) => {
    const error: unknown = await openIdentity(await temporaryFolder(), { ...options, hub }, () => undefined).catch((thrown: unknown) => thrown);
    assert.ok(lost(error), String(error));
    return explainForPeople(error);
  };
  assert.equal((await said('https://127.0.0.1:1')).match(/fetch failed/g)?.length, 1);
  const other = options.hub.replace('127.0.0.1', '127.0.0.2');
  assert.match(await said(other), /the hub's certificate is not for 127\.0\.0\.2 .*\n {2}what to do: Start the hub with `--name 127\.0\.0\.2`/);
});
