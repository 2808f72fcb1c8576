import { SMALL_FLEET } from './gate.js';
import type { Plan } from './plan.js';
import { count, percent, points } from './words.js';

/** Two devices must break a limit before it stops a rollout (health.ts): one alone may be broken itself. */
const LEAST_FOR_LIMITS = 2;

/** What a fleet of so few devices cannot show by a plan, a sentence each; none where it is not so small. Pure. */
export function smallFleet({ margin, evidence, stages }: Plan, devices: number): string[] {
  if (devices === 0 || devices >= SMALL_FLEET || evidence === 'no-harm') return [];
  const fleet = devices === 1 ? 'one device' : `${devices} devices`;
  const first = stages.find(({ percent: share }) => share > 0);
  const acting = first === undefined ? 1 : Math.max(1, Math.round((devices * first.percent) / 100));
  return [
    `${fleet} can show that a candidate is no worse by ${points(margin)}, and nothing finer: a completed rollout may have made it worse by up to that`,
    'what is found holds for what is watched here, and is no evidence for other channels, sites or hardware',
    acting === devices
      ? `the first stage in which the candidate acts, ${first?.name ?? 'all'}, is all of the fleet: nothing beside it stays on production to compare with, and viewers see what is wrong`
      : `the first stage in which the candidate acts is ${count(acting, 'device')}, ${percent(acting / devices)} of the fleet`,
    ...(acting < LEAST_FOR_LIMITS
      ? [
          `limits of crashes, latency and memory need ${LEAST_FOR_LIMITS} devices that break them: while the candidate acts on one, they stop nothing, and a person has to look`,
        ]
      : []),
  ];
}
