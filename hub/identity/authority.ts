import { createPrivateKey, type KeyObject, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Validity, validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { requestedKey } from './signing-request.js';
import { OPERATOR_UNIT } from './subject.js';
import * as x509 from './x509.js';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** P-256 as OpenSSL names it. */
const CURVE = 'prime256v1';
const DAY = 24 * 3600 * 1000;
const AUTHORITY_LIFE = 3650 * DAY;
/** From here on the authority's end is told every day: a fleet of cards needs time to be given another one. */
const AUTHORITY_WARNING = 365 * DAY;
/** A Pi without a clock battery may be behind: certificates begin a day ago, or their whole life where that is shorter. */
const CLOCK_SLACK = DAY;

/** How long certificates live, milliseconds. Both devices and the hub renew theirs in the last third. */
export interface Lifetimes {
  readonly device: number;
  readonly server: number;
}
export const LIFETIMES: Lifetimes = { device: 90 * DAY, server: 365 * DAY };

export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** The fleet's certificate authority: an ECDSA P-256 root kept in the hub's folder, readable by its owner alone. */
export class Authority {
  readonly certificate: string;
  readonly #signer: webcrypto.CryptoKey;
  readonly #root: NodeCertificate;
  readonly #issuer: string;
  readonly lifetimes: Lifetimes;

  private constructor(certificate: string, signer: webcrypto.CryptoKey, lifetimes: Lifetimes) {
    this.certificate = certificate;
    this.#signer = signer;
    this.#root = new NodeCertificate(certificate);
    this.#issuer = new x509.X509Certificate(certificate).subject;
    this.lifetimes = lifetimes;
  }

  /**
   * Opens the authority in `folder`. Until a first start has come to its end (`begin`), one of which a half is missing is
   * made anew, for nobody was shown it; later that is `state_corrupt`, as are a file that cannot be read and halves of two.
   */
  static async open(
    folder: string,
    now: Date,
    { lifetimes = LIFETIMES, begin = true }: { lifetimes?: Lifetimes; begin?: boolean } = {},
  ): Promise<Authority> {
    const paths = { key: join(folder, 'ca.key'), certificate: join(folder, 'ca.pem') };
    const [key, certificate] = await Promise.all([
      readLimited(paths.key, 16_384),
      readLimited(paths.certificate, 16_384),
    ]);
    if (key !== undefined && certificate !== undefined)
      return Authority.#read(
        paths,
        Buffer.from(key).toString(),
        Buffer.from(certificate).toString(),
        lifetimes,
      );
    if (!begin)
      throw new AdbreakError(
        'state_corrupt',
        `Cannot open the certificate authority: ${key === undefined ? paths.key : paths.certificate} is missing`,
      );
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: 'CN=Adbreak fleet authority',
      notBefore: new Date(now.getTime() - CLOCK_SLACK),
      notAfter: new Date(now.getTime() + AUTHORITY_LIFE),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    await writeAtomic(paths.key, await exportKey(keys.privateKey), { mode: 0o600 });
    await writeAtomic(paths.certificate, root.toString('pem'));
    return new Authority(root.toString('pem'), keys.privateKey, lifetimes);
  }

  static async #read(
    paths: { key: string; certificate: string },
    key: string,
    certificate: string,
    lifetimes: Lifetimes,
  ): Promise<Authority> {
    const damaged = (what: string, cause?: unknown) =>
      new AdbreakError('state_corrupt', `Cannot open the certificate authority: ${what}`, { cause });
    let root: NodeCertificate;
    let ours: KeyObject;
    try {
      root = new NodeCertificate(certificate);
    } catch (cause) {
      throw damaged(`${paths.certificate} is not a certificate`, cause);
    }
    try {
      ours = createPrivateKey(key);
    } catch (cause) {
      throw damaged(`${paths.key} is not a private key`, cause);
    }
    const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = ours;
    if (kind !== 'ec' || details?.namedCurve !== CURVE)
      throw damaged(
        `${paths.key} must be EC P-256: it is ${kind} ${details?.namedCurve ?? details?.modulusLength ?? ''}`.trim(),
      );
    if (!root.checkPrivateKey(ours)) throw damaged(`${paths.key} is not the key of ${paths.certificate}`);
    return new Authority(certificate, await importKey(key), lifetimes);
  }

  /** Whether this authority signed a certificate; says nothing of its dates. */
  issued(certificate: NodeCertificate): boolean {
    return certificate.checkIssued(this.#root) && certificate.verify(this.#root.publicKey);
  }

  /** What an operator must hear of the authority's own life; null while there is nothing to say. */
  warning(now: Date): string | null {
    const { from, to } = validityOf(this.certificate);
    if (now.getTime() < from)
      return `the clock of this hub says ${now.toISOString()}, which is before its authority began: no device is given a certificate until the clock is right`;
    if (now.getTime() < to - AUTHORITY_WARNING) return null;
    const end = new Date(to).toISOString().slice(0, 10);
    return to <= now.getTime()
      ? `THE AUTHORITY OF THIS FLEET ENDED on ${end}: no device trusts this hub any more; see docs/operations/certificates.md`
      : `THE AUTHORITY OF THIS FLEET ENDS on ${end}, in ${Math.ceil((to - now.getTime()) / DAY)} days: from then on no device trusts this hub; see docs/operations/certificates.md`;
  }

  /** A key and certificate for the hub's own servers. */
  async issueServer(names: readonly string[], now: Date): Promise<KeyAndCertificate> {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
    const all = [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...names])];
    const alternative = all.map((name) => ({
      type: /^[\d.]+$|:/.test(name) ? ('ip' as const) : ('dns' as const),
      value: name,
    }));
    const certificate = await this.#issue(
      'CN=Adbreak hub',
      keys.publicKey,
      { from: now.getTime(), to: now.getTime() + this.lifetimes.server },
      [
        new x509.SubjectAlternativeNameExtension(alternative),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ],
    );
    return { key: await exportKey(keys.privateKey), certificate };
  }

  /**
   * A client certificate from a device's signing request. The name in it is ours, whatever the request says. A renewal
   * gives the end of the certificate `before`: the new one never ends earlier, so a clock that was set back while it was
   * signed takes no time from the device.
   */
  async issueDevice(device: string, csr: string, now: Date, before = 0): Promise<string> {
    this.#requireBegun(device, now, 'Set the clock of the hub; the device asks again by itself.');
    const validity = { from: now.getTime(), to: Math.max(now.getTime() + this.lifetimes.device, before) };
    return this.#issue(`CN=${device}`, await requestedKey(csr), validity, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  /** A client certificate from an operator's signing request, which says in its subject that it is for no device. */
  async issueOperator(name: string, csr: string, now: Date, life: number): Promise<string> {
    this.#requireBegun(`operator ${name}`, now, 'Set the clock of the hub, then ask again.');
    const validity = { from: now.getTime(), to: now.getTime() + life };
    return this.#issue(`${OPERATOR_UNIT}, CN=${name}`, await requestedKey(csr), validity, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  #requireBegun(who: string, now: Date, remedy: string): void {
    if (now.getTime() >= validityOf(this.certificate).from) return;
    throw new AdbreakError(
      'conflict',
      `Cannot give ${who} a certificate: the hub's clock says ${now.toISOString()}, before its authority began`,
      { remedy },
    );
  }

  async #issue(
    subject: string,
    publicKey: x509.PublicKey | webcrypto.CryptoKey,
    { from, to }: Validity,
    extensions: x509.Extension[],
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(),
      subject,
      issuer: this.#issuer,
      publicKey,
      signingKey: this.#signer,
      signingAlgorithm: ALGORITHM,
      notBefore: new Date(from - Math.min(CLOCK_SLACK, to - from)),
      notAfter: new Date(to),
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
