import { createPublicKey } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import * as x509 from './x509.js';

/**
 * The curves of a device's key, as OpenSSL names P-256 and P-384. Agents make P-256 keys and nothing else; what else
 * would be signed here was made by hand. RSA is refused at every size: a Pi takes long to make a good one.
 */
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1'];

/** The key of a signing request, after its kind and the request's own signature were looked at. */
export async function requestedKey(csr: string): Promise<x509.PublicKey> {
  let request: x509.Pkcs10CertificateRequest;
  let kind: string;
  try {
    request = new x509.Pkcs10CertificateRequest(csr);
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: 'der', type: 'spki' });
    const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
    if (key.asymmetricKeyType !== 'ec' || !CURVES.includes(namedCurve)) {
      kind = [key.asymmetricKeyType, namedCurve ?? modulusLength]
        .filter((word) => word !== undefined)
        .join(' ');
      throw new AdbreakError(
        'input_invalid',
        `Cannot sign a certificate: its key must be EC P-256 or P-384: it is ${kind}`,
        {
          remedy: 'Make a P-256 key, as the agent does: `openssl ecparam -genkey -name prime256v1 -noout`.',
        },
      );
    }
    // Only now: a curve that Web Crypto does not know would throw something of its own.
    if (await request.verify()) return request.publicKey;
  } catch (cause) {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError(
      'input_invalid',
      'Cannot sign a certificate: the signing request is not PKCS#10 PEM',
      { cause },
    );
  }
  throw new AdbreakError(
    'input_invalid',
    'Cannot sign a certificate: the signing request is not signed by its own key',
  );
}
