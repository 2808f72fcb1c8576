import { X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import * as x509 from './x509.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 24 * 3600 * 1000;
/** A device renews in its last third. */
const DEVICE_DAYS = 90;
const AUTHORITY_DAYS = 3650;
/** A Pi without a clock battery may be behind: certificates begin a day ago. */
const CLOCK_SLACK = DAY;

export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** The fleet's certificate authority: an ECDSA P-256 root kept in the hub's folder, readable by its owner alone. */
export class Authority {
  readonly certificate: string;
  readonly #signer: webcrypto.CryptoKey;
  readonly #issuer: string;

  private constructor(certificate: string, signer: webcrypto.CryptoKey) {
    this.certificate = certificate;
    this.#signer = signer;
    this.#issuer = new x509.X509Certificate(certificate).subject;
  }

  /** Opens the authority in `folder`, or makes one on first use. */
  static async open(folder: string, now: Date): Promise<Authority> {
    const paths = { key: join(folder, 'ca.key'), certificate: join(folder, 'ca.pem') };
    const [key, certificate] = await Promise.all([readLimited(paths.key, 16_384), readLimited(paths.certificate, 16_384)]);
    if (key !== undefined && certificate !== undefined) return new Authority(Buffer.from(certificate).toString(), await importKey(Buffer.from(key).toString()));
    if (key !== undefined || certificate !== undefined)
      throw new AdbreakError('state_corrupt', `Cannot open the certificate authority: one of ${paths.key} and ${paths.certificate} is missing`);
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: 'CN=Adbreak fleet authority',
      notBefore: new Date(now.getTime() - CLOCK_SLACK),
      notAfter: new Date(now.getTime() + AUTHORITY_DAYS * DAY),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    await writeAtomic(paths.key, await exportKey(keys.privateKey), { mode: 0o600 });
    await writeAtomic(paths.certificate, root.toString('pem'));
    return new Authority(root.toString('pem'), keys.privateKey);
  }

  /** A key and certificate for the hub's own servers. */
  async issueServer(names: readonly string[], now: Date): Promise<KeyAndCertificate> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const all = [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...names])];
    const alternative = all.map((name) => ({ type: /^[\d.]+$|:/.test(name) ? ('ip' as const) : ('dns' as const), value: name }));
    const certificate = await this.#issue('CN=Adbreak hub', keys.publicKey, now, 365, [
      new x509.SubjectAlternativeNameExtension(alternative),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ]);
    return { key: await exportKey(keys.privateKey), certificate };
  }

  /** A client certificate from a device's signing request. The name in it is ours, whatever the request says. */
  async issueDevice(device: string, csr: string, now: Date): Promise<string> {
    let request: x509.Pkcs10CertificateRequest;
    try {
      request = new x509.Pkcs10CertificateRequest(csr);
    } catch (cause) {
      throw new AdbreakError('input_invalid', 'Cannot enrol: the signing request is not PKCS#10 PEM', { cause });
    }
    if (!(await request.verify())) throw new AdbreakError('input_invalid', 'Cannot enrol: the signing request is not signed by its own key');
    return this.#issue(`CN=${device}`, request.publicKey, now, DEVICE_DAYS, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
  }

  async #issue(subject: string, publicKey: x509.PublicKey | webcrypto.CryptoKey, now: Date, days: number, extensions: x509.Extension[]): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject,
      issuer: this.#issuer,
      publicKey,
      signingKey: this.#signer,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(now.getTime() - CLOCK_SLACK),
      notAfter: new Date(now.getTime() + days * DAY),
      extensions: [new x509.BasicConstraintsExtension(false, undefined, true), ...extensions],
    });
    return certificate.toString('pem');
  }
}

/** SHA-256 of a certificate's DER, how revocation names it. */
export function fingerprint(certificate: string | Buffer): string {
  return new NodeCertificate(certificate).fingerprint256.replaceAll(':', '').toLowerCase();
}

function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  // Positive, and never with a leading zero (RFC 5280 section 4.1.2.2).
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem);
  return webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}
