import type { Random } from '@adbreak/shared/random.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';
import type { Channel, Genre } from './channels.js';

/** What is on. Items of one kind and seed show the same pictures: that is how something airs again. */
export type Item = { readonly seconds: number; readonly seed: string } & (
  | { readonly kind: 'scene'; readonly genre: Genre }
  /** The end of a scene of so many seconds once more, at half its speed. */
  | { readonly kind: 'replay'; readonly genre: Genre; readonly sceneSeconds: number }
  /** Something of the channel's own. */
  | { readonly kind: 'ident' | 'trailer' }
  /** Of one spot there are voice-overs 0 and 1 to the same pictures. */
  | { readonly kind: 'advert'; readonly style: AdvertStyle; readonly voice: 0 | 1 }
  | { readonly kind: 'black'; readonly inBreak: boolean }
);
/**
 * story: looks like a programme until its end card; offer: product and prices; spokesman: a person who talks
 * to us.
 */
export type AdvertStyle = 'story' | 'offer' | 'spokesman';

/** How often what was shown before is taken, and not something new. */
const AGAIN = { advert: 0.35, trailer: 0.5, voice: 0.3 } as const;
const REPLAYS = 0.4;
const TRAILERS = 0.4;
const IDENTS = 0.6;
type Spot = Extract<Item, { kind: 'advert' }>;

/**
 * Programme blocks and breaks until `seconds` are filled. Spots, trailers and idents air again within a
 * broadcast, as they do on television; each comes from its broadcast's seed, idents from the channel's: no
 * spot is ever in two splits.
 */
export function schedule(random: Random, channel: Channel, seconds: number): Item[] {
  const items: Item[] = [];
  const filled = () => items.reduce((sum, item) => sum + item.seconds, 0);
  while (filled() < seconds) {
    items.push(...block(random, channel, items));
    items.push(...commercialBreak(random, channel, items));
  }
  return items;
}

function block(random: Random, channel: Channel, before: readonly Item[]): Item[] {
  const items: Item[] = [];
  const genre = random.pick(channel.genres);
  const seedOf = (kind: string) => `${kind}${before.length + items.length}/${random.integer(1e9)}`;
  if (before.length > 0 && random.uniform() < IDENTS) items.push(ident(channel));
  for (let scene = 0, count = 3 + random.integer(4); scene < count; scene++) {
    const [sceneSeconds, seed] = [tenth(random.between(8, 18)), seedOf('scene')];
    items.push({ kind: 'scene', genre, seconds: sceneSeconds, seed });
    if (genre === 'sport' && random.uniform() < REPLAYS)
      items.push({ kind: 'replay', genre, sceneSeconds, seconds: tenth(random.between(4, 7)), seed });
  }
  if (random.uniform() >= TRAILERS) return items;
  const shown = before.filter(({ kind }) => kind === 'trailer');
  const trailer: Item = { kind: 'trailer', seconds: tenth(random.between(8, 12)), seed: seedOf('trailer') };
  items.push(shown.length > 0 && random.uniform() < AGAIN.trailer ? random.pick(shown) : trailer);
  return items;
}

function commercialBreak(random: Random, channel: Channel, before: readonly Item[]): Item[] {
  const items: Item[] = random.uniform() < IDENTS ? [ident(channel)] : [];
  const aired = before.filter((item) => item.kind === 'advert');
  const black = (inBreak: boolean) =>
    items.push({ kind: 'black', inBreak, seconds: tenth(random.between(0.6, 1)), seed: '' });
  black(true);
  for (let shown = 0, count = 3 + random.integer(3); shown < count; shown++) {
    const others = aired.filter(({ seed }) => items.every((item) => item.seed !== seed));
    const fresh = newSpot(random, before.length + items.length);
    items.push(others.length > 0 && random.uniform() < AGAIN.advert ? airedAgain(random, others) : fresh);
    black(shown < count - 1);
  }
  return items;
}

function newSpot(random: Random, place: number): Spot {
  return {
    kind: 'advert',
    style: random.pick(['story', 'offer', 'offer', 'spokesman'] as const),
    seconds: tenth(random.between(9, 18)),
    seed: `advert${place}/${random.integer(1e9)}`,
    voice: 0,
  };
}

function airedAgain(random: Random, spots: readonly Spot[]): Spot {
  return { ...random.pick(spots), voice: random.uniform() < AGAIN.voice ? 1 : 0 };
}

function ident(channel: Channel): Item {
  return { kind: 'ident', seconds: 2.5, seed: `ident/${channel.name}` };
}

export function labelOfItem(item: Item): Label {
  switch (item.kind) {
    case 'scene':
    case 'replay':
    case 'ident':
    case 'trailer':
      return 'content';
    case 'advert':
      return 'ad';
    case 'black':
      return item.inBreak ? 'ad' : 'content';
  }
}

/** The ground truth: a row for each item, also for the black between two. */
export function timeline(items: readonly Item[]): Span[] {
  const spans: Span[] = [];
  let start = 0;
  items.forEach((item) => {
    const end = start + item.seconds;
    spans.push({ start: round(start), end: round(end), label: labelOfItem(item) });
    start = end;
  });
  return spans;
}

const tenth = (value: number) => Math.round(value * 10) / 10;
const round = (value: number) => Math.round(value * 1000) / 1000;
