import { X509Certificate } from 'node:crypto';
import { validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import type { HubState } from '../store/state.js';
import type { Store } from '../store/store.js';
import { type Authority, fingerprint } from './authority.js';
import { TooSoon } from './guesses.js';
import { subjectOf } from './subject.js';

type Device = HubState['devices'][string];
interface Options {
  readonly store: Store;
  readonly authority: Authority;
  /** How long after its end a certificate may still be renewed, milliseconds. */
  readonly grace: number;
  readonly now: () => Date;
  readonly log: Log;
}

/** Renewals of one device at once: an answer may be lost, and lost again. Then one in a minute, sooner where certificates live for seconds (tests). */
const AT_ONCE = 3;
const SPACING_MS = 60_000;

/**
 * Which certificate is whose. A device has the one it uses, and after a renewal the next one beside it: both are
 * accepted until it has come with the next one, so an answer that was lost on its way locks nobody out.
 */
export class DeviceCertificates {
  readonly #options: Options;
  /** When a device that renewed at an even pace would be due next (the generic cell rate algorithm); one number for each that is enrolled. */
  readonly #due = new Map<string, number>();
  /** Fingerprints that were revoked, whether or not that is on the disk: a full one must keep nobody in. */
  readonly #barred = new Set<string>();

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Lets nobody in any more with the certificates that a device has now, from this moment on: before it is written
   * down that it was revoked, and where that fails, until the hub is started again. One that it is enrolled with anew
   * is another.
   */
  bar(id: string): void {
    const device = ownValue(this.#options.store.state.devices, id);
    if (device === undefined) return;
    this.#barred.add(device.fingerprint);
    if (device.renewal !== null) this.#barred.add(device.renewal.fingerprint);
  }

  /** Whether what a device sends is taken: its last will comes when its sessions have ended. */
  isBarred(id: string): boolean {
    const device = ownValue(this.#options.store.state.devices, id);
    return device !== undefined && this.#barred.has(device.fingerprint);
  }

  #find(state: Readonly<HubState>, id: string, print: string): Device | AdbreakError {
    const device = find(state, id, print);
    return !(device instanceof AdbreakError) && this.#barred.has(print) ? revoked(id) : device;
  }

  /** Null when a device may act under this certificate, else why not. Its first use ends the certificate before it. */
  admit(id: string, print: string): AdbreakError | null {
    const { store, log } = this.#options;
    const device = this.#find(store.state, id, print);
    if (device instanceof AdbreakError) return device;
    if (device.renewal?.fingerprint === print)
      void store
        .change((state, writing) => {
          const own = this.#find(state, id, print);
          if (own instanceof AdbreakError || own.renewal?.fingerprint !== print) return;
          settle(own, print);
          writing.audit(audit(id, 'device.renewed'));
        })
        .catch((error: unknown) => log(`${id}: ${explain(error)}`, { device: id, error }));
    return null;
  }

  /** The device behind a certificate that TLS was shown: signed by our authority, known, not revoked. Its dates are the caller's to judge. */
  identify(raw: Buffer): { id: string; print: string; ends: number } {
    const certificate = new X509Certificate(raw);
    if (!this.#options.authority.issued(certificate))
      throw new AdbreakError(
        'unauthorized',
        'Cannot answer: the client certificate is not from this fleet’s authority',
        { remedy: UNKNOWN },
      );
    const subject = subjectOf(certificate.subject);
    if (subject?.kind !== 'device')
      throw new AdbreakError('unauthorized', 'Cannot answer: the client certificate is for no device', {
        remedy: 'Operators come over MQTT with their certificates, and over HTTPS with a token.',
      });
    const id = subject.name;
    const print = fingerprint(raw);
    const device = this.#find(this.#options.store.state, id, print);
    if (device instanceof AdbreakError) throw device;
    return { id, print, ends: validityOf(raw).to };
  }

  /**
   * The next certificate of the device that shows this one, also when it has ended, within the grace period. One that
   * is not valid yet is renewed as well: it was signed while the hub's clock stood in the future.
   */
  async renew(raw: Buffer, csr: string): Promise<string> {
    const { store, authority, grace, now } = this.#options;
    const { id, print, ends } = this.identify(raw);
    if (now().getTime() > ends + grace)
      throw new AdbreakError(
        'identity_expired',
        `Cannot renew ${id}: its certificate ended at ${new Date(ends).toISOString()}, longer ago than the ${days(grace)} of grace`,
        {
          remedy: `Make a claim for it, \`adbreak devices claim --device ${id}\`, write its token to the card and restart the agent.`,
        },
      );
    this.#pace(id);
    const certificate = await authority.issueDevice(id, csr, now(), ends);
    await store.change(
      (state) => {
        // Looked at again: the device may have been revoked or enrolled anew while we signed.
        const device = this.#find(state, id, print);
        if (device instanceof AdbreakError) throw device;
        settle(device, print);
        device.renewal = {
          fingerprint: fingerprint(certificate),
          ends: new Date(validityOf(certificate).to).toISOString(),
        };
      },
      audit(id, 'device.renew'),
    );
    return certificate;
  }

  /** Each renewal is a signature, and a line of the audit log for good. */
  #pace(id: string): void {
    const { authority, now } = this.#options;
    const at = now().getTime();
    const spacing = Math.min(SPACING_MS, authority.lifetimes.device / 20);
    const known = this.#due.get(id) ?? at;
    // Further ahead than a full burst it cannot be: the clock was set back.
    const due = known - at > AT_ONCE * spacing ? at : Math.max(known, at);
    const wait = due - at - (AT_ONCE - 1) * spacing;
    if (wait > 0)
      throw new TooSoon(
        `Cannot renew ${id}: it has renewed ${AT_ONCE} times in a short time`,
        Math.ceil(wait / 1000),
      );
    this.#due.set(id, due + spacing);
  }
}

const UNKNOWN = 'Enrol it again with a new claim token: `adbreak devices claim --device ID`.';

function find(state: Readonly<HubState>, id: string, print: string): Device | AdbreakError {
  const device = ownValue(state.devices, id);
  if (device === undefined || (device.fingerprint !== print && device.renewal?.fingerprint !== print))
    return new AdbreakError('unauthorized', `Cannot let ${id} in: its certificate is not the enrolled one`, {
      remedy: UNKNOWN.replace('ID', id),
    });
  return device.revoked ? revoked(id) : device;
}

function revoked(id: string): AdbreakError {
  return new AdbreakError('identity_revoked', `Cannot let ${id} in: its identity was revoked`);
}

/** The next certificate was used: the one before is accepted no more. */
function settle(device: Device, print: string): void {
  if (device.renewal?.fingerprint !== print) return;
  device.fingerprint = print;
  device.certificateEnds = device.renewal.ends;
  device.renewal = null;
}

const audit = (id: string, what: string) => ({ who: `device:${id}`, what, subject: id });
const days = (milliseconds: number) => `${Math.round(milliseconds / 86_400_000)} days`;
