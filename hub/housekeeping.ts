import { explain } from '@adbreak/shared/errors.js';
import type { Log } from '@adbreak/shared/log.js';
import { type ScheduledTask, schedule } from 'node-cron';
import type { People } from './accounts/people.js';
import type { Sender } from './fleet/sender.js';
import type { Authority } from './identity/authority.js';
import { forgettable } from './identity/claims.js';
import { endingLine, endings } from './identity/endings.js';
import { keepRollups, purgeReports } from './monitoring/upkeep.js';
import type { Registry } from './registry/registry.js';
import type { HubClock } from './store/hub-clock.js';
import type { Settings } from './store/settings.js';
import type { Store } from './store/store.js';

/** Once a night: what people have to hear, and what may be forgotten. */
const NIGHTLY = '17 3 * * *';
/** What is signed is signed anew long before it ends: metadata, and what devices shall run. */
const SIGNING = '17 * * * *';
/** Whether something that was signed elsewhere has come. */
const ARRIVALS = '*/5 * * * * *';
/** Raw reports are forgotten a few hundred at a time, so that no write waits for a large delete. */
const PURGE = '53 * * * * *';
/** What was refused too often for lines of its own is summed up by the hour. */
const REFUSALS = '1 * * * *';
/** Hours are closed for the reference, and old sums forgotten. */
const ROLLUPS = '23 * * * * *';
/** How time passes is watched. */
const CLOCK = '*/30 * * * * *';

interface Parts {
  readonly store: Store;
  readonly settings: Settings;
  readonly authority: Authority;
  readonly registry: Registry;
  readonly clock: HubClock;
  readonly people: People;
  readonly now: () => Date;
  readonly log: Log;
}
/** What a hub does by the clock once its doors are open. */
interface OpenHub {
  readonly sender: Sender;
  readonly settleRefusals: () => Promise<void>;
}

/** What a hub does without being asked: renews what ends, forgets what is old, says what people have to hear. */
export class Housekeeping {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What is due is done before anybody is let in. */
  async begin(): Promise<void> {
    this.#tellOfAuthority();
    await this.#parts.registry.renewDue();
    await this.#enterListed();
    await this.#tellOfWaiting();
    this.#tellOfEndings();
    await this.#purgeClaims();
  }

  /** What fails is said, and done again the next time. */
  schedule({ sender, settleRefusals }: OpenHub): ScheduledTask[] {
    const { store, settings, registry, clock, people, now } = this.#parts;
    const retention = { hourMonths: settings.rollupHourMonths, dayMonths: settings.rollupDayMonths };
    const job = (when: string, what: string, work: () => unknown, options = {}) =>
      schedule(
        when,
        async () => {
          try {
            await work();
          } catch (error) {
            this.#parts.log(`${what}: ${explain(error)}`, { error });
          }
        },
        options,
      );
    const alone = { noOverlap: true };
    return [
      job(SIGNING, 'registry', () => registry.renewDue().then(() => this.#enterListed())),
      job(SIGNING, 'desired states', () => sender.signAnew(), alone),
      job(ARRIVALS, 'keys', () => registry.takeArrived(), alone),
      job(NIGHTLY, 'registry', () => this.#tellOfWaiting()),
      job(NIGHTLY, 'registry', () => this.#collect()),
      job(NIGHTLY, 'claims', () => this.#purgeClaims()),
      job(NIGHTLY, 'authority', () => this.#tellOfAuthority()),
      job(NIGHTLY, 'certificates and tokens', () => this.#tellOfEndings()),
      job(PURGE, 'first administrator', () => people.first.tidy()),
      job(PURGE, 'reports', () => purgeReports(store, settings.rawReportDays, now())),
      job(ROLLUPS, 'rollups', () => keepRollups(store.rollups, retention, now()), alone),
      job(REFUSALS, 'audit', () => settleRefusals()),
      job(CLOCK, 'clock', () => clock.look()),
    ];
  }

  #tellOfAuthority(): void {
    const warning = this.#parts.authority.warning(this.#parts.now());
    if (warning !== null) this.#parts.log(warning);
  }

  async #tellOfWaiting(): Promise<void> {
    for (const line of await this.#parts.registry.waiting()) this.#parts.log(line);
  }

  #tellOfEndings(): void {
    for (const one of endings(this.#parts.store.state, this.#parts.now()))
      this.#parts.log(`${endingLine(one)}. ${one.mend}`);
  }

  async #enterListed(): Promise<void> {
    for (const line of await this.#parts.registry.enterListed()) this.#parts.log(line);
  }

  async #collect(): Promise<void> {
    const gone = await this.#parts.registry.collect(this.#parts.clock.settled());
    if (gone.length > 0) this.#parts.log(`${gone.length} artifacts that nothing names are removed`);
  }

  async #purgeClaims(): Promise<void> {
    const { store, clock } = this.#parts;
    const old = forgettable(store.state.claims, clock.settled());
    if (old.length > 0)
      await store.change(({ claims }) => {
        for (const hash of old) delete claims[hash];
      });
  }
}
