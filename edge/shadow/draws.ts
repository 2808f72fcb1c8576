import { DRAW_RATES } from '@adbreak/shared/contract/messages.js';

/** What the windows that are over say about the windows to come. */
export interface DrawState {
  /** Disagreements a week: an average of past windows, newer ones weigh more. */
  readonly disagreements: number;
  /** Seconds of watching that the average rests on. */
  readonly watched: number;
  /** Seconds without an episode until now. */
  readonly idle: number;
  /** What is left to be asked for, in weeks of the budget: draws take from it, time fills it. */
  readonly credit: number;
  /** The rate of the window that is open. */
  readonly rate: number;
}
/** What one window was like. */
export interface WindowOutcome {
  readonly episodes: number;
  readonly disagreements: number;
  readonly drawn: number;
}

const DAY = 86_400;
const WEEK = 7 * DAY;
/** Before anything was watched: so many disagreements a week, believed as much as one day of watching. */
const ASSUMED = { disagreements: 700, watched: DAY };
/** At most half a week's budget is saved up: in no week more than one and a half budgets are asked for. */
const MOST_CREDIT = 0.5;
const LOWEST_RATE = Math.min(...DRAW_RATES);

/** A device's first window. `perWeek` null: nobody limits how often people are asked. */
export function firstDraws(perWeek: number | null, windowSeconds: number): DrawState {
  const state = { ...ASSUMED, idle: 0, credit: MOST_CREDIT, rate: 1 };
  return { ...state, rate: nextRate(state, perWeek, windowSeconds) };
}

/**
 * The state when a window is over, with the rate of the next one. That rate looks at nothing in the window it is for.
 * `outcome` null: there was no candidate, so nothing was compared.
 */
export function afterWindow(
  state: DrawState,
  outcome: WindowOutcome | null,
  perWeek: number | null,
  windowSeconds: number,
): DrawState {
  const credit = creditAfter(state, outcome?.drawn ?? 0, perWeek, windowSeconds);
  const learnt = { ...(outcome === null ? state : learn(state, outcome, windowSeconds)), credit };
  return { ...learnt, rate: nextRate(learnt, perWeek, windowSeconds) };
}

/**
 * The largest rate whose expected draws stay within the budget of a week, and within what is left for a day. It rises by a
 * factor of 2 a window at most: a set that was off for long, or a quiet night, does not end in a storm of questions.
 * Without a budget every disagreement is drawn.
 */
export function nextRate(state: DrawState, perWeek: number | null, windowSeconds: number): number {
  if (perWeek === null) return 1;
  // A window longer than a day has to be paid at once.
  const ahead = Math.min(1, Math.max(DAY, windowSeconds) / WEEK);
  const affordable = (rate: number) => {
    const expected = (rate * state.disagreements) / perWeek;
    return expected <= 1 && expected * ahead <= state.credit;
  };
  return DRAW_RATES.find((rate) => rate <= 2 * state.rate && affordable(rate)) ?? LOWEST_RATE;
}

/** Exponentially weighted over a week of watching; less was watched: the plain mean of it. */
function learn(
  state: DrawState,
  { episodes, disagreements }: WindowOutcome,
  windowSeconds: number,
): DrawState {
  const idle = episodes > 0 ? 0 : state.idle + windowSeconds;
  // A set that is off at night does disagree less in a week; one that has been off for days says nothing any more.
  if (idle > DAY) return { ...state, idle };
  const watched = Math.min(WEEK, state.watched + windowSeconds);
  const weight = Math.min(1, windowSeconds / watched);
  const seen = disagreements * (WEEK / windowSeconds);
  return {
    ...state,
    idle,
    watched,
    disagreements: state.disagreements + weight * (seen - state.disagreements),
  };
}

function creditAfter(
  { credit }: DrawState,
  drawn: number,
  perWeek: number | null,
  windowSeconds: number,
): number {
  return perWeek === null
    ? MOST_CREDIT
    : Math.min(MOST_CREDIT, credit + windowSeconds / WEEK - drawn / perWeek);
}
