import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type EnrolResponse, enrolResponse, renewResponse } from '@adbreak/shared/contract/messages.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, type ErrorCode, explain, hasCode } from '@adbreak/shared/errors.js';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { exists, readLimited, writeAtomic } from '@adbreak/shared/storage/atomic.js';
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
/** The hub's no to an enrolment, after which its key is worth nothing. */
export const REFUSED: readonly ErrorCode[] = [
  'token_invalid',
  'token_used',
  'identity_in_use',
  'input_invalid',
];

/**
 * The device's identity from its state folder, or a new one from the hub against the card's claim token. One that the
 * card has damaged is given up for a new one only when the token is good: what is on the disk stays until then.
 */
export async function openIdentity(
  folder: string,
  options: EnrolOptions,
  log: (line: string) => void,
): Promise<DeviceIdentity> {
  let damage: AdbreakError | null = null;
  try {
    const identity = await DeviceIdentity.open(folder);
    if (identity !== null) return identity;
  } catch (error) {
    if (!hasCode(error, 'state_corrupt')) throw error;
    damage = new AdbreakError('state_corrupt', error.message, {
      cause: error.cause,
      remedy: newClaim(options.device),
    });
    if (options.token === undefined) throw damage;
    log(`identity: ${explain(damage)}; trying the claim token of the configuration`);
  }
  try {
    const { response, key } = await enrol(options, folder);
    const identity = await DeviceIdentity.create(folder, response, key);
    await enrolmentOver(folder);
    return identity;
  } catch (cause) {
    if (damage === null) throw cause;
    throw new AdbreakError('state_corrupt', damage.message, { cause, remedy: damage.remedy });
  }
}

/** Whether a first start has what it needs, looked at before anything is made. A folder that cannot be looked into is for those who write there. */
export async function requireEnrolment(
  folder: string,
  { device, authorityPath, token }: Pick<EnrolOptions, 'device' | 'authorityPath' | 'token'>,
): Promise<void> {
  if (await exists(join(folder, 'identity.json')).catch(() => true)) return;
  if (token === undefined) throw withoutToken(device);
  await readAuthority(authorityPath);
}

function withoutToken(device: string): AdbreakError {
  return new AdbreakError('token_invalid', `Cannot enrol ${device}: the configuration has no claim token`);
}

async function readAuthority(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot read the authority's certificate ${path}`, {
      cause,
      remedy: "Copy the hub's identity/ca.pem to the card.",
    });
  });
}

/**
 * The key is made here and never leaves: the hub sees a signing request. It is on the disk before the claim is spent: where
 * the answer is lost, the same key asked again gets the same certificate, and any other key would find the claim used.
 */
export async function enrol(
  { device, hub, authorityPath, token, instance, signal }: EnrolOptions,
  folder: string,
): Promise<{ response: EnrolResponse; key: string }> {
  if (token === undefined) throw withoutToken(device);
  const authority = await readAuthority(authorityPath);
  const pending = pendingKey(folder);
  const kept = await readLimited(pending, LIMIT);
  const { key, csr } =
    (kept === undefined ? null : await requestFor(device, Buffer.from(kept).toString())) ??
    (await newKey(device));
  await writeAtomic(pending, key, { mode: 0o600 });
  await using client = new HubClient(hub, { authority });
  const asked = { what: `enrol ${device}`, body: { token, device, csr, instance }, signal };
  const answer = await client.ask('/api/v1/enrol', asked).catch(async (cause: unknown) => {
    // No claim was spent on the key, and none will be.
    if (hasCode(cause, ...REFUSED)) await enrolmentOver(folder);
    throw cause;
  });
  return { response: check(enrolResponse, answer, "the hub's answer to the enrolment"), key };
}

/** The certificate is on the disk: the key that waited for it is in the same file. */
export async function enrolmentOver(folder: string): Promise<void> {
  await rm(pendingKey(folder), { force: true });
}
function pendingKey(folder: string): string {
  return join(folder, 'enrolment.key');
}

/** A new key and the next certificate for it, asked for under the pair that the device has: also one that has ended. */
export async function renew(
  { device, hub, signal }: Pick<EnrolOptions, 'device' | 'hub' | 'signal'>,
  authority: string,
  under: KeyPair,
): Promise<KeyPair> {
  const { key, csr } = await newKey(device);
  await using client = new HubClient(hub, { ...under, authority });
  const answer = await client.ask('/agent/renew', {
    what: `renew the certificate of ${device}`,
    body: { csr },
    signal,
  });
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
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${device}`,
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return {
    key: PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    csr: csr.toString('pem'),
  };
}

/** The signing request of a key that an interrupted enrolment left; null where what it left is none. */
async function requestFor(device: string, key: string): Promise<{ key: string; csr: string } | null> {
  const { PemConverter, Pkcs10CertificateRequestGenerator } = await import('./x509.js');
  try {
    const secret = createPrivateKey(key);
    const [privateDer, publicDer] = [
      secret.export({ type: 'pkcs8', format: 'der' }),
      createPublicKey(secret).export({ type: 'spki', format: 'der' }),
    ];
    const keys = {
      privateKey: await webcrypto.subtle.importKey('pkcs8', privateDer, ALGORITHM, true, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', publicDer, ALGORITHM, true, ['verify']),
    };
    const csr = await Pkcs10CertificateRequestGenerator.create({
      name: `CN=${device}`,
      keys,
      signingAlgorithm: ALGORITHM,
    });
    return { key: PemConverter.encode(privateDer, 'PRIVATE KEY'), csr: csr.toString('pem') };
  } catch {
    // Half a file, or another kind of key: a new one is as good, the claim was not spent on it.
    return null;
  }
}
