import { totalOf } from '../rollouts/evidence.js';
import { type Difference, differenceOf } from '../rollouts/gate.js';
import { type Entry, isActive, percentOf, type Rollout } from '../rollouts/rollout.js';
import { episodesOf, standingOf } from '../rollouts/standing.js';
import type { StoredRollout } from '../store/state.js';

/**
 * The candidate's difference with its confidence sequence, as of the gate's last look. Pages ask every two
 * seconds: it is made once a look.
 */
const differences = new WeakMap<Entry, Difference | null>();
function differenceView(rollout: Rollout) {
  if (rollout.last === null) return null;
  if (!isActive(rollout)) return rollout.summary?.difference ?? null;
  const known = differences.get(rollout.last) ?? differenceOf(standingOf(rollout), rollout.plan);
  differences.set(rollout.last, known);
  return known;
}

/** A rollout for people: without the bulk that only the gate needs, and the store's own note. */
export function view(rollout: Rollout & Partial<Pick<StoredRollout, 'seen'>>) {
  const {
    seen: _____,
    drift: _,
    windowsBefore: __,
    baseline: ___,
    placed: ____,
    uncountedHours: ______,
    evidence,
    ...rest
  } = rollout;
  return {
    ...rest,
    evidence: Object.fromEntries(
      Object.entries(evidence.devices).map(
        ([device, { own, episodes, windows, waiting, cluster, control }]) => [
          device,
          { ...totalOf(own), episodes, windows, waiting, cluster, control },
        ],
      ),
    ),
    percent: percentOf(rollout),
    difference: differenceView(rollout),
    episodes: Math.round(isActive(rollout) ? episodesOf(rollout) : (rollout.summary?.episodes ?? 0)),
    stageName: rollout.plan.stages[rollout.stage]?.name ?? '',
  };
}
