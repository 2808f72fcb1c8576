import { setTimeout as sleep } from 'node:timers/promises';
import { validityOf } from '@adbreak/shared/certificates.js';
import { AdbreakError, type ErrorCode, explain } from '@adbreak/shared/errors.js';
import { type EnrolOptions, enrol, enrolmentOver, newClaim, REFUSED, renew } from './enrol.js';
import type { DeviceIdentity } from './identity.js';
import { leastTime, pause, renewalTime } from './schedule.js';

interface RenewalOptions extends Omit<EnrolOptions, 'signal'> {
  readonly identity: DeviceIdentity;
  /** The identity has another key and certificate now. */
  readonly onRenewed: () => void;
  /** What only a person can mend. */
  readonly onFault: (error: AdbreakError) => void;
  readonly log: (line: string) => void;
  /** [0, 1) */
  readonly uniform: () => number;
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
  #failures = 0;
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
    while (!this.#stop.signal.aborted) {
      const validity = validityOf(identity.certificate);
      await this.#untilDue(renewalTime(validity, uniform()), pause(0, validity, uniform()));
      while (!this.#stop.signal.aborted && !(await this.#try())) {
        this.#failures += 1;
        await this.#sleep(pause(this.#failures, validity, uniform()));
      }
    }
  }

  /** A fleet that was dark together does not come back in one second: who is late waits a little, too. */
  async #untilDue(due: number, patience: number): Promise<void> {
    while (!this.#stop.signal.aborted && !this.#hurried) {
      const early = Math.max(due - Date.now(), this.#notBefore - performance.now());
      if (early <= 0) break;
      await this.#sleep(Math.min(early, LOOK_MS), this.#wake.signal);
    }
    await this.#sleep(patience);
  }

  /** True when the identity is a new one. */
  async #try(): Promise<boolean> {
    const { identity, log, onFault, onRenewed } = this.#options;
    try {
      await this.#renewOrEnrol();
      this.#failures = 0;
      this.#hurried = false;
      this.#wake = new AbortController();
      this.#notBefore = performance.now() + leastTime(validityOf(identity.certificate));
      onRenewed();
      return true;
    } catch (error) {
      if (error instanceof AdbreakError && error.code !== 'hub_unreachable') onFault(error);
      else if (!this.#stop.signal.aborted) log(`identity: ${explain(error)}; trying again`);
      return false;
    }
  }

  async #renewOrEnrol(): Promise<void> {
    const { identity, device, token, log } = this.#options;
    try {
      return await this.#renew();
    } catch (error) {
      if (!(error instanceof AdbreakError) || !LOST.includes(error.code)) throw error;
      if (token === undefined || this.#tokenTried) throw lost(error, device);
      log(`identity: ${explain(error)}; trying the claim token of the configuration`);
      const { response, key } = await enrol({ ...this.#options, signal: this.#stop.signal }, identity.folder).catch((cause: unknown) => {
        // A hub that is down, overrun or full says nothing about the token.
        if (!(cause instanceof AdbreakError) || !REFUSED.includes(cause.code)) throw cause;
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
        return log(`${device}: a new certificate until ${new Date(validityOf(identity.certificate).to).toISOString()}`);
      } catch (error) {
        if (!(error instanceof AdbreakError) || error.code !== 'unauthorized') throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }

  async #sleep(milliseconds: number, ...more: AbortSignal[]): Promise<void> {
    await sleep(milliseconds, undefined, { signal: AbortSignal.any([this.#stop.signal, ...more]) }).catch(() => undefined);
  }
}

/** Coded as the hub's refusal; says what became of the token, where there is one. */
function lost(refusal: AdbreakError, device: string, token?: unknown): AdbreakError {
  return new AdbreakError(refusal.code, refusal.message, { remedy: newClaim(device), ...(token !== undefined && { cause: token }) });
}
