import { z } from 'zod';
import { COMMAND_ID, refusedReply } from './commands.js';
import { instantSchema } from './instant.js';
import { MODEL_NAME, modelRef, VERSION } from './manifest.js';
import { deviceId } from './messages.js';
import { DEVICE_ID } from './topics.js';

/** What people's programs and other machines say over MQTT: commands, answers, and the state of rollouts. */

/** A viewer looks, an operator moves what the gate lets move, an administrator also what it holds back. */
export const OPERATOR_ROLES = ['viewer', 'operator', 'admin'] as const;
export type OperatorRole = (typeof OPERATOR_ROLES)[number];

/** How far ahead a deadline may lie: who is asked what to do tomorrow is asked tomorrow. */
export const OPERATOR_DEADLINE_MS = 24 * 3_600_000;

const MOST_ROLLOUTS = 10;
const instant = instantSchema();
const modelName = z.string().regex(MODEL_NAME);
const rolloutId = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/);
const planName = z.string().regex(/^[a-z0-9-]{1,40}$/);
const percent = z.number().min(0).max(100);
const reason = z.string().trim().min(1).max(500);
const tagName = z.string().regex(/^[a-z0-9_-]{1,60}$/);
const tagValue = z.string().min(1).max(60);
const few = (tags: object) => Object.keys(tags).length <= 50;

const deadline = instant.describe(
  'Until when it may be begun, by the clock of the hub; at most 24 hours ahead.',
);
const plan = planName
  .nullable()
  .default(null)
  .describe('A plan of the hub by its name; null: the one for calls that name none.');

const promote = z.strictObject({
  command: z.literal('promote').describe('Roll a version out, or raise the ceiling of its rollout.'),
  deadline,
  model: modelName.describe('Name of the model.'),
  version: z.string().regex(VERSION).describe('A registered version of it.'),
  percent: percent.gt(0).default(100).describe('The share of devices beyond which it does not go by itself.'),
  plan,
  supersede: z.boolean().default(false).describe('Ends the rollout of another version that is running.'),
});
const order = z.strictObject({
  command: z
    .enum(['pause', 'resume', 'approve', 'abort'])
    .describe('A word on a rollout: stop, go on, yes to its next stage, end it.'),
  deadline,
  rollout: rolloutId.describe('Id of the rollout.'),
  reason: reason.default('no reason given').describe('Why; it stays in the log.'),
});
const rollback = z.strictObject({
  command: z.literal('rollback').describe("Take a completed rollout's version back."),
  deadline,
  rollout: rolloutId.describe('Id of the completed rollout.'),
  reason: reason.describe('Why; it stays in the log.'),
  plan,
});
const setDevice = z
  .strictObject({
    command: z.literal('set-device').describe("Change a device's model or tags."),
    deadline,
    device: deviceId.describe('Its name.'),
    model: modelName.nullable().default(null).describe('The model that it shall run; null: as before.'),
    tags: z
      .record(tagName, tagValue.nullable())
      .refine(few, 'at most 50 tags at once')
      .default({})
      .describe('Tags to set; null takes one away, those not named stay.'),
  })
  .refine(({ model, tags }) => model !== null || Object.keys(tags).length > 0, {
    path: ['model'],
    error: 'model or tags must be given',
  });
const status = z.strictObject({
  command: z.literal('status').describe('How a model and its rollouts stand.'),
  deadline,
  model: modelName.describe('Name of the model.'),
});

/** Never more than what the same role may ask for over HTTP: `force` and plans in full are HTTP's alone. */
export const operatorCommand = z.discriminatedUnion('command', [promote, order, rollback, setDevice, status]);
export type OperatorCommand = z.infer<typeof operatorCommand>;

/** The least role; a stage may ask for an administrator's approval, a plan for an administrator. */
export const LEAST_ROLE = {
  status: 'viewer',
  promote: 'operator',
  pause: 'operator',
  resume: 'operator',
  approve: 'operator',
  abort: 'operator',
  rollback: 'operator',
  'set-device': 'operator',
} as const satisfies Record<OperatorCommand['command'], OperatorRole>;

export function roleSuffices(role: OperatorRole, command: OperatorCommand['command']): boolean {
  return OPERATOR_ROLES.indexOf(role) >= OPERATOR_ROLES.indexOf(LEAST_ROLE[command]);
}

