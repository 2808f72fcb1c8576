import { access, constants, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain, systemCode } from '@adbreak/shared/errors.js';

/** The green light of a Pi: its name today, and in kernels before 6.1. */
const NAMES = ['ACT', 'led0'];
/** How long it is on, then off, milliseconds: nothing that a card does looks like it. */
const HALF_MS = 250;
/** Of a file of sysfs. */
const LIMIT = 4096;

/**
 * The light with which the device shows itself, by the kernel's LED class (Documentation/leds/leds-class.rst:
 * `trigger` says what drives it, the chosen one in brackets, `brightness` what it shows). It blinks as long as it
 * was last asked to, then the card drives it again. Where there is none, or this user may not write it, `blink`
 * says no, and `why` is for people. `folder`: `/sys/class/leds`, or a tree like it.
 */
export class Light implements AsyncDisposable {
  readonly #folder: string;
  readonly #halfMs: number;
  #until = 0;
  #why = 'it has not been asked';
  #stop = new AbortController();
  #blinking: Promise<void> | null = null;

  constructor(folder = '/sys/class/leds', halfMs = HALF_MS) {
    this.#folder = folder;
    this.#halfMs = halfMs;
  }

  /** Why it does not blink. */
  get why(): string {
    return this.#why;
  }

  /** From now on for so many seconds; a longer call that runs already stays. Whether it does. */
  async blink(seconds: number): Promise<boolean> {
    const until = performance.now() + seconds * 1000;
    if (this.#blinking === null) {
      const light = await this.#find();
      if (light === null) return false;
      // Another call may have come while this one looked.
      if (this.#blinking === null) {
        this.#until = until;
        this.#blinking = this.#run(light).finally(() => {
          this.#blinking = null;
        });
      }
    }
    this.#until = Math.max(this.#until, until);
    return true;
  }

  /** Ends it at once: the card drives it again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#blinking;
  }

  async #find(): Promise<string | null> {
    for (const name of NAMES) {
      const light = join(this.#folder, name);
      try {
        for (const file of ['trigger', 'brightness'])
          await access(join(light, file), constants.R_OK | constants.W_OK);
        return light;
      } catch (error) {
        if (systemCode(error) === 'ENOENT') continue;
        this.#why = `its light ${light} is not this user's: provisioning/udev has a rule (${explain(error)})`;
        return null;
      }
    }
    this.#why = `it has no light: there is neither ${NAMES.join(' nor ')} in ${this.#folder}`;
    return null;
  }

  async #run(light: string): Promise<void> {
    const write = (file: string, text: string) => writeFile(join(light, file), text);
    const read = async (file: string) => (await readFile(join(light, file), 'latin1')).slice(0, LIMIT);
    try {
      const driver = /\[([\w:.-]+)\]/.exec(await read('trigger'))?.[1] ?? 'none';
      const shown = (await read('brightness')).trim();
      const brightest = await read('max_brightness').then(
        (text) => text.trim(),
        () => '1',
      );
      await write('trigger', 'none');
      try {
        for (let on = true; performance.now() < this.#until && !this.#stop.signal.aborted; on = !on) {
          await write('brightness', on ? brightest : '0');
          await sleep(this.#halfMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
        }
      } finally {
        await write('brightness', shown);
        await write('trigger', driver);
      }
    } catch (error) {
      // A light that is gone in the middle is nothing that a device could mend; its page shows it all the same.
      this.#why = `its light ${light} does not do what it shall: ${explain(error)}`;
    }
  }
}
