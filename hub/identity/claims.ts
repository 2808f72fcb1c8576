import { X509Certificate as NodeCertificate } from 'node:crypto';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { sha256 } from '@adbreak/shared/storage/atomic.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import type { HubState } from '../store/state.js';
import { fingerprint } from './authority.js';
import { TooSoon, UnknownSecret } from './guesses.js';
import { Pkcs10CertificateRequest } from './x509.js';

export type Claim = HubState['claims'][string];

/** A claim that ended is remembered for a day: who is late hears that it expired, and not that nobody knows it. */
const REMEMBERED_MS = 24 * 3_600_000;

/**
 * Answers that one claim gets again: each sees to it that the model's devices hear what they shall run. A card
 * asks again after pauses of minutes.
 */
const AGAIN = { burst: 5, perSecond: 1 / 30 };
const CLAIMS = 10_000;

/** The hashes of claims that ended more than a day ago. */
export function forgettable(claims: HubState['claims'], now: Date): string[] {
  return Object.values(claims)
    .filter(({ expires }) => Date.parse(expires) + REMEMBERED_MS < now.getTime())
    .map(({ hash }) => hash);
}

/** A card's request: its claim token, the name it wants, and its signing request. */
interface Request {
  readonly token: string;
  readonly device: string;
  readonly csr: string;
}
interface Redeeming<T> {
  /** Makes the identity. The claim is this request's alone until it ends; unless it was marked as used then, it is free again. */
  readonly issue: (claim: Claim) => Promise<T>;
  /** The answer once more, for a card that did not hear the first one. */
  readonly again: (certificate: string) => Promise<T>;
}

/** Who gets what for a claim token: one identity for one claim, whoever else asks in the same moment. */
export class Claims<T> {
  readonly #state: () => Readonly<HubState>;
  readonly #now: () => Date;
  readonly #again = new TokenBuckets(AGAIN, CLAIMS);
  /** Enrolments that wait for their certificate or the disk, by the hash of their claim. */
  readonly #underWay = new Map<
    string,
    { readonly device: string; readonly key: string | null; readonly answer: Promise<T> }
  >();

  constructor(state: () => Readonly<HubState>, now: () => Date) {
    this.#state = state;
    this.#now = now;
  }

  /**
   * Redeems a claim. Everything that is refused, and the reservation, comes before the first await: between the look and the
   * use nobody else can come. Throws `token_invalid`, `token_used`, `identity_in_use` or TooSoon; says nothing of other claims.
   */
  redeem({ token, device, csr }: Request, { issue, again }: Redeeming<T>): Promise<T> {
    const claim = this.#find(token);
    if (claim === undefined)
      throw new UnknownSecret(
        'token_invalid',
        `Cannot enrol ${device}: its claim token is not known to this hub`,
      );
    const running = this.#underWay.get(claim.hash);
    if (running !== undefined) {
      if (running.device === device && running.key !== null && running.key === keyOf(csr))
        return running.answer;
      throw new AdbreakError(
        'token_used',
        `Cannot enrol ${device}: its claim token is being used by ${running.device}`,
      );
    }
    if (claim.usedBy !== null) {
      const certificate = this.#issued(claim, device, csr);
      if (certificate !== null) {
        this.#pace(claim, device);
        return again(certificate);
      }
      throw new AdbreakError(
        'token_used',
        `Cannot enrol ${device}: its claim token was used by ${claim.usedBy}`,
      );
    }
    if (Date.parse(claim.expires) < this.#now().getTime())
      throw new AdbreakError(
        'token_invalid',
        `Cannot enrol ${device}: its claim token expired at ${claim.expires}`,
      );
    if (claim.device !== null && claim.device !== device)
      throw new AdbreakError(
        'token_invalid',
        `Cannot enrol ${device}: its claim token is for another device`,
      );
    for (const other of this.#underWay.values())
      if (other.device === device)
        throw new AdbreakError(
          'identity_in_use',
          `Cannot enrol ${device}: a device of this name is being enrolled`,
        );
    const answer = issue(claim).finally(() => this.#underWay.delete(claim.hash));
    this.#underWay.set(claim.hash, { device, key: keyOf(csr), answer });
    return answer;
  }

  #pace({ hash }: Claim, device: string): void {
    const wait = this.#again.take(hash, 1, performance.now());
    if (wait > 0)
      throw new TooSoon(
        `Cannot enrol ${device}: it was enrolled, and was told so ${AGAIN.burst} times and more`,
        Math.ceil(wait / 1000),
      );
  }

  /**
   * By the SHA-256 of what was presented, hashed once however many claims are open. A lookup by this hash needs no constant
   * time: to learn from its timing somebody would have to choose hashes, and what is hashed are 160 random bits.
   */
  #find(token: string): Claim | undefined {
    return ownValue(this.#state().claims, sha256(token));
  }

  /** The certificate that this very device was given for this very key by this claim, while it is the one that counts. */
  #issued({ usedBy, certificate }: Claim, device: string, csr: string): string | null {
    if (usedBy !== device || certificate === null) return null;
    const { devices } = this.#state();
    const known = ownValue(devices, device);
    if (known === undefined || known.revoked || known.fingerprint !== fingerprint(certificate)) return null;
    const key = new NodeCertificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
    return keyOf(csr) === sha256(key) ? certificate : null;
  }
}

/** SHA-256 of the public key (SubjectPublicKeyInfo) that a signing request is for; null where it is none. Who issues checks its signature. */
function keyOf(csr: string): string | null {
  try {
    return sha256(new Uint8Array(new Pkcs10CertificateRequest(csr).publicKey.rawData));
  } catch {
    return null;
  }
}
