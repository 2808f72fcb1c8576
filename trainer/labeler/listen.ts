import { hasCode } from '@adbreak/shared/errors.js';
import { greyFrames } from '@adbreak/shared/video/exact.js';
import { LOOK, Look } from './look.js';
import { WAVE_RATE, WAVE_STEP, Wave } from './wave.js';

/** What the timeline shows of a recording beside its pictures; seconds from its start. */
export interface Heard {
  readonly waveStep: number;
  readonly wave: readonly number[];
  readonly cuts: readonly number[];
  readonly black: readonly (readonly [number, number])[];
  readonly silence: readonly (readonly [number, number])[];
}
interface Source {
  readonly path: string;
  readonly name: string;
  readonly facts: { readonly start: number; readonly hasSound: boolean };
}

/** Whoever watches comes first. */
const NICE = 10;

/**
 * Looks at all frames and listens to all sound of a recording, once, in one pass of ffmpeg; `onTime` hears how far it is. What
 * comes before damage counts. Throws as `greyFrames` does where it gives no frame, and the signal's reason.
 */
export async function listen(
  { path, name, facts: { start, hasSound } }: Source,
  onTime: (seconds: number) => void,
  signal: AbortSignal,
): Promise<Heard> {
  const [look, wave] = [new Look(), new Wave()];
  const sound = { rate: WAVE_RATE, hear: (samples: Float32Array) => wave.add(samples) };
  const preprocess = { ...LOOK, scaler: 'area' as const };
  const request = { source: path, name, start, preprocess, nice: NICE, ...(hasSound && { sound }) };
  let count = 0;
  try {
    for await (const { time, pixels } of greyFrames(request, signal)) {
      look.add(time, pixels);
      onTime(time);
      count += 1;
    }
  } catch (error) {
    if (count === 0 || !hasCode(error, 'video_unreadable')) throw error;
  }
  signal.throwIfAborted();
  look.end();
  wave.end();
  return {
    ...{ waveStep: WAVE_STEP, wave: wave.wave, silence: wave.silence },
    ...{ cuts: look.cuts, black: look.black },
  };
}
