import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { seeded } from '../random.js';
import { SecureClient } from './client.js';
import { add, fromResidue, maskOf } from './masks.js';
import type { Unmasking } from './messages.js';
import { SecureSum } from './server.js';
import { combine, split } from './shamir.js';

const bytes = (seed: string) => {
  const random = seeded(seed);
  return (n: number) => Uint8Array.from({ length: n }, () => random.integer(256));
};

describe('shares of a secret', () => {
  test('any threshold of them give it back, in any order', () => {
    const random = seeded('shamir');
    const draw = bytes('shamir');
    for (let i = 0; i < 50; i++) {
      const n = 2 + random.integer(20);
      const threshold = 1 + random.integer(n);
      const secret = draw(32);
      const shares = random.shuffle(split(secret, n, threshold, draw));
      assert.deepEqual(combine(shares.slice(0, threshold)), secret, `${threshold} of ${n}`);
      if (threshold > 1) assert.notDeepEqual(combine(shares.slice(0, threshold - 1)), secret);
    }
  });
  test('one share too few fits every secret equally well', () => {
    // With threshold 2, the other share that would make the secret zero exists for every share.
    const [a] = split(Uint8Array.of(77), 3, 2, bytes('one'));
    assert.ok(a !== undefined);
    const secrets = new Set(
      Array.from({ length: 256 }, (_, y) => combine([a, { x: 2, y: Uint8Array.of(y) }])[0]),
    );
    assert.equal(secrets.size, 256);
  });
});

interface Outcome {
  readonly sum: number[] | null;
  /** Everything the hub was sent. */
  readonly seen: string;
  readonly masked: Record<string, string[]>;
  readonly shares: Unmasking[];
}
/** A whole round; `drop` names the phase after which a device falls silent. */
function round(
  inputs: Record<string, number[]>,
  seed: string,
  drop: Record<string, 'keys' | 'shares' | 'masked'> = {},
): Outcome {
  const names = Object.keys(inputs);
  const [first] = names;
  const hub = new SecureSum(names, inputs[first ?? '']?.length ?? 0, 3);
  const clients = new Map(names.map((name) => [name, new SecureClient(name, bytes(`${seed}/${name}`))]));
  const seen: unknown[] = [];
  const send = <T>(value: T): T => {
    seen.push(value);
    return value;
  };
  const masked: Record<string, string[]> = {};
  const shares: Unmasking[] = [];
  const silent = (name: string, ...phases: string[]) => phases.includes(drop[name] ?? '');
  for (const [name, client] of clients) hub.takeKeys(name, send(client.advertise()));
  hub.advance();
  for (const [name, client] of clients) {
    const view = hub.view(name);
    if (view.phase === 'shares' && !silent(name, 'keys'))
      hub.takeShares(name, send(client.shareOut(view.peers, view.threshold)));
  }
  hub.advance();
  for (const [name, client] of clients) {
    const view = hub.view(name);
    if (view.phase !== 'masked' || silent(name, 'shares')) continue;
    masked[name] = client.mask(inputs[name] ?? [], view.boxes);
    hub.takeMasked(name, send(masked[name]));
  }
  hub.advance();
  for (const [name, client] of clients) {
    const view = hub.view(name);
    if (view.phase !== 'unmask' || silent(name, 'masked')) continue;
    const given = send(client.unmask(view.survivors));
    shares.push(given);
    hub.takeUnmasking(name, given);
  }
  return { sum: hub.advance(), seen: JSON.stringify(seen), masked, shares };
}
const INPUTS = Object.fromEntries(
  Array.from({ length: 7 }, (_, i) => [`pi-${i}`, [1, 100 + i, 90 - i, -i * 5]]),
);
const total = (names: readonly string[]) =>
  [0, 1, 2, 3].map((k) => names.reduce((sum, name) => sum + (INPUTS[name]?.[k] ?? 0), 0));

