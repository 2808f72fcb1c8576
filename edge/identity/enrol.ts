import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { enrolResponse } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { errorFromAnswer } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { Agent, fetch } from 'undici';

export interface Identity {
  readonly device: string;
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  readonly mqtt: string;
  /** TUF root metadata, trusted from enrolment on. */
  readonly root: string;
}
interface EnrolOptions {
  readonly device: string;
  readonly hub: string;
  readonly authorityPath: string;
  readonly token: string | undefined;
  readonly folder: string;
  readonly instance: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const LIMIT = 64 * 1024;

/** The device's identity from its state folder, or a new one from the hub against the card's claim token. */
export async function openIdentity(options: EnrolOptions): Promise<Identity> {
  const stored = await readLimited(join(options.folder, 'identity.json'), LIMIT);
  if (stored === undefined) return enrol(options);
  const key = await readFile(join(options.folder, 'device.key'), 'utf8');
  return { ...check(enrolResponse, JSON.parse(Buffer.from(stored).toString()), join(options.folder, 'identity.json'), 'state_corrupt'), key };
}

/** The key is made here and never leaves: the hub sees a signing request. */
async function enrol({ device, hub, authorityPath, token, folder, instance }: EnrolOptions): Promise<Identity> {
  if (token === undefined) throw new AdbreakError('token_invalid', `Cannot enrol ${device}: the configuration has no claim token`);
  const authority = await readFile(authorityPath, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the authority's certificate ${authorityPath}`, {
      cause,
      remedy: "Copy the hub's identity/ca.pem to the card.",
    });
  });
  // Needed once in a device's life, and ten megabytes large.
  const { PemConverter, Pkcs10CertificateRequestGenerator } = await import('./x509.js');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: `CN=${device}`, keys, signingAlgorithm: ALGORITHM });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  const dispatcher = new Agent({ connect: { ca: authority } });
  try {
    const answer = await fetch(new URL('/api/v1/enrol', hub), {
      method: 'POST',
      dispatcher,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, device, csr: csr.toString('pem'), instance }),
    });
    const body: unknown = await answer.json();
    if (!answer.ok) throw errorFromAnswer(body, answer.status);
    const response = check(enrolResponse, body, "the hub's answer to the enrolment");
    // The key first: a certificate without its key would lock the device out.
    await writeAtomic(join(folder, 'device.key'), key, { mode: 0o600 });
    await writeAtomic(join(folder, 'identity.json'), JSON.stringify(response), { mode: 0o600 });
    return { ...response, key };
  } catch (cause) {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError('hub_unreachable', `Cannot enrol ${device} at ${hub}: ${explain(cause)}`, { cause });
  } finally {
    await dispatcher.close();
  }
}
