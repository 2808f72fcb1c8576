import { DEFAULT_DECIDER, type DeciderSettings } from '@adbreak/shared/decide/decider.js';
import type { ScoredSample } from '../ports.js';
import { metricsOf } from './metrics.js';
import { breaksOf, type Timeline, timelinesOf } from './timeline.js';
import { costOf } from './viewing.js';

export interface Choice {
  readonly decision: DeciderSettings;
  /** Why it is this one, for people. */
  readonly reason: string;
}

/** Fewer breaks fit anything: the agent's own parameters stay. */
const FEWEST_BREAKS = 6;
/**
 * What is chosen must be better by this share of the cost, or the agent's own parameters stay: less is
 * chance.
 */
const WORTH_IT = 0.05;
const OWN = "the agent's own parameters";
const GRID = {
  threshold: [0.4, 0.45, 0.5, 0.55, 0.6],
  meanSeconds: [30, 60, 120],
  clamp: [0.75, 0.85, 0.95],
  enter: [0.7, 0.8, 0.9, 0.95],
  leave: [0.05, 0.1, 0.2],
} as const;

/**
 * The parameters of the agent's decision, chosen on the validation split: those that cost a viewer least
 * (`costOf`). Pictures without time have no decision to play; for them the threshold alone is chosen, by F1.
 */
export function chooseDecision(validation: readonly ScoredSample[]): Choice {
  const timelines = timelinesOf(validation);
  if (timelines.length === 0) return chooseThreshold(validation);
  const breaks = timelines.reduce((sum, timeline) => sum + breaksOf(timeline).length, 0);
  return breaks < FEWEST_BREAKS ? tooFew(breaks) : cheapest(timelines);
}

function tooFew(breaks: number): Choice {
  return {
    decision: DEFAULT_DECIDER,
    reason: `${OWN}: ${breaks} breaks in the validation split are too few to choose by (${FEWEST_BREAKS})`,
  };
}

function cheapest(timelines: readonly Timeline[]): Choice {
  const usual = costOf(timelines, DEFAULT_DECIDER);
  let best = { decision: DEFAULT_DECIDER, cost: usual };
  for (const decision of candidates()) {
    const cost = costOf(timelines, decision);
    if (cost < best.cost) best = { decision, cost };
  }
  if (best.cost > (1 - WORTH_IT) * usual)
    return {
      decision: DEFAULT_DECIDER,
      reason: `${OWN}: of ${candidates().length} others none costs a viewer clearly less on validation`,
    };
  return {
    decision: best.decision,
    reason: [
      `of ${candidates().length} choices it costs a viewer least on the validation split:`,
      `${best.cost.toFixed(0)} s an hour, with ${OWN} ${usual.toFixed(0)}`,
    ].join(' '),
  };
}

function candidates(): DeciderSettings[] {
  return GRID.threshold.flatMap((threshold) =>
    GRID.meanSeconds.flatMap((meanSeconds) =>
      GRID.clamp.flatMap((clamp) =>
        GRID.enter.flatMap((enter) =>
          GRID.leave.map((leave) => ({ threshold, meanSeconds, clamp, enter, leave })),
        ),
      ),
    ),
  );
}

function chooseThreshold(validation: readonly ScoredSample[]): Choice {
  const f1At = (threshold: number) => metricsOf(validation, threshold).f1;
  const usual = f1At(DEFAULT_DECIDER.threshold);
  const best = GRID.threshold.reduce((a, b) => (f1At(b) > f1At(a) ? b : a));
  const gain = f1At(best) - usual;
  if (gain < 0.01)
    return {
      decision: DEFAULT_DECIDER,
      reason: `${OWN}: single pictures have no breaks to choose by, and no threshold is clearly better`,
    };
  return {
    decision: { ...DEFAULT_DECIDER, threshold: best },
    reason: [
      'single pictures have no breaks to choose by: the threshold has the best F1 on the validation split,',
      `better by ${gain.toFixed(3)}; the rest are ${OWN}`,
    ].join(' '),
  };
}
