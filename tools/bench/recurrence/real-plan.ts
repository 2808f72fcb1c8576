import { seeded } from '@adbreak/shared/random.js';
import type { Layer } from './sound/layers.js';

/** A stretch of a recording: a video of the package, or a source of ffmpeg's. */
export interface Segment {
  readonly source: string;
  readonly filters: readonly string[];
  /** A multiple of a frame's. */
  readonly seconds: number;
  /** Its sound; null: that of the video. */
  readonly layers: readonly Layer[] | null;
  /** Which of the stretches that recur; null: shown once. */
  readonly item: string | null;
}

interface RealRecording {
  readonly name: string;
  readonly ending: 'mkv' | 'ts';
  /** ffmpeg's options for its codecs. */
  readonly quality: readonly string[];
  readonly segments: readonly Segment[];
}

const h264 = (...rest: string[]) => [
  '-c:v',
  'libx264',
  '-preset',
  'veryfast',
  '-pix_fmt',
  'yuv420p',
  ...rest,
];
const QUALITIES = [
  { ending: 'mkv', quality: h264('-crf', '20', '-c:a', 'aac', '-b:a', '128k') },
  {
    ending: 'mkv',
    quality: h264('-b:v', '120k', '-maxrate', '160k', '-bufsize', '320k', '-c:a', 'aac', '-b:a', '48k'),
  },
  {
    ending: 'ts',
    quality: ['-c:v', 'mpeg2video', '-b:v', '900k', '-g', '15', '-bf', '2', '-c:a', 'mp2', '-b:a', '128k'],
  },
  {
    ending: 'ts',
    quality: ['-c:v', 'mpeg2video', '-b:v', '400k', '-g', '15', '-bf', '2', '-c:a', 'mp2', '-b:a', '48k'],
  },
] as const;

/** What recurs: 5 s of a film with its own sound, and 5 s of street with music of ours, for the video has none. */
const BUNNY: Segment = { source: 'bigbuckbunny.mp4', filters: [], seconds: 5, layers: null, item: 'bunny' };
const BIKES: Segment = {
  source: 'bikes.mp4',
  filters: ['trim=start=1:end=6', 'setpts=PTS-STARTPTS'],
  seconds: 5,
  layers: [{ kind: 'music', seed: 'bikes', level: 0.8 }],
  item: 'bikes',
};
/** In each recording: which stretches, between fillings. */
const PLACES = [
  [BUNNY, BIKES, BUNNY],
  [BIKES, BUNNY],
  [BUNNY, BIKES, BIKES],
  [BIKES, BUNNY, BUNNY],
] as const;

/** Seconds of what is shown once, between two stretches. */
const FILLING = [18, 40] as const;

export const RECORDINGS: readonly RealRecording[] = PLACES.map((places, i) => {
  const { ending, quality } = QUALITIES[i] ?? QUALITIES[0];
  return {
    name: `real-${i + 1}`,
    ending,
    quality,
    segments: [...places.flatMap((place, k) => [...filling(i, k), place]), ...filling(i, places.length)],
  };
});

/** Pictures that are nowhere else: fractals, and what lives by rules; with the other video slowed down, once each recording. */
function filling(recording: number, place: number): Segment[] {
  const name = `filling/${recording}/${place}`;
  const random = seeded(name);
  const made = (source: string): Segment => ({
    source,
    filters: [],
    seconds: Math.round(random.between(...FILLING)),
    layers: [
      random.pick([
        { kind: 'crowd', seed: name + source, level: 1 },
        { kind: 'music', seed: name + source, level: 0.6 },
      ] as const),
      { kind: 'speech', seed: name + source, level: 0.8 },
    ],
    item: null,
  });
  const fractal = `mandelbrot=s=320x180:r=25:start_scale=${random.between(0.02, 0.8)}:end_pts=900:start_x=${random.between(-0.78, -0.72)}:start_y=${random.between(-0.2, -0.1)}`;
  const life = `life=s=80x45:r=12:seed=${random.integer(1e9)}:ratio=0.2:mold=8:life_color=0xd0e0ff:death_color=0x406020:mold_color=0x302010`;
  const segments = random.shuffle([made(fractal), made(life)]);
  return place === 1 ? [...segments, carphone(recording, made('carphone_pristine.mp4'))] : segments;
}

/** A second of it in each recording, at a fifth of its speed, in a window of its own. */
function carphone(recording: number, segment: Segment): Segment {
  const crop = `crop=110:80:${10 + 15 * recording}:${5 + 18 * recording}`;
  const part = [`trim=start=${recording}:end=${recording + 0.96}`, 'setpts=5*(PTS-STARTPTS)', crop];
  return { ...segment, filters: part, seconds: 4 };
}
