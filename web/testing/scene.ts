import type { LabelRecording, LabelSignals, QueueItem, Spot } from '@adbreak/shared/contract/labelling.js';
import { drawBroadcast, type Media, readMedia } from './media.js';
import type { Told } from './server.js';

/** An evening of two recordings with breaks that share their spots. */

export const FIRST = 'aaaaaaaaaaaaaaa1';
export const SECOND = 'aaaaaaaaaaaaaaa2';
/** Ad breaks of the first recording, seconds; each spot takes fifteen. */
const BREAKS = [30, 90] as const;
const SPOT_SECONDS = 15;

export function recordingOf(id: string, name: string, media: Media): LabelRecording {
  return {
    id,
    name,
    aliases: [],
    duration: media.duration,
    width: 640,
    height: 360,
    hasSound: true,
    analysis: 'ready',
    progress: 1,
    problem: null,
    labelled: {},
  };
}

export function signalsOf(duration: number): LabelSignals {
  const steps = Math.floor(duration * 10);
  const inBreak = (time: number) => BREAKS.some((start) => time >= start && time < start + 2 * SPOT_SECONDS);
  return {
    waveStep: 0.1,
    wave: Array.from({ length: steps }, (_, i) => Math.abs(0.5 + 0.35 * Math.sin(i / 7) * Math.cos(i / 31))),
    cuts: Array.from({ length: Math.floor(duration / 5) }, (_, i) => (i + 1) * 5),
    black: BREAKS.map((start): [number, number] => [start - 0.4, start]),
    silence: BREAKS.map((start): [number, number] => [start - 0.5, start + 0.1]),
    model: Array.from({ length: Math.floor(duration) }, (_, i): [number, number] => [
      i,
      Math.min(0.98, Math.max(0.02, (inBreak(i) ? 0.86 : 0.12) + 0.1 * Math.sin(i / 3))),
    ]),
    modelName: 'first-model 1.0.0',
  };
}

const airing = (recording: string, start: number) => ({
  recording,
  start,
  end: start + SPOT_SECONDS,
  confidence: 0.97,
});
const spot = (id: string, starts: readonly [string, number][]): Spot => ({
  id,
  class: 'spot',
  confidence: 0.94,
  why: `${starts.length} airings of 15 s, all in breaks`,
  airings: starts.map(([recording, start]) => airing(recording, start)),
});

export const SPOTS: Spot[] = [
  spot('S1', [
    [FIRST, 30],
    [FIRST, 90],
    [SECOND, 15],
  ]),
  spot('S2', [
    [FIRST, 45],
    [FIRST, 105],
  ]),
];

const item = (
  recording: string,
  start: number,
  spotId: string | null,
  airings: number,
  why: string,
): QueueItem => ({
  recording,
  start,
  end: start + SPOT_SECONDS,
  spot: spotId,
  airings,
  gain: airings * 0.42,
  why,
  guess: spotId === null ? null : 'ad',
});

/** Media of the first and the second recording, drawn by ffmpeg. */
export function drawScene(folder: string): Told {
  const first = readMedia(folder, drawBroadcast(folder, 'first.mp4', 120));
  const second = readMedia(folder, drawBroadcast(folder, 'second.mp4', 40));
  return {
    recordings: [
      recordingOf(FIRST, 'channel-one/evening.mp4', first),
      recordingOf(SECOND, 'channel-two/night.mp4', second),
    ],
    media: { [FIRST]: first, [SECOND]: second },
    signals: { [FIRST]: signalsOf(120), [SECOND]: signalsOf(40) },
    spots: SPOTS,
    queue: [
      item(FIRST, 30, 'S1', 3, 'the same 15 s in both recordings, never labelled'),
      item(FIRST, 45, 'S2', 2, 'the same 15 s twice, the model says 0.88'),
      item(SECOND, 25, null, 1, 'the model is unsure: 0.47'),
    ],
    agreement: { pairs: [], control: [], disputes: [] },
    hasModel: true,
  };
}
