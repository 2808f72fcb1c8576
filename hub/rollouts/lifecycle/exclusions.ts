import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Store } from '../../store/store.js';
import { isTakenOut } from '../apart.js';
import { isActive, type Rollout } from '../rollout.js';
import type { Decisions } from './decisions.js';
import type { Outbox } from './outbox.js';

interface Options {
  readonly store: Store;
  readonly decisions: Decisions;
  readonly outbox: Outbox;
  readonly now: () => Date;
}
/** Whose evidence is taken out, on whose word, and why. */
export interface Exclusion {
  readonly device: string;
  readonly who: string;
  readonly reason: string;
}
/** The rollouts that a device's evidence was taken out of now, and those where it was out already. */
export interface Excluded {
  readonly excluded: string[];
  readonly already: string[];
}

/** Takes devices' evidence out of the rollouts that run: by a person's word, and where an identity was revoked. */
export class Exclusions {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  /**
   * Out of one rollout, or of each that runs and has the device as a member or holds evidence of it, whatever model it
   * has now. Throws `not_found` and `conflict` where there is none.
   */
  async exclude(exclusion: Exclusion, named?: string): Promise<Excluded> {
    const { device } = exclusion;
    const rollouts = named === undefined ? this.#having(device) : [this.#named(named, device)];
    const already = rollouts.filter((one) => isTakenOut(device, one)).map(({ id }) => id);
    const asked = rollouts.map(({ id }) => id).filter((id) => !already.includes(id));
    for (const id of asked) await this.#put(id, exclusion);
    // One may have ended meanwhile.
    const excluded = asked.filter((id) => isTakenOut(device, this.#options.decisions.find(id)));
    if (excluded.length + already.length > 0) return { excluded, already };
    throw refusal(`device ${device}`, 'no rollout that runs has it as a member, or evidence of it');
  }

  /** A revoked device leaves the members by itself; what it gave counts no more either. */
  async ofRevoked(device: string, who: string): Promise<void> {
    for (const { id } of this.#counting(device))
      await this.#put(id, { device, who, reason: 'its identity was revoked' });
  }

  /** What a kill or a lost database left between a revocation and its rollouts. */
  async settle(): Promise<void> {
    const { devices } = this.#options.store.state;
    for (const { id, revoked } of Object.values(devices)) if (revoked) await this.ofRevoked(id, 'hub');
  }

  #having(device: string): Rollout[] {
    return this.#options.store.state.rollouts.filter((one) => isActive(one) && isPart(device, one));
  }

  /** The rollouts in which something that it said still counts. */
  #counting(device: string): Rollout[] {
    return this.#options.store.state.rollouts.filter(
      (one) => isActive(one) && hasSpoken(device, one) && !isTakenOut(device, one),
    );
  }

  #named(id: string, device: string): Rollout {
    const rollout = this.#options.decisions.find(id);
    const what = `device ${device} from rollout ${id}`;
    if (!isActive(rollout)) throw refusal(what, `it is ${rollout.status}`);
    if (!isPart(device, rollout)) throw refusal(what, 'it is no member of it, and has given it no evidence');
    return rollout;
  }

  async #put(id: string, { device, who, reason }: Exclusion): Promise<void> {
    const { decisions, outbox, now } = this.#options;
    const audit = { who, what: 'device.exclude', subject: device, after: { rollout: id, reason } };
    await decisions.decide(id, { kind: 'exclude', at: now().toISOString(), who, device, reason }, audit);
    await outbox.carryOut(id);
  }
}

function hasSpoken(device: string, { evidence, failing }: Rollout): boolean {
  return Object.hasOwn(evidence.devices, device) || Object.hasOwn(failing, device);
}
function isPart(device: string, rollout: Rollout): boolean {
  return rollout.members.includes(device) || hasSpoken(device, rollout);
}

function refusal(what: string, why: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot exclude ${what}: ${why}`, {
    remedy: 'Look at `adbreak rollouts list`: only a rollout that runs has evidence that can be taken out.',
  });
}
