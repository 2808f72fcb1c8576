import type { ErrorCode } from '@adbreak/shared/errors.js';
import type { Attack } from '../attack.js';
import type { Ground } from '../ground.js';
import { type Asked, ask, JSON_BODY, refusalOf } from './ask.js';

/** A plan that everything passes; in this form it is one that an administrator may bring. */
const STAGES = [
  { name: 'shadow', percent: 0, minEpisodes: 10, soakHours: 0 },
  { name: 'all', percent: 100, minEpisodes: 10, soakHours: 0 },
];
const PLAN = { name: 'mine', margin: 0.1, minDevices: 1, stages: STAGES };

/** The ways of a plan into the hub by which something would move. */
const WAYS: readonly (readonly [name: string, ask: (plan: unknown, ground: Ground) => [string, object]])[] = [
  [
    'promote',
    (plan) => ['/api/v1/models/base-ad-detector/versions/1.0.0/promote', { plan, supersede: true }],
  ],
  ['rollback', (plan, { rollout }) => [`/api/v1/rollouts/${rollout}/rollback`, { plan, reason: 'mine' }]],
  [
    'compare',
    (plan) => ['/api/v1/rollouts/compare', { model: 'base-ad-detector', versions: ['1.0.0', '2.0.0'], plan }],
  ],
];
function post([path, body]: [string, object], token: string | undefined): Asked {
  return { method: 'POST', path, token, headers: JSON_BODY, send: JSON.stringify(body) };
}

/** Beyond what a plan may say, whoever writes it; `why` is a part of what the hub says of it. */
const DISARMED: readonly (readonly [what: string, why: string, plan: object])[] = [
  ['a margin of 49 points', 'margin', { margin: 0.49 }],
  ['a margin of no number', 'margin', { margin: 'NaN' }],
  ['a coin for a verdict', 'alphaPromote', { alphaPromote: 0.49 }],
  ['harm that nothing proves', 'alphaHarm', { alphaHarm: 1e-9 }],
  ['more tolerance than margin', 'tolerance', { tolerance: 0.2 }],
  ['no devices', 'minDevices', { minDevices: 0 }],
  ['no stages', 'stages', { stages: [] }],
  ['no shadow', 'shadow', { stages: STAGES.slice(1) }],
  ['one stage that is all', 'stages', { stages: [{ ...STAGES[1], percent: 100 }] }],
  [
    'stages that shrink',
    'stages',
    { stages: [...STAGES, { ...STAGES[0], name: 'x' }, { ...STAGES[1], name: 'y' }] },
  ],
  ['stages of no episodes', 'minEpisodes', { stages: STAGES.map((one) => ({ ...one, minEpisodes: 0 })) }],
  ['answers that are all wrong', 'wrong', { wrong: 1 }],
  ['everybody left behind', 'maxExcluded', { maxExcluded: 1 }],
  ['silence that never holds', 'silence', { silence: { share: 1 } }],
  ['crashes without end', 'abort', { abort: { crashesPerDay: 1e6 } }],
  ['no alarm in a hundred years', 'world', { world: { falseAlarmHours: 1e6 } }],
  ['a field that no plan has', 'force', { force: true }],
];

function refusedFor(why: string, refused: ErrorCode, asked: (ground: Ground) => Asked): Attack['attempt'] {
  return async (ground, rogue) => {
    const answer = await ask(ground, rogue, asked(ground));
    const heard = refusalOf(answer);
    if (heard.code === refused && !answer.body.includes(why))
      throw new Error(`it was refused for another reason: ${answer.body.slice(0, 300)}`);
    return heard;
  };
}

export const GATE: readonly Attack[] = [
  ...WAYS.flatMap(([name, way]): Attack[] => [
    {
      name: `an operator brings a plan of their own: ${name}`,
      refused: 'forbidden',
      attempt: refusedFor('a plan that comes with the call', 'forbidden', (ground) =>
        post(way(PLAN, ground), ground.tokens.get('operator')),
      ),
    },
    {
      name: `an operator takes an administrator’s plan by its name: ${name}`,
      refused: 'forbidden',
      attempt: refusedFor('the plan demo', 'forbidden', (ground) =>
        post(way('demo', ground), ground.tokens.get('operator')),
      ),
    },
  ]),
  ...DISARMED.map(
    ([what, why, change]): Attack => ({
      name: `an administrator brings a plan with ${what}`,
      refused: 'input_invalid',
      attempt: refusedFor(why, 'input_invalid', ({ tokens }) => {
        const plan = { ...PLAN, ...change };
        const path = '/api/v1/models/base-ad-detector/versions/2.0.0/promote';
        return post([path, { plan, supersede: true }], tokens.get('admin'));
      }),
    }),
  ),
  {
    name: 'an operator asks for a share of more than all devices',
    refused: 'input_invalid',
    attempt: async (ground, rogue) => {
      const path = '/api/v1/models/base-ad-detector/versions/2.0.0/promote';
      const asked = post([path, { rollout_percentage: 1e9 }], ground.tokens.get('operator'));
      return refusalOf(await ask(ground, rogue, asked));
    },
  },
];
