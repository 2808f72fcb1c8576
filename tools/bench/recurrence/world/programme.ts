import type { Random } from '@adbreak/shared/random.js';
import type { Channel, Genre } from '@adbreak/trainer/dataset/synthetic/channels.js';
import type { Item } from '@adbreak/trainer/dataset/synthetic/schedule.js';
import type { Layer } from '../sound/layers.js';
import { type Cue, excerpt, FPS, framesIn, type Material, whole } from './cue.js';

/** Scenes that follow each other, and the replays within them, each as two places of the same pictures. */
export interface Block {
  readonly cues: readonly Cue[];
  readonly replays: readonly {
    readonly id: string;
    /** In frames of the block: the play, and what is shown of it again. */
    readonly places: readonly [readonly [number, number], readonly [number, number]];
  }[];
}

const REPLAYS = 0.5;
/** How often a scene has the channel's own music under it. */
const CHANNEL_BED = 0.12;

/** At least `seconds` of one programme. What `id` names is shown nowhere else. */
export function block(
  random: Random,
  channel: Channel,
  { id, seconds }: { id: string; seconds: number },
): Block {
  const genre = random.pick(channel.genres);
  const cues: Cue[] = [];
  const replays: Block['replays'][number][] = [];
  for (let scene = 0; framesIn(cues) < seconds * FPS; scene++) {
    const seed = `${id}/${scene}/${random.integer(1e9)}`;
    const item: Item = { kind: 'scene', genre, seconds: Math.round(random.between(120, 400)) / 10, seed };
    const start = framesIn(cues);
    const cue = whole(item, sceneLayers(random, channel, genre, seed));
    cues.push(cue);
    if (genre !== 'sport' || random.uniform() >= REPLAYS) continue;
    const long = Math.round(random.between(5, 8) * FPS);
    const first = cue.frames - long - random.integer(3 * FPS);
    cues.push(...close(random, seed), ...replayed(cue, first, long, seed));
    const again = framesIn(cues) - long;
    replays.push({
      id: `replay-${seed}`,
      places: [
        [start + first, start + first + long],
        [again, again + long],
      ],
    });
  }
  return { cues, replays };
}

/** A face between the play and its replay. */
function close(random: Random, seed: string): Cue[] {
  const item: Item = {
    kind: 'scene',
    genre: 'interview',
    seconds: Math.round(random.between(30, 80)) / 10,
    seed: `${seed}/close`,
  };
  return [whole(item, [{ kind: 'crowd', seed: `${seed}/close`, level: 1 }])];
}

/** The same pictures; the crowd is another moment's, and somebody else speaks. */
function replayed(cue: Cue, first: number, frames: number, seed: string): Cue[] {
  const layers: Layer[] = [
    { kind: 'crowd', seed: `${seed}/again`, level: 0.7 },
    { kind: 'speech', seed: `${seed}/again`, level: 0.9 },
  ];
  return excerpt([{ ...cue, layers, soundFirst: 0 }], first, first + frames);
}

function sceneLayers(random: Random, channel: Channel, genre: Genre, seed: string): Layer[] {
  const speech: Layer = { kind: 'speech', seed, level: 0.8 };
  const room: Layer = { kind: 'room', seed, level: 0.3 };
  const bed: Layer = { kind: 'music', seed: `bed/${channel.name}`, level: 0.3 };
  const under = random.uniform() < CHANNEL_BED ? [bed] : [];
  switch (genre) {
    case 'sport':
      return [{ kind: 'crowd', seed, level: 1 }, ...(random.uniform() < 0.8 ? [speech] : [])];
    case 'drama':
      return [room, ...random.pick([[speech], [speech, { kind: 'music', seed, level: 0.35 } as const], []])];
    case 'news':
    case 'interview':
      return [room, speech, ...under];
  }
}

/** A programme of which nothing is shown twice within: it can be repeated as a whole. */
export function asRepeat(id: string, { cues }: Block): Material {
  return { id, family: id, class: 'repeat', cues };
}
