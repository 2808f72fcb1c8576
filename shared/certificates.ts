import { X509Certificate } from 'node:crypto';

/** When a certificate is valid, Unix milliseconds (RFC 5280 section 4.1.2.5; whole seconds). */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

export function validityOf(certificate: string | Buffer): Validity {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return { from: Date.parse(validFrom), to: Date.parse(validTo) };
}

/** From here on a certificate is renewed: two thirds of its life are over. */
export function lastThird({ from, to }: Validity): number {
  return to - (to - from) / 3;
}
