import { AdbreakError, explain } from '../errors.js';
import { add, agree, fromResidue, maskOf } from './masks.js';
import type { Advertised, Phase, SecureView, Unmasking } from './messages.js';
import { combine } from './shamir.js';

/**
 * The hub's side of a secure round: passes keys and encrypted shares on, adds masked inputs up, and takes the masks off the
 * sum once enough devices have given shares. Nothing in here is a single device's counts. In memory: a restart ends the round.
 */
export class SecureSum {
  readonly #expected: ReadonlySet<string>;
  readonly #length: number;
  readonly #least: number;
  #phase: Phase | 'over' = 'keys';
  #reason = '';
  #trouble: string | null = null;
  #sum: readonly number[] | null = null;
  #threshold = 0;
  readonly #keys = new Map<string, Advertised>();
  readonly #boxes = new Map<string, Readonly<Record<string, string>>>();
  readonly #inputs = new Map<string, readonly bigint[]>();
  readonly #shares = new Map<string, Unmasking>();
  #survivors: readonly string[] = [];

  /** @param least devices whose sum may be opened at all */
  constructor(expected: Iterable<string>, length: number, least: number) {
    this.#expected = new Set(expected);
    this.#length = length;
    this.#least = Math.max(3, least);
  }

  /** Why the sum could not be opened though enough devices answered; null where nothing went wrong. */
  get trouble(): string | null {
    return this.#trouble;
  }
  /** What came of it, once the phase is over; null where it could not be opened, or too few answered. */
  get sum(): readonly number[] | null {
    return this.#sum;
  }
  get phase(): Phase | 'over' {
    return this.#phase;
  }
  /** Everybody who may answer this phase has. */
  get complete(): boolean {
    const [have, of] = {
      keys: [this.#keys.size, this.#expected.size],
      shares: [this.#boxes.size, this.#keys.size],
      masked: [this.#inputs.size, this.#boxes.size],
      unmask: [this.#shares.size, this.#survivors.length],
      over: [0, 1],
    }[this.#phase] as [number, number];
    return have >= of;
  }

  view(device: string): SecureView {
    switch (this.#phase) {
      case 'keys':
        return { phase: 'keys' };
      case 'shares':
        return this.#keys.has(device)
          ? { phase: 'shares', threshold: this.#threshold, peers: Object.fromEntries(this.#keys) }
          : this.#late();
      case 'masked':
        return this.#boxes.has(device)
          ? {
              phase: 'masked',
              boxes: Object.fromEntries(
                [...this.#boxes].flatMap(([from, boxes]) =>
                  boxes[device] === undefined ? [] : [[from, boxes[device]]],
                ),
              ),
            }
          : this.#late();
      case 'unmask':
        return this.#inputs.has(device) ? { phase: 'unmask', survivors: [...this.#survivors] } : this.#late();
      case 'over':
        return { phase: 'over', reason: this.#reason };
    }
  }

  takeKeys(device: string, keys: Advertised): void {
    this.#accept('keys', device, this.#expected.has(device) && !this.#keys.has(device));
    this.#keys.set(device, keys);
  }
  takeShares(device: string, boxes: Readonly<Record<string, string>>): void {
    this.#accept(
      'shares',
      device,
      this.#keys.has(device) &&
        !this.#boxes.has(device) &&
        Object.keys(boxes).length === this.#keys.size - 1 &&
        Object.keys(boxes).every((to) => to !== device && this.#keys.has(to)),
    );
    this.#boxes.set(device, boxes);
  }
  takeMasked(device: string, vector: readonly string[]): void {
    this.#accept(
      'masked',
      device,
      this.#boxes.has(device) && !this.#inputs.has(device) && vector.length === this.#length,
    );
    this.#inputs.set(
      device,
      vector.map((value) => BigInt.asUintN(64, BigInt(value))),
    );
  }
  takeUnmasking(device: string, shares: Unmasking): void {
    this.#accept('unmask', device, this.#inputs.has(device) && !this.#shares.has(device));
    this.#shares.set(device, shares);
  }

  /** Goes on to the next phase with whoever answered; null until the sum is known. Too few end the round. */
  advance(): number[] | null {
    switch (this.#phase) {
      case 'keys':
        // Two thirds: even a hub that tells different devices different survivors cannot collect both secrets of one.
        this.#threshold = Math.max(this.#least, Math.floor((2 * this.#keys.size) / 3) + 1);
        return this.#next('shares', this.#keys.size);
      case 'shares':
        return this.#next('masked', this.#boxes.size);
      case 'masked':
        this.#survivors = [...this.#inputs.keys()].sort();
        return this.#next('unmask', this.#inputs.size);
      case 'unmask':
        if (this.#shares.size < this.#threshold) return this.#end(this.#shares.size);
        return this.#opened();
      case 'over':
        return null;
    }
  }

  #next(phase: Phase, left: number): null {
    if (left < this.#threshold) return this.#end(left);
    this.#phase = phase;
    return null;
  }
  #end(left: number): null {
    this.#reason = `${left} of ${this.#expected.size} devices went on in the phase ${this.#phase}, ${this.#threshold} are needed`;
    this.#phase = 'over';
    return null;
  }
  #late(): SecureView {
    return { phase: 'over', reason: 'the round went on without this device' };
  }
  #accept(phase: Phase, device: string, fits: boolean): void {
    if (this.#phase !== phase || !fits)
      throw new AdbreakError(
        'conflict',
        `Cannot take ${phase} of ${device}: the round is in the phase ${this.#phase}, or it answered already`,
      );
  }

  /** A damaged share must end its own round, not keep it open for ever. */
  #opened(): number[] | null {
    try {
      return this.#open();
    } catch (error) {
      this.#trouble = `the sum cannot be opened: ${explain(error)}`;
      this.#reason = this.#trouble.slice(0, 300);
      this.#phase = 'over';
      return null;
    }
  }
  #open(): number[] {
    let sum: bigint[] = Array(this.#length).fill(0n);
    for (const input of this.#inputs.values()) sum = add(sum, input);
    for (const device of this.#survivors)
      sum = add(sum, maskOf(this.#secret('self', device), this.#length), -1n);
    for (const gone of [...this.#boxes.keys()].filter((name) => !this.#inputs.has(name))) {
      const seed = this.#secret('pairwise', gone);
      for (const device of this.#survivors) {
        const mask = maskOf(
          agree(seed, this.#keys.get(device)?.mask ?? '', 'adbreak pairwise mask'),
          this.#length,
        );
        // The survivor added it with its own sign; it is taken off again.
        sum = add(sum, mask, device < gone ? -1n : 1n);
      }
    }
    this.#phase = 'over';
    this.#reason = 'the sum is known';
    const opened = sum.map(fromResidue);
    this.#sum = opened;
    return opened;
  }

  #secret(which: 'self' | 'pairwise', device: string): Uint8Array {
    const shares = [...this.#shares.values()].flatMap((one) => {
      const [x, y] = one[which][device]?.split(':') ?? [];
      return x === undefined || y === undefined
        ? []
        : [{ x: Number(x), y: new Uint8Array(Buffer.from(y, 'base64')) }];
    });
    if (shares.length < this.#threshold)
      throw new AdbreakError(
        'input_invalid',
        `Cannot open the sum: ${shares.length} shares of ${device} came, ${this.#threshold} are needed`,
      );
    return combine(shares.slice(0, this.#threshold));
  }
}
