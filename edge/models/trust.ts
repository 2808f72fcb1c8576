import { instantSchema } from '@adbreak/shared/contract/instant.js';
import { digest } from '@adbreak/shared/contract/manifest.js';
import { explain } from '@adbreak/shared/errors.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';

const LIMIT = 4096;
const trustSchema = z.object({
  /** SHA-256 of the root metadata that the enrolment gave: with another one everything begins anew. */
  root: digest,
  /** The latest time that the hub has signed; null while it has signed none. */
  floor: instantSchema().nullable(),
  /** The id of the key that signed last; null while none has. */
  key: digest.nullable(),
  /** The highest revision that it has signed. */
  revision: z.int().nonnegative(),
  /** When the newest of what it has signed ends. */
  expires: instantSchema().nullable(),
});
type State = z.infer<typeof trustSchema>;

/** What a signed desired state teaches, milliseconds since 1970. */
export interface Lesson {
  /** Id of the key that signed it. */
  readonly key: string;
  readonly issued: number;
  readonly expires: number;
  readonly revision: number;
}

interface Clocks {
  /** The system's clock: a Pi has no battery for it, and anybody may set it. Milliseconds since 1970. */
  readonly system: () => number;
  /** A clock that nobody sets, milliseconds. */
  readonly steady: () => number;
}
const CLOCKS: Clocks = { system: () => Date.now(), steady: () => performance.now() };

/**
 * What this device knows of its hub, through restarts (trust.json): the latest time and the highest revision
 * that it has signed.
 */
export class Trust {
  readonly #path: string;
  readonly #log: (line: string) => void;
  readonly #clocks: Clocks;
  #state: State;
  /** When the floor was heard, by the steady clock: from then on it goes on. */
  #heard: number;
  /** Whether the device was enrolled at another hub, or anew, since this was written. */
  readonly enrolledAnew: boolean;

  private constructor(
    path: string,
    { state, enrolledAnew }: { state: State; enrolledAnew: boolean },
    log: (line: string) => void,
    clocks: Clocks,
  ) {
    this.#path = path;
    this.#state = state;
    this.enrolledAnew = enrolledAnew;
    this.#log = log;
    this.#clocks = clocks;
    this.#heard = clocks.steady();
  }

  /**
   * `root` is the metadata that the enrolment gave. A damaged file costs what it knew: the next signed state
   * teaches it again.
   */
  static async open(
    path: string,
    root: string,
    log: (line: string) => void,
    clocks: Clocks = CLOCKS,
  ): Promise<Trust> {
    let stored: State | undefined;
    try {
      stored = await readJson(trustSchema, path, LIMIT);
    } catch (error) {
      await setAside(path, error, 'the hub is asked', (line) => log(`trust: ${line}`));
    }
    const own = sha256(root);
    const fresh: State = { root: own, floor: null, key: null, revision: 0, expires: null };
    const enrolledAnew = stored !== undefined && stored.root !== own;
    const state = stored === undefined || enrolledAnew ? fresh : stored;
    return new Trust(path, { state, enrolledAnew }, log, clocks);
  }

  /**
   * The time by which what was signed has ended: the later of the system's clock and the hub's, which goes on
   * from what it has signed.
   */
  now(): number {
    const { floor } = this.#state;
    const hub = floor === null ? 0 : Date.parse(floor) + this.#clocks.steady() - this.#heard;
    return Math.max(this.#clocks.system(), hub);
  }
  /** The system's clock alone. */
  system(): number {
    return this.#clocks.system();
  }

  /** Whether the hub has ever signed. */
  get hasHeard(): boolean {
    return this.#state.key !== null;
  }
  /** The highest revision that the hub has signed; zero while it has signed none. */
  get revision(): number {
    return this.#state.revision;
  }
  /** When the newest of what the hub has signed ends; null while it has signed nothing. */
  get expires(): number | null {
    return this.#state.expires === null ? null : Date.parse(this.#state.expires);
  }

  /**
   * The root names other keys than the one that taught this: what a stolen key has said of times and
   * revisions counts no more (as the TUF specification 1.0, 5.3.11, forgets the versions that it has signed).
   */
  believeOnly(keys: readonly string[]): void {
    const { root, key } = this.#state;
    if (key === null || keys.includes(key)) return;
    this.#state = { root, key, floor: null, revision: 0, expires: null };
  }

  /**
   * Learns, for good where the card takes it: a full one costs no order. `reset` sets the time back to this
   * lesson's, where the hub's clock was wrong before.
   */
  async learn({ key, issued, expires, revision }: Lesson, { reset = false } = {}): Promise<void> {
    const { floor, root } = this.#state;
    const later = floor === null || reset || issued > Date.parse(floor);
    if (!later && revision <= this.#state.revision) return;
    this.#state = {
      root,
      key,
      floor: later ? new Date(issued).toISOString() : floor,
      revision: Math.max(revision, this.#state.revision),
      expires: new Date(expires).toISOString(),
    };
    if (later) this.#heard = this.#clocks.steady();
    await writeAtomic(this.#path, JSON.stringify(this.#state), { mode: 0o600 }).catch((error: unknown) =>
      this.#log(`trust: ${explain(error)}`),
    );
  }
}
