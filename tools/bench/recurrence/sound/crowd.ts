import { seeded } from '@adbreak/shared/random.js';
import { SAMPLE_RATE } from './rate.js';

/** Seconds between two moments at which a crowd changes its mind. */
const MOOD = 0.5;

/** Many people: noise like surf that swells and sinks, with a cheer now and then. */
export function addCrowd(sum: Float32Array, seed: string, level: number): void {
  const random = seeded(`crowd/${seed}`);
  const every = Math.round(MOOD * SAMPLE_RATE);
  let [slow, middle, fast] = [0, 0, 0];
  let [from, to] = [0.5, 0.5];
  let tint = random.between(0.2, 0.8);
  for (let i = 0; i < sum.length; i++) {
    if (i % every === 0) {
      from = to;
      to = random.uniform() < 0.06 ? 2 : Math.min(1.2, Math.max(0.25, to * random.between(0.7, 1.35)));
      tint = Math.min(0.9, Math.max(0.1, tint + random.between(-0.2, 0.2)));
    }
    const white = random.uniform() * 2 - 1;
    slow += 0.02 * (white - slow);
    middle += 0.15 * (white - middle);
    fast += 0.5 * (white - fast);
    const loud = from + ((to - from) * (i % every)) / every;
    sum[i] = (sum[i] ?? 0) + level * loud * (2 * slow + (1 - tint) * middle + tint * (fast - middle));
  }
}

/** A room with nobody speaking: a hum, and hiss that nobody hears. */
export function addRoom(sum: Float32Array, seed: string, level: number): void {
  const random = seeded(`room/${seed}`);
  const hum = random.between(48, 120);
  let low = 0;
  for (let i = 0; i < sum.length; i++) {
    low += 0.05 * (random.uniform() * 2 - 1 - low);
    sum[i] = (sum[i] ?? 0) + level * (low + 0.1 * Math.sin((2 * Math.PI * hum * i) / SAMPLE_RATE));
  }
}
