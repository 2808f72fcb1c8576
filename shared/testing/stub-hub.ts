import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type RequestOptions } from 'node:https';
import type { TestContext } from 'node:test';
// @peculiar/x509 resolves its parts through tsyringe, which needs this polyfill before it is loaded.
import 'reflect-metadata';
import {
  PemConverter,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Request {
  readonly path: string;
  readonly body: string;
  readonly message: IncomingMessage;
}
interface StubHub {
  readonly url: string;
  /** PEM: of itself. */
  readonly authority: string;
  /** A certificate (PEM) for `pi-1`, from now for `lifeMs`. */
  readonly issue: (key: webcrypto.CryptoKey | { csr: string }, lifeMs?: number) => Promise<string>;
}
interface Certificate {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** Nothing of a hub but its door: HTTPS under an authority of its own, to whose requests a test gives the answers, good ones and bad ones. */
export async function stubHub(
  t: TestContext,
  answer: (request: Request, response: ServerResponse, hub: StubHub) => unknown,
  {
    validity = {},
    server: more = {},
  }: { validity?: Certificate; server?: RequestOptions & { requestCert?: boolean } } = {},
): Promise<StubHub> {
  const keys = await newKeys();
  const extensions = [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])];
  const own = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=hub',
    keys,
    signingAlgorithm: ALGORITHM,
    extensions,
    ...validity,
  });
  const authority = own.toString('pem');
  const issue: StubHub['issue'] = async (key, lifeMs = 86_400_000) => {
    const publicKey = 'csr' in key ? new Pkcs10CertificateRequest(key.csr).publicKey : key;
    const [notBefore, notAfter] = [new Date(), new Date(Date.now() + lifeMs)];
    const signed = {
      subject: 'CN=pi-1',
      issuer: 'CN=hub',
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      notBefore,
      notAfter,
    };
    return (await X509CertificateGenerator.create(signed)).toString('pem');
  };
  const server = createServer(
    { key: await keyPem(keys.privateKey), cert: authority, ca: authority, ...more },
    async (message, response) => {
      let body = '';
      for await (const chunk of message) body += String(chunk);
      await answer({ path: message.url ?? '', body, message }, response, hub);
    },
  );
  // Every address, so that there is one that the certificate does not name.
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  const hub: StubHub = {
    url: `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    authority,
    issue,
  };
  return hub;
}

export function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** PKCS #8 in PEM. */
export async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Of a signing request, in hexadecimal. */
export function publicKeyOf(csr: string): string {
  return Buffer.from(new Pkcs10CertificateRequest(csr).publicKey.rawData).toString('hex');
}
