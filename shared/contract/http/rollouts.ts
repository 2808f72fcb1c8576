import { z } from 'zod';
import { anyReason, count, modelName, reason, share, version } from './common.js';
import { contract } from './contract.js';
import { askedPlan, planView } from './plan.js';
import { rolloutView } from './rollout-view.js';

const params = z.object({ id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/) });
const orderBody = z.strictObject({
  reason: anyReason,
  percent: z.number().min(0).max(100).optional(),
});

const show = contract({
  method: 'GET',
  path: '/api/v1/rollouts/{id}',
  access: 'viewer',
  summary: 'A rollout: where it is, what the gate has seen and decided.',
  params,
  answer: rolloutView,
});
const explain = contract({
  method: 'GET',
  path: '/api/v1/rollouts/{id}/explain',
  access: 'viewer',
  summary: 'Why a rollout is where it is, and what would change the verdict.',
  params,
  answer: z.object({
    headline: z.string(),
    sections: z.array(z.object({ title: z.string(), lines: z.array(z.string()) })),
    text: z.string(),
  }),
});
const events = contract({
  method: 'GET',
  path: '/api/v1/rollouts/{id}/events',
  access: 'viewer',
  summary: 'The event log of a rollout, for `adbreak rollouts replay`.',
  params,
  answer: { media: 'application/x-ndjson', holds: 'one event a line; docs/protocol/rollout-events.md' },
});

const order = <const N extends string>(name: N, summary: string) =>
  contract({
    method: 'POST',
    path: `/api/v1/rollouts/{id}/${name}`,
    access: 'operator',
    summary,
    params,
    body: orderBody,
    bodyIs: `the order ${name}`,
    answer: rolloutView,
  });
const pause = order('pause', 'Nothing advances; evidence goes on, and harm still takes it back.');
const resume = order('resume', 'It goes on after a pause, or in the shadow after a suspension.');
const abort = order('abort', 'It ends: production acts everywhere.');
const ceiling = order('ceiling', 'It may go on to a larger share of devices (`percent`).');
const approve = contract({
  ...order('approve', 'The yes that a stage waits for.'),
  more: 'The stage says whose: a plan may ask for an administrator.',
});
const force = contract({
  ...order('force', 'Past the gate to the next stage, by a person’s word.'),
  access: 'admin',
  body: z.strictObject({ reason }),
});
const rollback = contract({
  method: 'POST',
  path: '/api/v1/rollouts/{id}/rollback',
  access: 'operator',
  summary: 'Takes a completed rollout’s version back, as a rollout of the version before it.',
  params,
  body: z.strictObject({ reason, plan: askedPlan }),
  bodyIs: 'the rollback',
  answer: rolloutView,
  status: 201,
});
const compare = contract({
  method: 'POST',
  path: '/api/v1/rollouts/compare',
  access: 'operator',
  summary:
    'Several candidates beside one production; each device runs one of them, the best that passes goes on.',
  body: z.strictObject({
    model: modelName,
    versions: z.array(version).min(2).max(5),
    plan: askedPlan,
  }),
  bodyIs: 'the comparison',
  answer: z.object({ rollouts: z.array(rolloutView) }),
  status: 201,
});
const plans = contract({
  method: 'GET',
  path: '/api/v1/plans',
  access: 'viewer',
  summary: 'The hub’s own plans, which an operator uses by their names.',
  answer: z.object({
    /** For promote and rollback calls that name none, and the one for fleets that are too small for the first. */
    promote: z.string(),
    rollback: z.string(),
    small: z.string().nullable(),
    plans: z.array(planView),
  }),
});

/**
 * Of simulated rollouts: the share that got there in time, and medians until then; null where most never did.
 */
const chance = z.object({
  share,
  episodes: z.number().nullable(),
  days: z.number().nullable(),
  answers: z.number().nullable(),
});
/** Null: never. */
const days = z.number().nullable();
const plan = contract({
  method: 'POST',
  path: '/api/v1/rollouts/plan',
  access: 'viewer',
  summary: 'Before anything moves: who would move when, and how long the gates would take.',
  more: 'Nothing moves by a forecast, so a plan of one’s own may be tried by anybody who may look.',
  body: z.strictObject({ model: modelName, plan: askedPlan }),
  bodyIs: 'the plan',
  answer: z.object({
    rates: z.object({
      episodesPerDay: z.number(),
      disagreement: z.number(),
      answered: z.number(),
      correlation: z.number(),
      sources: z.array(z.string()),
    }),
    devices: count,
    channels: count,
    drawRate: z.number(),
    stages: z.array(
      z.object({
        name: z.string(),
        acting: z.array(z.string()),
        fromDay: days,
        untilDay: days,
        episodes: z.number().nullable(),
      }),
    ),
    promotion: chance,
    completion: chance,
    harm: z.array(chance.extend({ difference: z.number() })),
    decidable: z.object({ margin: z.number(), days }).nullable(),
    warnings: z.array(z.string()),
    text: z.string(),
  }),
});

export const rollouts = {
  show,
  explain,
  events,
  pause,
  resume,
  abort,
  ceiling,
  approve,
  force,
  rollback,
  compare,
  plans,
  plan,
};
