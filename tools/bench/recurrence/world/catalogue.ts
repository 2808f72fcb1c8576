import type { Random } from '@adbreak/shared/random.js';
import type { Channel } from '@adbreak/trainer/dataset/synthetic/channels.js';
import type { Item } from '@adbreak/trainer/dataset/synthetic/schedule.js';
import type { Layer } from '../sound/layers.js';
import { type Cue, excerpt, FPS, framesIn, type Material, whole } from './cue.js';

/** An advertisement as it is booked: in one length or two, with one voice or two. */
export interface Campaign {
  readonly family: string;
  /** The first is the usual one. */
  readonly versions: readonly Material[];
  /** How often it airs, beside the others. */
  readonly weight: number;
  /** The name of the one channel that shows it; null: all do. */
  readonly channel: string | null;
  /** Always shown right after it. */
  readonly companion: Material | null;
}

const LENGTHS = [8, 10, 10, 12, 15, 15, 20, 20, 30] as const;
/** Zipf: the one of rank r airs in proportion to 1 / r to this power. */
const ZIPF = 0.85;
/** How many of the campaigns have what. */
const SHARE = { national: 0.5, cutDown: 0.2, otherVoice: 0.1, otherCard: 0.1, sharedBed: 0.25 } as const;
const COMPANIONS = 2;
const CARD_SECONDS = 3;
/** Pieces of music that several campaigns use. */
const BEDS = 2;

/** What is advertised in a world, the most frequent first. */
export function campaigns(random: Random, count: number, channels: readonly Channel[]): Campaign[] {
  return Array.from({ length: count }, (_, rank) => {
    const own = random.fork(`campaign/${rank}`);
    const family = `spot-${String(rank + 1).padStart(3, '0')}`;
    const bed = own.uniform() < SHARE.sharedBed ? `bed-${own.integer(BEDS)}` : family;
    const usual = spot(own, { id: family, bed });
    const hasCompanion = rank >= 2 && rank < 2 + COMPANIONS;
    return {
      family,
      versions: [usual, ...otherVersions(own, usual)],
      weight: 1 / (rank + 1) ** ZIPF,
      channel: own.uniform() < SHARE.national ? null : own.pick(channels).name,
      companion: hasCompanion ? spot(own, { id: `${family}-companion`, bed: `${family}-companion` }) : null,
    };
  });
}

/** A new advertisement. `seed` of its pictures and sound comes from chance, its music from `bed`. */
export function spot(random: Random, { id, bed }: { id: string; bed: string }): Material {
  const item: Item = {
    kind: 'advert',
    style: random.pick(['story', 'offer', 'offer', 'spokesman'] as const),
    seconds: random.pick(LENGTHS) + random.pick([0, 0, 0, 0.2, -0.4]),
    seed: `${id}/${random.integer(1e9)}`,
    voice: 0,
  };
  const music: Layer = { kind: 'music', seed: bed === id ? item.seed : bed, level: random.between(0.5, 1) };
  const voice: Layer = { kind: 'speech', seed: item.seed, level: random.between(0.7, 1.1) };
  const layers = random.pick([[music, voice], [music, voice], [music], [voice]]);
  return { id, family: id, class: 'spot', cues: [whole(item, layers)] };
}

function otherVersions(random: Random, usual: Material): Material[] {
  const chance = random.uniform();
  const { cutDown, otherVoice, otherCard } = SHARE;
  if (chance < cutDown) return cutDowns(random, usual);
  if (chance < cutDown + otherVoice) return [inOtherVoice(usual)];
  if (chance < cutDown + otherVoice + otherCard) return [withOtherCard(random, usual)];
  return [];
}

/** Its first or its last part, at least 6 s. */
function cutDowns(random: Random, usual: Material): Material[] {
  const frames = framesIn(usual.cues);
  const kept = Math.max(6 * FPS, Math.round(frames * random.between(0.4, 0.6)));
  if (kept > frames * 0.7) return [];
  const part = random.pick(['first', 'last'] as const);
  const from = part === 'first' ? 0 : frames - kept;
  return [{ ...usual, id: `${usual.id}/${part}`, cues: excerpt(usual.cues, from, from + kept) }];
}

/** The same pictures and music, and other words. */
function inOtherVoice(usual: Material): Material {
  const cues = usual.cues.map((cue): Cue => {
    const others = cue.layers.filter(({ kind }) => kind !== 'speech');
    return { ...cue, layers: [...others, { kind: 'speech', seed: `${cue.item.seed}/voice`, level: 0.9 }] };
  });
  return { ...usual, id: `${usual.id}/voice`, cues };
}

/** The last seconds show and say something else: another shop, another town. */
function withOtherCard(random: Random, usual: Material): Material {
  const [cue] = usual.cues;
  if (cue === undefined) return usual;
  const seed = `${cue.item.seed}/card/${random.integer(1e9)}`;
  const card: Item = { kind: 'advert', style: 'offer', seconds: CARD_SECONDS, seed, voice: 0 };
  const music = cue.layers.filter(({ kind }) => kind === 'music');
  const frames = cue.frames - CARD_SECONDS * FPS;
  const end: Cue = {
    ...whole(card, [...music, { kind: 'speech', seed, level: 0.9 }]),
    soundFirst: frames,
  };
  return { ...usual, id: `${usual.id}/card`, cues: [{ ...cue, frames }, end] };
}

/** What a channel says about itself. */
export interface House {
  readonly idents: readonly Material[];
  readonly trailers: readonly Material[];
}

export function house(random: Random, channel: Channel): House {
  return {
    idents: [2.8, 5.2].map((seconds, i) => ident(`${channel.name}-ident-${i}`, channel, seconds)),
    trailers: Array.from({ length: 4 }, (_, i) =>
      trailer(random.fork(`trailer/${i}`), `${channel.name}-trailer-${i}`),
    ),
  };
}

function ident(id: string, channel: Channel, seconds: number): Material {
  const item: Item = { kind: 'ident', seconds, seed: id };
  const layers: Layer[] = [{ kind: 'music', seed: `ident/${channel.name}/${id}`, level: 1 }];
  return { id, family: id, class: 'ident', cues: [whole(item, layers)] };
}

function trailer(random: Random, id: string): Material {
  const seed = `${id}/${random.integer(1e9)}`;
  const item: Item = { kind: 'trailer', seconds: random.pick([9, 12, 15, 20]), seed };
  const layers: Layer[] = [
    { kind: 'music', seed, level: 0.8 },
    { kind: 'speech', seed, level: 1 },
  ];
  return { id, family: id, class: 'trailer', cues: [whole(item, layers)] };
}
