import type { Random } from '@adbreak/shared/random.js';
import type { Label, Span } from '@adbreak/shared/video/labels.js';
import type { Channel, Genre } from './channels.js';

/** What is on: one scene of a programme, one advertisement, a trailer of the channel's own, or black between them. */
export type Item = { readonly seconds: number; readonly seed: string } & (
  | { readonly kind: 'scene'; readonly genre: Genre }
  | { readonly kind: 'trailer' }
  | { readonly kind: 'advert'; readonly style: AdvertStyle }
  | { readonly kind: 'black'; readonly inBreak: boolean }
);
/** story: looks like a programme until its end card; offer: product and prices; spokesman: a person who talks to us. */
export type AdvertStyle = 'story' | 'offer' | 'spokesman';

/**
 * Programme blocks and breaks until `seconds` are filled. Every advert is a new one, seeded by its broadcast: none is
 * counted twice, and none is ever in two splits.
 */
export function schedule(random: Random, channel: Channel, seconds: number): Item[] {
  const items: Item[] = [];
  const advert = (): Item => ({
    kind: 'advert',
    style: random.pick(['story', 'offer', 'offer', 'spokesman'] as const),
    seconds: tenth(random.between(9, 18)),
    seed: `advert${items.length}/${random.integer(1e9)}`,
  });
  const filled = () => items.reduce((sum, item) => sum + item.seconds, 0);
  const black = (inBreak: boolean) =>
    items.push({ kind: 'black', inBreak, seconds: tenth(random.between(0.6, 1)), seed: '' });
  while (filled() < seconds) {
    const genre = random.pick(channel.genres);
    for (let scene = 0, count = 3 + random.integer(4); scene < count; scene++)
      items.push({
        kind: 'scene',
        genre,
        seconds: tenth(random.between(8, 18)),
        seed: `scene${items.length}/${random.integer(1e9)}`,
      });
    if (random.uniform() < 0.4)
      items.push({
        kind: 'trailer',
        seconds: tenth(random.between(8, 12)),
        seed: `trailer${items.length}/${random.integer(1e9)}`,
      });
    black(true);
    for (let shown = 0, count = 3 + random.integer(3); shown < count; shown++) {
      items.push(advert());
      black(shown < count - 1);
    }
  }
  return items;
}

export function labelOfItem(item: Item): Label {
  switch (item.kind) {
    case 'scene':
    case 'trailer':
      return 'content';
    case 'advert':
      return 'ad';
    case 'black':
      return item.inBreak ? 'ad' : 'content';
  }
}

/** The ground truth. Black joins what follows or precedes it: a row is a scene or an advertisement. */
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
