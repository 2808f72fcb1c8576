import { lastThird, validityOf } from '@adbreak/shared/certificates.js';
import type { Authority, KeyAndCertificate } from './authority.js';

/** The hub's own certificate: made when it starts, and again while it runs, so that a hub may run for years. */
export class ServerCertificate {
  readonly #authority: Authority;
  readonly #names: readonly string[];
  #current: KeyAndCertificate;

  private constructor(authority: Authority, names: readonly string[], current: KeyAndCertificate) {
    this.#authority = authority;
    this.#names = names;
    this.#current = current;
  }

  static async issue(authority: Authority, names: readonly string[], now: Date): Promise<ServerCertificate> {
    return new ServerCertificate(authority, names, await authority.issueServer(names, now));
  }

  get current(): KeyAndCertificate {
    return this.#current;
  }

  /** The next key and certificate in the last third of this one, or when the clock stands before it; else null. */
  async renew(now: Date): Promise<KeyAndCertificate | null> {
    const validity = validityOf(this.#current.certificate);
    if (now.getTime() >= validity.from && now.getTime() < lastThird(validity)) return null;
    this.#current = await this.#authority.issueServer(this.#names, now);
    return this.#current;
  }
}
