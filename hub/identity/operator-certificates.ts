import { validityOf } from '@adbreak/shared/certificates.js';
import type { OperatorRole } from '@adbreak/shared/contract/operators.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { type HubState, KEPT_CERTIFICATES } from '../store/state.js';
import type { Store } from '../store/store.js';
import { type Authority, fingerprint } from './authority.js';
import type { Person } from './secrets.js';

export type Operator = HubState['operators'][string];
type Certificate = Operator['certificates'][number];

interface Options {
  readonly store: Store;
  readonly authority: Authority;
  readonly now: () => Date;
  /** Ends all sessions of an operator. */
  readonly disconnect: (name: string) => void;
}
interface Request {
  /** PKCS#10 PEM: the key stays where it was made. */
  readonly csr: string;
  readonly role: OperatorRole;
  readonly days: number;
}

const DAY_MS = 24 * 3_600_000;
/** Whoever was one is remembered: the audit log tells by their names who has changed what. */
const MOST_OPERATORS = 1000;

/** Operators, which certificates they have, and what they may do. A name has one role, whichever of its certificates is shown. */
export class OperatorCertificates {
  readonly #options: Options;
  /** Fingerprints that were revoked, whether or not that is on the disk: a full one must keep nobody in. */
  readonly #barred = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  get all(): readonly Operator[] {
    return Object.values(this.#options.store.state.operators);
  }

  /** Who shows a certificate, with the role of this moment; an error where it opens nothing. */
  personOf(name: string, print: string): Person | AdbreakError {
    const { store, now } = this.#options;
    const operator = ownValue(store.state.operators, name);
    const certificate = operator?.certificates.find((one) => one.fingerprint === print);
    if (operator === undefined || certificate === undefined)
      return new AdbreakError(
        'unauthorized',
        `Cannot let operator ${name} in: its certificate is not known`,
        {
          remedy: `Make one: \`adbreak operators certificate ${name} --role ROLE\`.`,
        },
      );
    if (certificate.revoked !== null || this.#barred.has(print))
      return new AdbreakError(
        'identity_revoked',
        `Cannot let operator ${name} in: its certificate was revoked at ${certificate.revoked ?? 'this start'}`,
        {
          remedy: `Make another where it shall go on: \`adbreak operators certificate ${name} --role ROLE\`.`,
        },
      );
    if (Date.parse(certificate.ends) <= now().getTime())
      return new AdbreakError(
        'identity_expired',
        `Cannot let operator ${name} in: its certificate ended at ${certificate.ends}`,
        { remedy: `Make the next one: \`adbreak operators certificate ${name} --role ${operator.role}\`.` },
      );
    return { kind: 'operator', id: name, role: operator.role };
  }

  /**
   * A certificate for a new operator, or one more for a known one, under the role that it has. Those before it go on, so
   * a machine exchanges its own without a gap. PEM.
   */
  async issue(name: string, { csr, role, days }: Request, who: string): Promise<string> {
    const { store, authority, now } = this.#options;
    const at = now();
    const certificate = await authority.issueOperator(name, csr, at, days * DAY_MS);
    const made: Certificate = {
      fingerprint: fingerprint(certificate),
      issued: at.toISOString(),
      ends: new Date(validityOf(certificate).to).toISOString(),
      revoked: null,
    };
    await store.change(
      ({ operators }) => {
        const known = operators[name];
        if (known === undefined && Object.keys(operators).length >= MOST_OPERATORS)
          throw new AdbreakError('conflict', `Cannot make operator ${name}: there are ${MOST_OPERATORS}`);
        if (known !== undefined && known.role !== role)
          throw new AdbreakError(
            'conflict',
            `Cannot give operator ${name} a certificate as ${role}: its role is ${known.role}`,
            { remedy: `Change it first: \`adbreak operators role ${name} ${role}\`.` },
          );
        const certificates = [...withRoom(name, known?.certificates ?? [], at), made];
        operators[name] = { name, role, created: known?.created ?? made.issued, certificates };
      },
      {
        who,
        what: 'operator.certificate',
        subject: name,
        after: { role, fingerprint: made.fingerprint, ends: made.ends },
      },
    );
    return certificate;
  }

  /** What it may do from now on, in open sessions too. */
  async setRole(name: string, role: OperatorRole, who: string): Promise<Operator> {
    const before = this.#known(name).role;
    return this.#change(name, (operator) => Object.assign(operator, { role }), {
      who,
      what: 'operator.role',
      subject: name,
      before: { role: before },
      after: { role },
    });
  }

  /** Ends its sessions and all its certificates, whether or not that can be written down now. Those that were revoked before stay revoked since then. */
  async revoke(name: string, who: string): Promise<Operator> {
    const { now, disconnect } = this.#options;
    for (const { fingerprint: print } of this.#known(name).certificates) this.#barred.add(print);
    disconnect(name);
    const revoked = now().toISOString();
    const end = (operator: Operator) => {
      operator.certificates = operator.certificates.map((one) => ({
        ...one,
        revoked: one.revoked ?? revoked,
      }));
    };
    return this.#change(name, end, { who, what: 'operator.revoke', subject: name });
  }

  async #change(
    name: string,
    edit: (operator: Operator) => void,
    audit: Parameters<Store['change']>[1],
  ): Promise<Operator> {
    await this.#options.store.change(({ operators }) => {
      const operator = operators[name];
      if (operator !== undefined) edit(operator);
    }, audit);
    return this.#known(name);
  }

  #known(name: string): Operator {
    const operator = ownValue(this.#options.store.state.operators, name);
    if (operator === undefined)
      throw new AdbreakError('not_found', `Cannot find operator ${name}`, {
        remedy: 'See `adbreak operators list`.',
      });
    return operator;
  }
}

/** The certificates that stay beside a new one: those that open nothing any more make room for it, the oldest first. */
function withRoom(name: string, certificates: readonly Certificate[], now: Date): readonly Certificate[] {
  if (certificates.length < KEPT_CERTIFICATES) return certificates;
  const over = certificates.find(
    ({ revoked, ends }) => revoked !== null || Date.parse(ends) <= now.getTime(),
  );
  if (over !== undefined) return certificates.filter((one) => one !== over);
  throw new AdbreakError(
    'conflict',
    `Cannot give operator ${name} a certificate: it has ${KEPT_CERTIFICATES} that are good`,
    { remedy: `Revoke them, \`adbreak operators revoke ${name}\`, and make one again.` },
  );
}