/** The state of one rollout, retained. A reader may be older than the hub: what it does not know it leaves out. */
export const rolloutState = z.object({
  revision: z
    .int()
    .nonnegative()
    .describe('Grows with each event of the rollout: the highest one is the newest.'),
  id: rolloutId.describe('Id of the rollout.'),
  model: modelName.describe('Name of the model.'),
  kind: z.enum(['rollout', 'rollback']).describe('`rollback`: the version was in production before.'),
  from: modelRef.describe('The version in production when it began.'),
  to: modelRef.describe('The version that is rolled out.'),
  status: z
    .string()
    .max(40)
    .describe(
      '`running`, `paused`, `suspended`, `watching`; ended: `completed`, `rolled-back`, `aborted`, `superseded`.',
    ),
  stage: z
    .object({
      index: z.int().nonnegative().describe('From 0.'),
      of: z.int().positive().describe('How many the plan has.'),
      name: z.string().max(40).describe('Its name in the plan.'),
      since: instant.describe('When it began.'),
    })
    .describe('Where it is in its plan.'),
  percent: percent.describe('Share of devices on which the new version acts now.'),
  ceiling: percent.describe('The share beyond which it does not go until a person raises it.'),
  devices: z
    .object({
      members: z.int().nonnegative().describe('Devices that run both versions.'),
      acting: z.int().nonnegative().describe('Of these, the new version acts on.'),
    })
    .describe('Whom it reaches.'),
  episodes: z.number().nonnegative().describe('Distinct episodes that were compared.'),
  last: z
    .object({
      at: instant.describe('When it was decided.'),
      verdict: z.string().max(40).describe('What the gate said; `ORDER`: a person did.'),
      cause: z.string().max(40).describe('In one word.'),
      reason: z.string().max(2000).describe('For people.'),
      action: z.string().max(40).describe('What followed.'),
    })
    .nullable()
    .describe('The last decision; null before the first.'),
  startedAt: instant.describe('When it began.'),
  at: instant.describe('When this was written, by the clock of the hub.'),
});
export type RolloutState = z.infer<typeof rolloutState>;

const doneReply = z.object({
  outcome: z.literal('done').describe('It took effect; the same command again has the same answer.'),
  at: instant.describe('When, by the clock of the hub.'),
  model: modelName.describe('The model that it was about.'),
  production: modelRef.nullable().describe('Its version in production now.'),
  rollouts: z
    .array(rolloutState)
    .max(MOST_ROLLOUTS)
    .describe(
      'The rollout that it was about; for `status` and `set-device` those of the model that are under way.',
    ),
  device: z
    .object({
      id: deviceId.describe('Its name.'),
      model: modelName.describe('The model that it shall run.'),
      tags: z.record(tagName, tagValue).describe('All its tags.'),
    })
    .nullable()
    .default(null)
    .describe('The device that it was about; null: it was about none.'),
});
export const operatorReply = z.discriminatedUnion('outcome', [doneReply, refusedReply]);
export type OperatorReply = z.infer<typeof operatorReply>;

const OPERATORS = 'adbreak/v1/operators';
const ROLLOUTS = 'adbreak/v1/rollouts';
/** The subscription to all rollouts. */
export const ALL_ROLLOUTS = `${ROLLOUTS}/+`;

type OperatorTopic =
  | { readonly kind: 'commands' | 'replies'; readonly operator: string; readonly id: string }
  | { readonly kind: 'rollouts'; readonly rollout: string };

/** Where an operator sends a command; its answer comes to the same name under `replies`. */
export function operatorTopic(operator: string, kind: 'commands' | 'replies', id: string): string {
  return `${OPERATORS}/${operator}/${kind}/${id}`;
}
/** Where the hub keeps the state of a rollout. */
export function rolloutTopic(rollout: string): string {
  return `${ROLLOUTS}/${rollout}`;
}

/** What a topic of an operator or of a rollout is, or null for any other. */
export function parseOperatorTopic(topic: string): OperatorTopic | null {
  const levels = topic.split('/');
  if (topic.startsWith(`${ROLLOUTS}/`)) {
    const [rollout, ...more] = levels.slice(3);
    return more.length === 0 && rolloutId.safeParse(rollout).success
      ? { kind: 'rollouts', rollout: rollout ?? '' }
      : null;
  }
  const [operator = '', kind, id = '', ...more] = topic.startsWith(`${OPERATORS}/`) ? levels.slice(3) : [];
  if (more.length > 0 || !isOperatorName(operator) || !COMMAND_ID.test(id)) return null;
  return kind === 'commands' || kind === 'replies' ? { kind, operator, id } : null;
}

/** What an operator may subscribe to: its own answers and rollouts, one of them or all; no other wildcard. */
export function isOperatorFilter(operator: string, filter: string): boolean {
  if (filter === `${OPERATORS}/${operator}/replies/+` || filter === ALL_ROLLOUTS)
    return isOperatorName(operator);
  const topic = parseOperatorTopic(filter);
  return (
    topic !== null && (topic.kind === 'rollouts' || (topic.kind === 'replies' && topic.operator === operator))
  );
}

/** An operator's name has the form of a device's. */
export function isOperatorName(name: string): boolean {
  return DEVICE_ID.test(name);
}

/**
 * `operator:NAME`, or `operator:NAME:PROGRAM` where several programs of one operator are connected at once. No device
 * has a colon in its name, so neither can take over the session of the other. Gives the name, or null.
 */
export function operatorOfClient(clientId: string): string | null {
  const [, name = ''] = /^operator:([a-z0-9-]+)(?::[a-z0-9-]{1,32})?$/.exec(clientId) ?? [];
  return isOperatorName(name) ? name : null;
}
