/** A seeded generator: the only source of chance in pure code. Streams of different names are independent. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform integer in [0, n). */
  integer(n: number): number;
  pick<T>(items: readonly T[]): T;
  /** Standard normal, Box-Muller. */
  normal(): number;
  shuffle<T>(items: readonly T[]): T[];
  fork(name: string): Random;
}

/** sfc32 (PractRand; 128 bits of state), seeded by FNV-1a over the seed's text. */
export function seeded(seed: number | string): Random {
  const next = sfc32(String(seed));
  const uniform = () => next() / 2 ** 32;
  const integer = (n: number) => Math.floor(uniform() * n);
  return {
    uniform,
    integer,
    between: (low, high) => low + (high - low) * uniform(),
    pick: (items) => {
      const item = items[integer(items.length)];
      if (item === undefined) throw new RangeError('Cannot pick from an empty list');
      return item;
    },
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: (items) => {
      const keyed = items.map((item) => ({ item, key: uniform() }));
      return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
    },
    fork: (name) => seeded(`${seed}/${name}`),
  };
}

/** 32 bits of a text (Fowler, Noll, Vo; over its UTF-16 units); another salt gives others. */
export function fnv1a(text: string, salt = 0): number {
  let h = 0x811c9dc5 ^ salt;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

function sfc32(text: string): () => number {
  let a = fnv1a(text, 1);
  let b = fnv1a(text, 2);
  let c = fnv1a(text, 3);
  let counter = 1;
  const step = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i++) step();
  return step;
}
