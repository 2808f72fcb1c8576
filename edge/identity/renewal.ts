import { validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError, type ErrorCode, explain, hasCode } from '@adbreak/shared/errors.js';
import { retryAfterOf } from '@adbreak/shared/hub-fault.js';
import { pause, retry } from '@adbreak/shared/retry.js';
import { type EnrolOptions, enrol, enrolmentOver, newClaim, REFUSED, renew } from './enrol.js';
import type { DeviceIdentity } from './identity.js';
import { backoffOf, leastTime, patience, renewalTime } from './schedule.js';

interface RenewalOptions extends Omit<EnrolOptions, 'signal'> {
  readonly identity: DeviceIdentity;
  /** The identity has another key and certificate now. */
  readonly onRenewed: () => void;
  /** What only a person can mend. */
  readonly onFault: (error: AdbreakError) => void;
  readonly log: (line: string) => void;
  /** [0, 1) */
  readonly uniform: () => number;
  /** The time by which a certificate ends, milliseconds: at least the hub's own, where that is known. */
  readonly now?: () => number;
}

/** The clock is looked at this often: it may be set, and a timer of Node ends at 24.8 days. */
const LOOK_MS = 3_600_000;
/** The hub does not take this certificate, and a new claim could help. */
const LOST: readonly ErrorCode[] = ['identity_expired', 'unauthorized'];

/**
 * Keeps the device's certificate alive: renews it in its last third, and at once when the hub says that it has ended,
 * since a Pi's own clock may not know. What the hub does not renew any more is enrolled anew, if the configuration has
 * a claim token that is still good; a token that the hub has refused is not tried again, as it counts wrong ones.
 */
export class Renewal implements AsyncDisposable {
  readonly #options: RenewalOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();
  #hurried = false;
  #tokenTried = false;
  /** By the monotonic clock. */
  #notBefore = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** The hub refuses this certificate: it is renewed now, whatever the clock says. */
  hurry(): void {
    if (this.#hurried) return;
    this.#hurried = true;
    this.#wake.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { identity, uniform } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const validity = validityOf(identity.certificate);
      await this.#untilDue(renewalTime(validity, uniform()), patience(validity, uniform()));
      const policy = {
        backoff: backoffOf(validity),
        signal,
        uniform,
        atLeast: retryAfterOf,
        onFailure: (error: unknown) => this.#failed(error),
      };
      // Only a stop ends it otherwise: whatever it is, a later try may mend it.
      await retry(() => this.#renewAndTell(), policy).catch(() => undefined);
    }
  }

  /** A fleet that was dark together does not come back in one second: who is late waits a little, too. */
  async #untilDue(due: number, wait: number): Promise<void> {
    const { now = Date.now } = this.#options;
    while (!this.#stop.signal.aborted && !this.#hurried) {
      const early = Math.max(due - now(), this.#notBefore - performance.now());
      if (early <= 0) break;
      await pause(Math.min(early, LOOK_MS), this.#stop.signal, this.#wake.signal);
    }
    await pause(wait, this.#stop.signal);
  }

  async #renewAndTell(): Promise<void> {
    await this.#renewOrEnrol();
    this.#hurried = false;
    this.#wake = new AbortController();
    this.#notBefore = performance.now() + leastTime(validityOf(this.#options.identity.certificate));
    this.#options.onRenewed();
  }

  #failed(error: unknown): void {
    const { log, onFault } = this.#options;
    if (error instanceof AdbreakError && error.code !== 'hub_unreachable') onFault(error);
    else log(`identity: ${explain(error)}; trying again`);
  }

  async #renewOrEnrol(): Promise<void> {
    const { identity, device, token, log } = this.#options;
    try {
      return await this.#renew();
    } catch (error) {
      if (!hasCode(error, ...LOST)) throw error;
      if (token === undefined || this.#tokenTried) throw lost(error, device);
      log(`identity: ${explain(error)}; trying the claim token of the configuration`);
      const { response, key } = await enrol(
        { ...this.#options, signal: this.#stop.signal },
        identity.folder,
      ).catch((cause: unknown) => {
        // A hub that is down, overrun or full says nothing about the token.
        if (!hasCode(cause, ...REFUSED)) throw cause;
        this.#tokenTried = true;
        throw lost(error, device, cause);
      });
      // Until this is written the token is still good, for the key that waits on the disk.
      await identity.enrolled(response, key);
      this.#tokenTried = true;
      await enrolmentOver(identity.folder);
      log(`${device}: enrolled anew`);
    }
  }

  /** Under the pair in use; where the hub does not know it, under the one before: its state may come from a backup. */
  async #renew(): Promise<void> {
    const { identity, device, log } = this.#options;
    const asked = { ...this.#options, signal: this.#stop.signal };
    let refusal: unknown = null;
    for (const under of identity.pairs) {
      try {
        await identity.renewed(await renew(asked, identity.authority, under), under);
        return log(
          `${device}: a new certificate until ${new Date(validityOf(identity.certificate).to).toISOString()}`,
        );
      } catch (error) {
        if (!hasCode(error, 'unauthorized')) throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }
}

/** Coded as the hub's refusal; says what became of the token, where there is one. */
function lost(refusal: AdbreakError, device: string, token?: unknown): AdbreakError {
  return new AdbreakError(refusal.code, refusal.message, {
    remedy: newClaim(device),
    ...(token !== undefined && { cause: token }),
  });
}
