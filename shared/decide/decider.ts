import type { Label } from '../video/labels.js';

/**
 * From p(ad) of single frames to a steady AD or CONTENT: the forward filter of a two-state hidden Markov
 * model (Rabiner 1989, section III-A) whose states last `meanSeconds` on average, then hysteresis on its
 * posterior. `edge/decide/hindsight.ts` has the same model for who knows the whole recording.
 */
export interface DeciderSettings {
  /**
   * p(ad) that speaks for neither side, above 0 and under 1: from here on a single frame is called an
   * advertisement.
   */
  readonly threshold: number;
  /** Mean length of an advertisement break and of a programme block, seconds. */
  readonly meanSeconds: number;
  /** A frame's p(ad) is trusted no further than this: one certain frame must not flip the state. */
  readonly clamp: number;
  /** Posterior to enter AD, and to leave it. */
  readonly enter: number;
  readonly leave: number;
}
export const DEFAULT_DECIDER: DeciderSettings = {
  threshold: 0.5,
  meanSeconds: 60,
  clamp: 0.85,
  enter: 0.8,
  leave: 0.2,
};

export interface DeciderState {
  readonly label: Label;
  /** Posterior of AD after the last frame. */
  readonly posterior: number;
  /** Media time of the last frame; null before the first. */
  readonly time: number | null;
  /** When the posterior last crossed one half towards the other label: where the change will be dated. */
  readonly turned: number;
}
export interface Change {
  readonly label: Label;
  /** When it began, before hysteresis was sure of it. */
  readonly since: number;
}

export const INITIAL_DECIDER: DeciderState = { label: 'content', posterior: 0.3, time: null, turned: 0 };

/** One frame: `time` in seconds of media, `probability` p(ad). Gives the change when the label changed. */
export function decide(
  settings: DeciderSettings,
  state: DeciderState,
  time: number,
  probability: number,
): { state: DeciderState; change: Change | null } {
  const prior = predicted(state.posterior, swapBetween(settings, state.time, time));
  const posterior = updated(settings, prior, probability);
  const towards = likelier(posterior);
  const turned = towards !== likelier(state.posterior) ? time : state.turned;
  const label = labelAfter(state.label, posterior, settings);
  return {
    state: { label, posterior, time, turned },
    change: label === state.label ? null : { label, since: turned },
  };
}

/**
 * How likely AD and CONTENT change places between two frames; not at all before the first, nor where time
 * stands still.
 */
export function swapBetween({ meanSeconds }: DeciderSettings, before: number | null, time: number): number {
  const elapsed = before === null ? 0 : Math.max(0, time - before);
  return (1 - Math.exp((-2 * elapsed) / meanSeconds)) / 2;
}

/** The posterior of one frame carried on to the next, before that one is looked at. */
export function predicted(posterior: number, swap: number): number {
  return posterior * (1 - swap) + (1 - posterior) * swap;
}

/** Bayes' rule for one frame, trusted as far as `clamp` allows. */
export function updated(settings: DeciderSettings, prior: number, probability: number): number {
  const p = evidenceOf(settings, probability);
  return (prior * p) / (prior * p + (1 - prior) * (1 - p));
}

/** p(ad) with the threshold moved to one half (its odds over the threshold's), no surer than the clamp allows. */
export function evidenceOf({ threshold, clamp }: DeciderSettings, probability: number): number {
  const [ad, content] = [probability * (1 - threshold), (1 - probability) * threshold];
  return Math.min(clamp, Math.max(1 - clamp, ad / (ad + content)));
}

export function likelier(posterior: number): Label {
  return posterior >= 0.5 ? 'ad' : 'content';
}

/** A label stays until the posterior has crossed the threshold on its far side. */
export function labelAfter(label: Label, posterior: number, { enter, leave }: DeciderSettings): Label {
  if (label === 'content') return posterior >= enter ? 'ad' : 'content';
  return posterior <= leave ? 'content' : 'ad';
}
