import { generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { HubClient } from '@adbreak/shared/hub-client.js';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { callHub } from '../cli/client.js';
import type { TestHub } from '../testing.js';

/** A device in the hands of a test: its requests one by one, with keys and certificates as the test wants them. */
export interface HandMade {
  readonly device: string;
  readonly key: string;
  readonly certificate: string;
}
/** As `openssl genpkey` names them: rsa and bits, ec and a curve, ed25519. */
type KeyKind = readonly ['rsa', string] | readonly ['ec', string] | readonly ['ed25519'];

const P256: KeyKind = ['ec', 'prime256v1'];
const SIGNED_WITH = {
  rsa: '300d06092a864886f70d01010b0500',
  ec: '300a06082a8648ce3d040302',
  ed25519: '300506032b6570',
};

/** A key and its PKCS#10 request (RFC 2986), of any kind: Web Crypto would not make most of them. */
export async function signingRequest(kind: KeyKind = P256): Promise<{ key: string; csr: string }> {
  const { publicKey, privateKey } = await newKeys(kind);
  const name = der(
    0x30,
    der(0x31, der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('whoever')))),
  );
  const info = der(
    0x30,
    Buffer.from('020100', 'hex'),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa0),
  );
  const signature = sign(kind[0] === 'ed25519' ? null : 'sha256', info, privateKey);
  const request = der(
    0x30,
    info,
    Buffer.from(SIGNED_WITH[kind[0]], 'hex'),
    der(0x03, Buffer.from([0]), signature),
  );
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    csr: ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join(
      '\n',
    ),
  };
}

async function newKeys(kind: KeyKind): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  const generate = promisify(generateKeyPair);
  if (kind[0] === 'rsa') return generate('rsa', { modulusLength: Number(kind[1]) });
  if (kind[0] === 'ec') return generate('ec', { namedCurve: kind[1] });
  return generate('ed25519', {});
}

/** Tag, length, content: X.690 section 8.1. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

export async function enrolByHand(hub: TestHub, device: string): Promise<HandMade> {
  const { tokens } = (await callHub(hub, '/api/v1/claims', { method: 'POST', json: { device } })) as {
    tokens: [string];
  };
  const { key, csr } = await signingRequest();
  const { certificate } = (await ask(hub, null, '/api/v1/enrol', {
    token: tokens[0],
    device,
    csr,
    instance: 'test',
  })) as { certificate: string };
  return { device, key, certificate };
}

/** The answer may be lost: who drops the result has the certificate of before. */
export async function renewByHand(hub: TestHub, device: HandMade): Promise<HandMade> {
  const { key, csr } = await signingRequest();
  const { certificate } = (await ask(hub, device, '/agent/renew', { csr })) as { certificate: string };
  return { device: device.device, key, certificate };
}

/** A session of its own over MQTT; rejects where it is not let in. Once it has ended, it is not begun again. */
export function mqttOf(
  hub: TestHub,
  { device, key, certificate }: HandMade,
  more: Pick<IClientOptions, 'will'> = {},
): Promise<MqttClient> {
  const credentials = { ca: hub.authority, cert: certificate, key };
  const manner = { protocolVersion: 4, reconnectPeriod: 0 } as const;
  return connectAsync(
    `mqtts://127.0.0.1:${hub.running.mqttPort}`,
    { ...credentials, ...manner, clientId: device, username: 'test', ...more },
    false,
  );
}

/** Whether the hub lets a device in; throws the coded reason why not. */
export async function session(hub: TestHub, device: HandMade): Promise<void> {
  await ask(hub, device, '/agent/session?instance=test');
}

async function ask(hub: TestHub, device: HandMade | null, path: string, body?: unknown): Promise<unknown> {
  const { key, certificate } = device ?? {};
  await using client = new HubClient(hub.hub, {
    authority: hub.authority,
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  });
  return await client.ask(path, { what: 'ask as a test does', body });
}
