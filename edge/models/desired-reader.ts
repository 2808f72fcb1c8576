import { type Desired, desired, MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import {
  desiredPayload,
  type SignedDesired,
  signedDesired,
} from '@adbreak/shared/contract/signed-desired.js';
import { AdbreakError, hasCode } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { z } from 'zod';
import { signersUnder } from './root-keys.js';
import type { Trust } from './trust.js';

/** The root metadata that this device trusts, and the way to a newer one. */
export interface Roots {
  trusted(): Promise<Uint8Array | string>;
  /**
   * Fetches what follows the trusted one, each signed by the one before; rejects where the hub cannot be
   * asked.
   */
  follow(): Promise<void>;
}
interface Options {
  readonly device: string;
  readonly trust: Trust;
  readonly roots: Roots;
}

const DAY = 24 * 3_600_000;
/** A device that took the hub's certificate, which lives for a year, is no further behind the hub's clock. */
const FURTHEST_AHEAD_MS = 366 * DAY;
/**
 * A hub that was restored numbers from the time in microseconds, and at most eleven days beyond
 * (hub/backup/leap.ts).
 */
const FURTHEST_NUMBER = 1e12;
const MESSAGE = z.looseObject({});
type Payload = z.infer<typeof desiredPayload>;

/**
 * Reads what comes as this device's desired state, and refuses it with a coded error where it is not what the
 * hub wants now: `desired_forged` where it is not signed, by another key, or for another device;
 * `desired_untimely` where it was overtaken, has ended, or is dated in the future. From a hub that has never
 * signed one, plain ones are taken too.
 */
export class DesiredReader {
  readonly #options: Options;
  /** In the order in which they came. */
  readonly #turn = new SerialRunner();

  constructor(options: Options) {
    this.#options = options;
  }

  take(message: Uint8Array): Promise<Desired> {
    return this.#turn.run(() => this.#take(message));
  }

  /**
   * That the hub has signed nothing for so long that the newest has ended, or null. The models at work go on
   * working.
   */
  get problem(): AdbreakError | null {
    const { trust } = this.#options;
    const { expires } = trust;
    if (expires === null || trust.now() < expires) return null;
    return new AdbreakError(
      'desired_untimely',
      `The newest that the hub has signed for this device ended at ${iso(expires)}: nothing has come since`,
    );
  }

  async #take(message: Uint8Array): Promise<Desired> {
    const { trust } = this.#options;
    const what = 'the desired state';
    const value = parseJson(MESSAGE, message, MESSAGE_LIMIT, what);
    if (!('signatures' in value)) {
      if (!trust.hasHeard) return check(desired, value, what);
      throw forged('it is not signed, and this hub signs what it sends');
    }
    const signed = check(signedDesired, value, what);
    const signers = await this.#signersOf(signed);
    const payload = parseJson(desiredPayload, signed.payload, MESSAGE_LIMIT, what);
    const { device } = this.#options;
    if (payload.device !== device) throw forged(`it is for ${payload.device}`);
    trust.believeOnly(signers);
    await this.#learn(payload, signers[0] ?? '');
    return payload.desired;
  }

  /** Under the root that is trusted, or one that follows it: a rotation may have named another key. */
  async #signersOf(signed: SignedDesired): Promise<readonly string[]> {
    const { roots } = this.#options;
    const under = async () => {
      try {
        return signersUnder(await roots.trusted(), signed);
      } catch (error) {
        // The card has damaged it: following begins with the one of the enrolment.
        if (hasCode(error, 'state_corrupt')) return [];
        throw error;
      }
    };
    const signers = await under();
    if (signers.length > 0) return signers;
    const cause = await roots.follow().then(
      () => undefined,
      (error: unknown) => error,
    );
    const followed = await under();
    if (followed.length > 0) return followed;
    throw forged('it is not signed by the key that the root metadata names', cause);
  }

  async #learn({ issued, expires, desired: { revision } }: Payload, key: string): Promise<void> {
    const { trust } = this.#options;
    const lesson = { key, issued: Date.parse(issued), expires: Date.parse(expires), revision };
    if (revision < trust.revision)
      throw untimely(`it is revision ${revision}, and the hub has signed ${trust.revision}`);
    if (lesson.issued > trust.system() + FURTHEST_AHEAD_MS)
      throw untimely(`it is dated ${issued}, more than a year ahead of this device's clock`);
    if (revision > 1000 * Math.max(trust.now(), lesson.issued) + FURTHEST_NUMBER)
      throw untimely(`revision ${revision} is one that no hub has come to`);
    const hasEnded = (now: number) => Math.max(now, lesson.issued) >= lesson.expires;
    if (!hasEnded(trust.now())) return trust.learn(lesson);
    // The floor was wrong: what overtakes all before it is dated as the device's own clock says, and is no
    // replay.
    const agree = Math.abs(trust.system() - lesson.issued) < DAY;
    if (agree && revision > trust.revision && !hasEnded(trust.system()))
      return trust.learn(lesson, { reset: true });
    throw untimely(`it ended at ${expires}, and the time is ${iso(trust.now())}`);
  }
}

const iso = (time: number) => new Date(time).toISOString();
const forged = (why: string, cause?: unknown) =>
  new AdbreakError('desired_forged', `Cannot follow the desired state: ${why}`, { cause });
const untimely = (why: string) =>
  new AdbreakError('desired_untimely', `Cannot follow the desired state: ${why}`);