describe('a secure round', () => {
  test('gives the sum, negative parts too', () =>
    assert.deepEqual(round(INPUTS, 'plain').sum, total(Object.keys(INPUTS))));
  test('recovers from devices that drop out in any phase, and counts exactly those that sent their input', () => {
    assert.deepEqual(
      round(INPUTS, 'a', { 'pi-2': 'shares' }).sum,
      total(['pi-0', 'pi-1', 'pi-3', 'pi-4', 'pi-5', 'pi-6']),
    );
    assert.deepEqual(
      round(INPUTS, 'b', { 'pi-1': 'keys', 'pi-6': 'shares' }).sum,
      total(['pi-0', 'pi-2', 'pi-3', 'pi-4', 'pi-5']),
    );
    assert.deepEqual(
      round(INPUTS, 'c', { 'pi-4': 'masked' }).sum,
      total(Object.keys(INPUTS)),
      'who sent its input counts, whatever becomes of it',
    );
    assert.equal(
      round(INPUTS, 'd', { 'pi-0': 'shares', 'pi-1': 'shares', 'pi-2': 'shares' }).sum,
      null,
      'too few: no sum at all',
    );
  });
  test('all that the hub is told opens the sum and nothing else: it carries no single device’s counts', () => {
    // What a curious hub can do: rebuild every device's own mask from the shares it got, and take it off that device's input.
    // The pairwise masks stay: what is left is spread evenly over all residues, and only all of it together is the sum.
    const names = Object.keys(INPUTS);
    const counts = Array<number>(16).fill(0);
    let n = 0;
    for (let i = 0; i < 25; i++) {
      const world = round(INPUTS, `view/${i}`);
      assert.ok(!/"10[0-6]"|"9[0-9]"|"8[0-9]"/.test(world.seen), 'no count stands in any message');
      let together = [0n, 0n, 0n, 0n];
      for (const name of names) {
        const shares = world.shares.map(({ self }) => {
          const [x = '', y = ''] = self[name]?.split(':') ?? [];
          return { x: Number(x), y: new Uint8Array(Buffer.from(y, 'base64')) };
        });
        const rest = add((world.masked[name] ?? []).map(BigInt), maskOf(combine(shares), 4), -1n);
        together = add(together, rest);
        rest.forEach((value, k) => {
          assert.notEqual(fromResidue(value), INPUTS[name]?.[k]);
          const bin = Number(value >> 60n);
          counts[bin] = (counts[bin] ?? 0) + 1;
          n += 1;
        });
      }
      assert.deepEqual(together.map(fromResidue), total(names));
    }
    const chi = counts.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0);
    // 37.7 is exceeded once in a thousand with 15 degrees of freedom.
    assert.ok(chi < 37.7, `χ² = ${chi}`);
  });
  test('no device gives both secrets of another, nor answers two lists of survivors', () => {
    const names = ['a', 'b', 'c', 'd'];
    const clients = new Map(names.map((name) => [name, new SecureClient(name, bytes(name))]));
    const peers = Object.fromEntries([...clients].map(([name, client]) => [name, client.advertise()]));
    const boxes = new Map([...clients].map(([name, client]) => [name, client.shareOut(peers, 3)]));
    const a = clients.get('a');
    a?.mask([1], Object.fromEntries(['b', 'c', 'd'].map((name) => [name, boxes.get(name)?.['a'] ?? ''])));
    const given = a?.unmask(['a', 'b', 'c']);
    assert.deepEqual(
      [Object.keys(given?.self ?? {}).sort(), Object.keys(given?.pairwise ?? {})],
      [['a', 'b', 'c'], ['d']],
    );
    assert.throws(() => a?.unmask(['a', 'b', 'd']), AdbreakError);
    assert.throws(() => clients.get('b')?.unmask(['b']), AdbreakError, 'too few survivors');
  });
  test('a box that was changed on its way, or a peer that comes twice, ends the device’s part', () => {
    const clients = ['a', 'b', 'c'].map((name) => new SecureClient(name, bytes(name)));
    const [a, b, c] = clients;
    const peers = { a: a?.advertise(), b: b?.advertise(), c: c?.advertise() } as Record<
      string,
      { channel: string; mask: string }
    >;
    a?.shareOut(peers, 2);
    const box = b?.shareOut(peers, 2)['a'] ?? '';
    const changed = Buffer.from(box, 'base64');
    changed[40] = (changed[40] ?? 0) ^ 1;
    assert.throws(() => a?.mask([1], { b: changed.toString('base64') }));
    assert.throws(
      () =>
        new SecureClient('x', bytes('x')).shareOut(
          { ...peers, x: peers['a'] ?? { channel: '', mask: '' } },
          3,
        ),
      AdbreakError,
    );
  });
  test('masks of equal seeds are equal, of others not', () => {
    assert.deepEqual(maskOf(new Uint8Array(32), 4), maskOf(new Uint8Array(32), 4));
    assert.notDeepEqual(maskOf(new Uint8Array(32), 4), maskOf(new Uint8Array(32).fill(1), 4));
  });
});
