import assert from 'node:assert/strict';
import { webcrypto, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastThird, validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { signingRequest } from '../testing/enrol.js';
import { Authority } from './authority.js';
import { ServerCertificate } from './server-certificate.js';
import * as x509 from './x509.js';

const DAY = 24 * 3_600_000;
const NOW = new Date('2026-06-01T12:00:00Z');
const later = (days: number) => new Date(NOW.getTime() + days * DAY);
const coded = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

test('keys of other kinds and sizes are refused with a code; P-256 and P-384 are signed', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  for (const curve of ['prime256v1', 'secp384r1']) {
    const certificate = new X509Certificate(
      await authority.issueDevice('pi-1', (await signingRequest(['ec', curve])).csr, NOW),
    );
    assert.equal(certificate.subject, 'CN=pi-1', 'the name is ours, whatever the request says');
    assert.ok(authority.issued(certificate));
  }
  const refused = [
    [['rsa', '1024'], /it is rsa 1024/],
    [['rsa', '2048'], /it is rsa 2048/],
    [['ec', 'secp521r1'], /it is ec secp521r1/],
    [['ec', 'secp256k1'], /it is ec secp256k1/],
    [['ec', 'prime192v1'], /it is ec prime192v1/],
    [['ed25519'], /it is ed25519/],
  ] as const;
  for (const [kind, words] of refused)
    await assert.rejects(
      authority.issueDevice('pi-1', (await signingRequest(kind)).csr, NOW),
      coded('input_invalid', words),
    );
  for (const nonsense of [
    '',
    'MIIB',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
  ])
    await assert.rejects(
      authority.issueDevice('pi-1', nonsense, NOW),
      coded('input_invalid', /not PKCS#10 PEM/),
    );
});

test('an authority whose key file is of another kind or size is not opened', async () => {
  const folder = await temporaryFolder();
  await Authority.open(folder, NOW);
  for (const [kind, words] of [
    [['rsa', '2048'], /ca\.key must be EC P-256: it is rsa 2048/],
    [['ec', 'secp384r1'], /it is ec secp384r1/],
    [['ed25519'], /it is ed25519$/],
  ] as const) {
    await writeFile(join(folder, 'ca.key'), (await signingRequest(kind)).key);
    await assert.rejects(Authority.open(folder, NOW), coded('state_corrupt', words));
  }
});

test('a request that is not signed by its own key is refused', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  const { csr } = await signingRequest();
  const der = Buffer.from(x509.PemConverter.decodeFirst(csr));
  // The last byte of the signature's s.
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  await assert.rejects(
    authority.issueDevice('pi-1', x509.PemConverter.encode(der, 'CERTIFICATE REQUEST'), NOW),
    coded('input_invalid', /not signed by its own key/),
  );
});

test('certificates begin a day early for slow clocks, and a renewal never ends before the one it follows', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  const { csr } = await signingRequest();
  const first = validityOf(await authority.issueDevice('pi-1', csr, later(60)));
  assert.deepEqual(first, { from: later(59).getTime(), to: later(150).getTime() });
  // The hub's clock goes back two months in between.
  const second = validityOf(await authority.issueDevice('pi-1', csr, NOW, first.to));
  assert.deepEqual(second, { from: later(-1).getTime(), to: first.to });
});

test('a clock before the authority began gives no certificate to a device, and is told', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  const { csr } = await signingRequest();
  await assert.rejects(
    authority.issueDevice('pi-1', csr, new Date(0)),
    coded('conflict', /the hub's clock says 1970/),
  );
  assert.match(authority.warning(new Date(0)) ?? '', /clock of this hub says 1970/);
});

test('the authority’s own end is told every day from a year before', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  assert.equal(authority.warning(NOW), null);
  assert.equal(authority.warning(later(3650 - 366)), null);
  assert.match(authority.warning(later(3650 - 365)) ?? '', /ENDS on 2036-05-29, in 365 days/);
  assert.match(authority.warning(later(3650)) ?? '', /ENDED on 2036-05-29/);
});

test('the hub’s own certificate is another one from its last third on, and when the clock stands before it', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  const server = await ServerCertificate.issue(authority, ['hub.example'], NOW);
  const first = server.current;
  const due = new Date(lastThird(validityOf(first.certificate)));
  assert.equal(await server.renew(new Date(due.getTime() - 1)), null);
  const second = await server.renew(due);
  assert.ok(second !== null && second.key !== first.key && second === server.current);
  assert.match(new X509Certificate(second.certificate).subjectAltName ?? '', /DNS:hub\.example/);
  assert.equal(await server.renew(due), null);
  assert.notEqual(
    await server.renew(NOW),
    null,
    'the clock was set back: who connects now would see a certificate of the future',
  );
  assert.equal(validityOf(server.current.certificate).to, later(365).getTime());
});

test('webcrypto and OpenSSL agree on the key that was signed', async () => {
  const authority = await Authority.open(await temporaryFolder(), NOW);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, [
    'sign',
    'verify',
  ]);
  const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-384' };
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=somebody-else',
    keys,
    signingAlgorithm,
  });
  const certificate = new X509Certificate(await authority.issueDevice('pi-1', csr.toString('pem'), NOW));
  const spki = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  assert.deepEqual(certificate.publicKey.export({ format: 'der', type: 'spki' }), spki);
});
