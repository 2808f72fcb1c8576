import { AdbreakError } from '@adbreak/shared/errors.js';
import { runFfmpeg } from '@adbreak/shared/video/run-ffmpeg.js';
import { SIZE } from './render.js';
import { FPS } from './world/cue.js';

/** What happens to a recording on its way. */
interface Step {
  readonly video?: readonly string[];
  readonly sound?: readonly string[];
  /** ffmpeg's options for codecs. */
  readonly codecs?: readonly string[];
  /** The name's ending, where the container is another. */
  readonly ending?: 'ts';
  /** When that which was at `seconds` is shown now. */
  readonly clock?: (seconds: number) => number;
}

const RATE = 48_000;
const even = (index: number) => index % 2 === 0;
const lost = (share: number, seed: number): Step => ({
  // The first stays: from it the clock is read.
  video: [`select='if(eq(n,0),st(0,${seed}),gt(random(0),${share}))'`],
});
/** 16 to 235, taken for 0 to 255, is squeezed into 16 to 235 once more. */
const SQUEEZED = 'lutyuv=y=16+val*219/255:u=128+(val-128)*224/255:v=128+(val-128)*224/255';
const LOGO = [
  'drawbox=x=18:y=12:w=44:h=22:color=white@0.75:t=fill',
  'drawbox=x=26:y=17:w=12:h=12:color=red@0.9:t=fill',
  'drawbox=x=42:y=20:w=14:h=6:color=black@0.8:t=fill',
];
const PHASE_SECONDS = 0.31;
const NTSC = 30_000 / 1001;
/** What the filter fps does: each picture goes to the nearest place of the new rate. */
const onGrid = (seconds: number, fps: number) => Math.round(seconds * fps) / fps;
const TO_NTSC: Step = { video: ['fps=30000/1001'], clock: (seconds) => onGrid(seconds, NTSC) };
const LATER: Step = {
  video: [`trim=start=${PHASE_SECONDS}`, `setpts=PTS-${PHASE_SECONDS}/TB`],
  sound: [`atrim=start=${PHASE_SECONDS}`, `asetpts=PTS-${PHASE_SECONDS}/TB`],
  clock: (seconds) => seconds - PHASE_SECONDS,
};
const LETTERBOX = `scale=${SIZE.width}:136,pad=${SIZE.width}:${SIZE.height}:0:22`;
const PILLARBOX = `scale=240:${SIZE.height},pad=${SIZE.width}:${SIZE.height}:40:0`;
const speed = (factor: number, sound: string): Step => ({
  video: [`setpts=PTS/${factor}`, `fps=${FPS}`],
  sound: [sound],
  clock: (seconds) => onGrid(seconds / factor, FPS),
});
/** As tape does it: the pitch with it. */
const FASTER = speed(1.005, `asetrate=${RATE * 1.005},aresample=${RATE}`);
/** As machines do it: the pitch stays. */
const SLOWER = speed(0.995, 'atempo=0.995');

const LOW_MPEG2: Step = {
  codecs: [
    '-c:v',
    'mpeg2video',
    '-b:v',
    '350k',
    '-maxrate',
    '500k',
    '-bufsize',
    '500k',
    '-g',
    '15',
    '-bf',
    '2',
  ].concat(['-c:a', 'mp2', '-b:a', '48k', '-ac', '1', '-ar', String(RATE)]),
  ending: 'ts',
};
const LOW_H264: Step = {
  codecs: [
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-b:v',
    '90k',
    '-maxrate',
    '150k',
    '-bufsize',
    '300k',
  ].concat(['-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '48k']),
};

/** By name, in the order of a broadcast's way, what is done to the recording of an index: neighbours are distorted in different ways. */
const ALONE = {
  levels: (index) => [{ video: [even(index) ? SQUEEZED : 'eq=gamma=1.25'] }],
  logo: (index) => (even(index) ? [] : [{ video: LOGO }]),
  boxes: (index) => [{ video: [even(index) ? LETTERBOX : PILLARBOX] }],
  speed: (index) => [[], [FASTER], [SLOWER]][index % 3] ?? [],
  phase: (index) => [even(index) ? LATER : TO_NTSC],
  lost: (index) => [lost(even(index) ? 0.01 : 0.03, index + 1)],
  bitrate: (index) => [even(index) ? LOW_MPEG2 : LOW_H264],
} as const satisfies Record<string, (index: number) => readonly Step[]>;

const DISTORTIONS = {
  ...ALONE,
  all: (index: number) => Object.values(ALONE).flatMap((one): readonly Step[] => one(index)),
};

export type Distortion = keyof typeof DISTORTIONS;
export const DISTORTION_NAMES: readonly Distortion[] = Object.keys(DISTORTIONS).filter(isDistortion);

export function isDistortion(name: string): name is Distortion {
  return Object.hasOwn(DISTORTIONS, name);
}

/** Throws `config_invalid` for a name that is none. */
export function distortionOf(name: string): Distortion {
  if (isDistortion(name)) return name;
  throw new AdbreakError(
    'input_invalid',
    `Cannot distort: must be one of ${DISTORTION_NAMES.join(', ')}: current value is ${name}`,
  );
}

export const endingOf = (name: Distortion, index: number) =>
  stepsOf(name, index).find(({ ending }) => ending !== undefined)?.ending ?? 'mkv';

/** When that which was at `seconds` of the recording is shown after the distortion, but for the container's own start. */
export function clockOf(name: Distortion, index: number): (seconds: number) => number {
  const steps = stepsOf(name, index);
  return (seconds) => steps.reduce((at, { clock }) => clock?.(at) ?? at, seconds);
}

function stepsOf(name: Distortion, index: number): readonly Step[] {
  return DISTORTIONS[name](index);
}

/** Writes the distorted recording. Throws as `runFfmpeg` does. */
export async function distort(
  { name, index, input, output }: { name: Distortion; index: number; input: string; output: string },
  signal?: AbortSignal,
): Promise<void> {
  const steps = stepsOf(name, index);
  const video = steps.flatMap((step) => step.video ?? []);
  const sound = steps.flatMap((step) => step.sound ?? []);
  const codecs = steps.flatMap((step) => step.codecs ?? []);
  const asBefore = ['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '25', '-pix_fmt', 'yuv420p'].concat([
    '-c:a',
    'aac',
    '-b:a',
    '96k',
  ]);
  const args = [
    ...['-i', `file:${input}`],
    ...(video.length > 0 ? ['-vf', video.join(',')] : []),
    ...(sound.length > 0 ? ['-af', sound.join(',')] : []),
    ...['-fps_mode', 'vfr', '-threads', '1'],
    ...(codecs.length > 0 ? codecs : asBefore),
    ...['-f', endingOf(name, index) === 'ts' ? 'mpegts' : 'matroska', `file:${output}`],
  ];
  await runFfmpeg({ args, output }, signal);
}
