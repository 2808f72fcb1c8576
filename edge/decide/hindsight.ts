import {
  type Change,
  type DeciderSettings,
  INITIAL_DECIDER,
  likelier,
  predicted,
  swapBetween,
  updated,
} from '@adbreak/shared/decide/decider.js';
import type { Scored } from './scored.js';

/**
 * The posterior of AD at each frame given all frames, before it and after it: the filter of `decide`, then
 * smoothing from the end (forward-backward; Rabiner 1989, section III-A, in the form of Kitagawa 1987: what
 * is filtered is corrected by what is known of the next frame). The parameters are those of `decide`.
 */
export function posteriors(settings: DeciderSettings, frames: readonly Scored[]): Float64Array {
  const filtered = new Float64Array(frames.length);
  const priors = new Float64Array(frames.length);
  const swaps = new Float64Array(frames.length);
  let posterior = INITIAL_DECIDER.posterior;
  let before: number | null = null;
  frames.forEach(({ time, probability }, i) => {
    swaps[i] = swapBetween(settings, before, time);
    priors[i] = predicted(posterior, swaps[i] ?? 0);
    posterior = updated(settings, priors[i] ?? 0, probability);
    filtered[i] = posterior;
    before = time;
  });
  const smoothed = Float64Array.from(filtered);
  for (let i = frames.length - 2; i >= 0; i--) {
    const [next, prior, swap] = [smoothed[i + 1] ?? 0, priors[i + 1] ?? 0, swaps[i + 1] ?? 0];
    const [ad, content] = [next / prior, (1 - next) / (1 - prior)];
    smoothed[i] = (filtered[i] ?? 0) * ((1 - swap) * ad + swap * content);
  }
  return smoothed;
}

/**
 * The changes of label in a whole recording. A stretch on one side of one half counts when the posterior is
 * sure somewhere in it, by the thresholds that the live decision has to cross; else it belongs to what was
 * before, or at the beginning to what comes. It is dated to the frame with which it begins.
 */
export function changesInHindsight(settings: DeciderSettings, frames: readonly Scored[]): Change[] {
  const smoothed = posteriors(settings, frames);
  const stretches: (Change & { sure: boolean })[] = [];
  frames.forEach(({ time }, i) => {
    const posterior = smoothed[i] ?? 0;
    const label = likelier(posterior);
    const sure = label === 'ad' ? posterior >= settings.enter : posterior <= settings.leave;
    const open = stretches.at(-1);
    if (open?.label !== label) stretches.push({ label, since: time, sure });
    else open.sure ||= sure;
  });
  const changes: Change[] = [];
  for (const { label, since, sure } of stretches) {
    const before = changes.at(-1);
    if (sure && label !== before?.label)
      changes.push({ label, since: before === undefined ? (frames[0]?.time ?? 0) : since });
  }
  return changes;
}
