import type { TLSSocket } from 'node:tls';
import { validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { fingerprint } from '../identity/authority.js';
import { plainAddress } from '../identity/guesses.js';
import { type Subject, subjectOf, whoIs } from '../identity/subject.js';

/** Who holds a connection, by its certificate. */
export interface Identity extends Subject {
  /** Under which its connections, quotas and lines of the log are counted. */
  readonly who: string;
  readonly fingerprint: string;
  /** When its certificate ends, milliseconds since the epoch. */
  readonly ends: number;
  /** The address that it comes from. */
  readonly from: string;
}

/**
 * Reads a handshake's outcome. Node counts a resumed TLS 1.3 session as authorized even when its first handshake showed
 * no certificate (VerifyPeerCertificate answers X509_V_OK for it), so `authorized` is not enough: the certificate must
 * be there, shown in this very handshake.
 */
export function identityOf(socket: TLSSocket): Identity | AdbreakError {
  if (socket.isSessionReused())
    return new AdbreakError('unauthorized', 'Cannot connect: a resumed TLS session shows no certificate');
  const certificate = socket.getPeerX509Certificate();
  if (!socket.authorized || certificate === undefined)
    return new AdbreakError('unauthorized', 'Cannot connect: no client certificate');
  const subject = subjectOf(certificate.subject);
  if (subject === null)
    return new AdbreakError(
      'forbidden',
      `Cannot connect: the certificate is for no device and no operator: ${certificate.subject}`,
    );
  return {
    ...subject,
    who: whoIs(subject),
    fingerprint: fingerprint(certificate.raw),
    ends: validityOf(certificate.raw).to,
    from: plainAddress(socket.remoteAddress ?? ''),
  };
}
