import { z } from 'zod';
import { AdbreakError } from '../errors.js';
import { add, agree, maskOf, publicKeyOf, seal, toResidue, unseal } from './masks.js';
import type { Advertised, Unmasking } from './messages.js';
import { split } from './shamir.js';

/** A device's shares, as its peers keep them: of the seed of its own mask, and of its pairwise key. */
const kept = z.strictObject({
  x: z.int().min(1).max(255),
  self: z.string().max(100),
  pairwise: z.string().max(100),
});

/**
 * One device in one secure round (Bonawitz et al. 2017, section 4, against a curious hub): its counts leave it under a mask
 * of its own and one mask for each pair, which cancel in the sum. Peers hold shares of both secrets, so a device that drops
 * out is recovered from; they give only one of the two for each device, so no single input can ever be opened.
 */
export class SecureClient {
  readonly #device: string;
  readonly #randomBytes: (n: number) => Uint8Array;
  readonly #channelSeed: Uint8Array;
  readonly #maskSeed: Uint8Array;
  readonly #selfSeed: Uint8Array;
  #peers: Readonly<Record<string, Advertised>> = {};
  #threshold = 0;
  #held: Record<string, z.infer<typeof kept>> = {};
  #unmasked = false;

  constructor(device: string, randomBytes: (n: number) => Uint8Array) {
    this.#device = device;
    this.#randomBytes = randomBytes;
    this.#channelSeed = randomBytes(32);
    this.#maskSeed = randomBytes(32);
    this.#selfSeed = randomBytes(32);
  }

  advertise(): Advertised {
    return { channel: publicKeyOf(this.#channelSeed), mask: publicKeyOf(this.#maskSeed) };
  }

  /** Shares of both secrets, one pair for each peer, encrypted for it. */
  shareOut(peers: Readonly<Record<string, Advertised>>, threshold: number): Record<string, string> {
    const names = Object.keys(peers).sort();
    if (!names.includes(this.#device) || threshold * 2 <= names.length || threshold > names.length)
      throw new AdbreakError(
        'input_invalid',
        `Cannot take part in a secure round: ${threshold} of ${names.length} devices must be more than half, this one among them`,
      );
    if (
      new Set(Object.values(peers).flatMap(({ channel, mask }) => [channel, mask])).size !==
      2 * names.length
    )
      throw new AdbreakError('input_invalid', 'Cannot take part in a secure round: two keys are the same');
    this.#peers = peers;
    this.#threshold = threshold;
    const own = split(this.#selfSeed, names.length, threshold, this.#randomBytes);
    const pairwise = split(this.#maskSeed, names.length, threshold, this.#randomBytes);
    const text = (i: number) =>
      JSON.stringify({ x: own[i]?.x, self: base64(own[i]?.y), pairwise: base64(pairwise[i]?.y) });
    this.#held[this.#device] = kept.parse(JSON.parse(text(names.indexOf(this.#device))));
    return Object.fromEntries(
      names.flatMap((name, i) =>
        name === this.#device
          ? []
          : [[name, seal(this.#channelWith(name, this.#device, name), this.#randomBytes(12), text(i))]],
      ),
    );
  }

  /** The counts under their masks, for the hub. `boxes` come from the peers that shared out. */
  mask(vector: readonly number[], boxes: Readonly<Record<string, string>>): string[] {
    for (const [from, box] of Object.entries(boxes))
      this.#held[from] = kept.parse(JSON.parse(unseal(this.#channelWith(from, from, this.#device), box)));
    const partners = Object.keys(this.#held).filter((name) => name !== this.#device);
    if (partners.length + 1 < this.#threshold)
      throw new AdbreakError(
        'input_invalid',
        `Cannot answer a secure round: ${partners.length + 1} devices are left, ${this.#threshold} are needed`,
      );
    let masked = add(vector.map(toResidue), maskOf(this.#selfSeed, vector.length));
    for (const peer of partners) {
      const seed = agree(this.#maskSeed, this.#peers[peer]?.mask ?? '', 'adbreak pairwise mask');
      masked = add(masked, maskOf(seed, vector.length), this.#device < peer ? 1n : -1n);
    }
    return masked.map(String);
  }

  /** What the hub needs to take the masks off the sum. Answered once: a second list of survivors could open an input. */
  unmask(survivors: readonly string[]): Unmasking {
    const alive = new Set(survivors);
    if (
      this.#unmasked ||
      !alive.has(this.#device) ||
      alive.size < this.#threshold ||
      [...alive].some((name) => this.#held[name] === undefined)
    )
      throw new AdbreakError(
        'forbidden',
        `Cannot unmask: ${alive.size} devices answered, ${this.#threshold} are needed, this one among them, and only once`,
      );
    this.#unmasked = true;
    const pick = (names: string[], which: 'self' | 'pairwise') =>
      Object.fromEntries(names.map((name) => [name, `${this.#held[name]?.x}:${this.#held[name]?.[which]}`]));
    const known = Object.keys(this.#held);
    return {
      self: pick(
        known.filter((name) => alive.has(name)),
        'self',
      ),
      pairwise: pick(
        known.filter((name) => !alive.has(name)),
        'pairwise',
      ),
    };
  }

  /** One key for each direction, so that no box can be sent back to who made it. */
  #channelWith(peer: string, from: string, to: string): Uint8Array {
    return agree(this.#channelSeed, this.#peers[peer]?.channel ?? '', `adbreak shares ${from} ${to}`);
  }
}

function base64(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('base64');
}
