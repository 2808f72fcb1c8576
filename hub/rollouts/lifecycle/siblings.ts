import { promotionLog, type Sibling, weigh } from '../gate.js';
import { isActive, type Rollout } from '../rollout.js';
import { standingOf } from '../standing.js';

/** What the other candidates of a group have, for the gate to count them in. */
export function siblingsOf(rollouts: readonly Rollout[], { id, group, plan }: Rollout): Sibling[] {
  if (group === null) return [];
  return rollouts
    .filter((other) => other.group === group && other.id !== id)
    .map((other) => {
      const weighed = weigh(standingOf(other), plan);
      const passed = other.last?.cause === 'siblings' || other.last?.cause === 'outdone' || other.stage > 0;
      return {
        id: other.id,
        // JSON has no infinity: the log must hold what the gate saw.
        log: Math.max(
          -Number.MAX_VALUE,
          Math.min(Number.MAX_VALUE, promotionLog(weighed, other.stage === plan.stages.length - 1)),
        ),
        status:
          !isActive(other) || other.last?.verdict === 'INCONCLUSIVE' ? 'ended' : passed ? 'passed' : 'open',
        difference: weighed.difference,
      };
    });
}
