import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type EnrolResponse, enrolResponse, renewResponse } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { errorFromAnswer } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { Agent, fetch } from 'undici';
import { DeviceIdentity, type KeyPair } from './identity.js';

export interface EnrolOptions {
  readonly device: string;
  readonly hub: string;
  readonly authorityPath: string;
  readonly token: string | undefined;
  readonly instance: string;
  /** An agent that stops waits for no hub. */
  readonly signal?: AbortSignal;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const LIMIT = 64 * 1024;
const TIMEOUT_MS = 30_000;

/**
 * The device's identity from its state folder, or a new one from the hub against the card's claim token. One that the
 * card has damaged is given up for a new one only when the token is good: what is on the disk stays until then.
 */
export async function openIdentity(folder: string, options: EnrolOptions, log: (line: string) => void): Promise<DeviceIdentity> {
  let damage: AdbreakError | null = null;
  try {
    const identity = await DeviceIdentity.open(folder);
    if (identity !== null) return identity;
  } catch (error) {
    if (!(error instanceof AdbreakError) || error.code !== 'state_corrupt') throw error;
    damage = new AdbreakError('state_corrupt', error.message, { cause: error.cause, remedy: newClaim(options.device) });
    if (options.token === undefined) throw damage;
    log(`identity: ${explain(damage)}; trying the claim token of the configuration`);
  }
  try {
    const { response, key } = await enrol(options);
    return await DeviceIdentity.create(folder, response, key);
  } catch (cause) {
    if (damage === null) throw cause;
    throw new AdbreakError('state_corrupt', damage.message, { cause, remedy: damage.remedy });
  }
}

/** The key is made here and never leaves: the hub sees a signing request. */
export async function enrol({ device, hub, authorityPath, token, instance, signal }: EnrolOptions): Promise<{ response: EnrolResponse; key: string }> {
  if (token === undefined) throw new AdbreakError('token_invalid', `Cannot enrol ${device}: the configuration has no claim token`);
  const authority = await readFile(authorityPath, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the authority's certificate ${authorityPath}`, {
      cause,
      remedy: "Copy the hub's identity/ca.pem to the card.",
    });
  });
  const { key, csr } = await newKey(device);
  const answer = await ask(`enrol ${device}`, new URL('/api/v1/enrol', hub), { ca: authority }, { token, device, csr, instance }, signal);
  return { response: check(enrolResponse, answer, "the hub's answer to the enrolment"), key };
}

/** A new key and the next certificate for it, asked for under the pair that the device has: also one that has ended. */
export async function renew({ device, hub, signal }: Pick<EnrolOptions, 'device' | 'hub' | 'signal'>, authority: string, under: KeyPair): Promise<KeyPair> {
  const { key, csr } = await newKey(device);
  const credentials = { ca: authority, cert: under.certificate, key: under.key };
  const answer = await ask(`renew the certificate of ${device}`, new URL('/agent/renew', hub), credentials, { csr }, signal);
  return { key, certificate: check(renewResponse, answer, "the hub's answer to the renewal").certificate };
}

/** What a person does for a device whose identity is lost. */
export function newClaim(device: string): string {
  return `Make a claim for it, \`adbreak devices claim --device ${device}\`, write its token to the configuration and restart the agent.`;
}

/** A key for each certificate: one that was copied off a card is worth nothing after the next renewal. */
async function newKey(device: string): Promise<{ key: string; csr: string }> {
  // Needed every two months, and ten megabytes large.
  const { PemConverter, Pkcs10CertificateRequestGenerator } = await import('./x509.js');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: `CN=${device}`, keys, signingAlgorithm: ALGORITHM });
  return { key: PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'), csr: csr.toString('pem') };
}

async function ask(
  what: string,
  url: URL,
  connect: { ca: string; cert?: string; key?: string },
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const dispatcher = new Agent({ connect, maxResponseSize: LIMIT });
  try {
    const answer = await fetch(url, {
      method: 'POST',
      dispatcher,
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const value: unknown = await answer.json();
    if (!answer.ok) throw errorFromAnswer(value, answer.status);
    return value;
  } catch (cause) {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError('hub_unreachable', `Cannot ${what} at ${url.origin}: ${explain(cause)}`, { cause });
  } finally {
    await dispatcher.close();
  }
}
