import { COMMAND_LIMIT } from '@adbreak/shared/contract/commands.js';
import { deviceCommand, deviceReply } from '@adbreak/shared/contract/device-commands.js';
import { manifest } from '@adbreak/shared/contract/manifest.js';
import {
  desired,
  enrolRequest,
  enrolResponse,
  event,
  MESSAGE_LIMIT,
  renewRequest,
  renewResponse,
  reported,
  status,
  windowReport,
} from '@adbreak/shared/contract/messages.js';
import { operatorCommand, operatorReply, rolloutState } from '@adbreak/shared/contract/operators.js';
import { roundReport } from '@adbreak/shared/contract/rounds.js';
import { signedDesired } from '@adbreak/shared/contract/signed-desired.js';
import { z } from 'zod';

/** What docs/protocol describes, by the names under which it stands there. */
export const DOCUMENTED = {
  enrolRequest,
  enrolResponse,
  renewRequest,
  renewResponse,
  status,
  reported,
  desired,
  signedDesired,
  windowReport,
  event,
  roundReport,
  manifest,
  deviceCommand,
  deviceReply,
  operatorCommand,
  operatorReply,
  rolloutState,
} as const satisfies Record<string, z.ZodType>;
export type Documented = keyof typeof DOCUMENTED;

export function isDocumented(name: string): name is Documented {
  return Object.hasOwn(DOCUMENTED, name);
}

/** One topic of the wire, as AsyncAPI calls it: a channel with one message and one operation. */
export interface Channel {
  readonly message: Documented;
  readonly address: string;
  readonly summary: string;
  /** What the client does, a device or an operator's program: the hub does the other. */
  readonly action: 'send' | 'receive';
  readonly retained: boolean;
  /** Bytes of a message. */
  readonly limit: number;
  /** Where a command is answered. */
  readonly reply?: { readonly channel: string; readonly message: Documented };
}

const DEVICE = 'adbreak/v1/devices/{device}';
const OPERATOR = 'adbreak/v1/operators/{operator}';
const sent = { action: 'send', retained: false, limit: MESSAGE_LIMIT } as const;
const received = { action: 'receive', retained: false, limit: MESSAGE_LIMIT } as const;

export const CHANNELS: Readonly<Record<string, Channel>> = {
  status: {
    ...sent,
    message: 'status',
    address: `${DEVICE}/status`,
    summary: 'Whether a device is there; also its last will.',
    retained: true,
  },
  reported: {
    ...sent,
    message: 'reported',
    address: `${DEVICE}/reported`,
    summary: 'What a device runs, and what is wrong with it.',
    retained: true,
  },
  desired: {
    ...received,
    message: 'desired',
    address: `${DEVICE}/desired`,
    summary: 'What a device shall run.',
    retained: true,
  },
  windows: {
    ...sent,
    message: 'windowReport',
    address: `${DEVICE}/windows`,
    summary: 'The counts of one window.',
  },
  events: {
    ...sent,
    message: 'event',
    address: `${DEVICE}/events`,
    summary: 'What happens now, for people and other machines.',
  },
  evaluations: {
    ...sent,
    message: 'roundReport',
    address: `${DEVICE}/evaluations/{round}`,
    summary: 'The counts of one federated round.',
  },
  deviceCommands: {
    ...received,
    message: 'deviceCommand',
    address: `${DEVICE}/commands/{command}`,
    summary: 'What a device shall do once.',
    limit: COMMAND_LIMIT,
    reply: { channel: 'deviceReplies', message: 'deviceReply' },
  },
  deviceReplies: {
    ...sent,
    message: 'deviceReply',
    address: `${DEVICE}/replies/{command}`,
    summary: 'What became of a command to a device.',
  },
  operatorCommands: {
    ...sent,
    message: 'operatorCommand',
    address: `${OPERATOR}/commands/{command}`,
    summary: 'What an operator wants of rollouts and devices.',
    limit: COMMAND_LIMIT,
    reply: { channel: 'operatorReplies', message: 'operatorReply' },
  },
  operatorReplies: {
    ...received,
    message: 'operatorReply',
    address: `${OPERATOR}/replies/{command}`,
    summary: "What became of an operator's command.",
  },
  rollouts: {
    ...received,
    message: 'rolloutState',
    address: 'adbreak/v1/rollouts/{rollout}',
    summary: 'How a rollout stands.',
    retained: true,
  },
};

/** The variable levels of the topics. */
export const PARAMETERS: Readonly<Record<string, string>> = {
  device: 'Name of the device: that of its certificate.',
  operator: 'Name of the operator: that of its certificate.',
  command: 'Name of the command: 8 to 64 lower-case letters, digits and dashes, never used again.',
  round: 'Name of the round, as the desired state gives it.',
  rollout: 'Id of the rollout.',
};

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** As JSON Schema of draft 7, which the schema objects of AsyncAPI 3 extend: what a sender may write. */
export function schemaOf(name: Documented): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(DOCUMENTED[name], {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      // Rows of sparse tables say themselves what they are, in the words of a later draft.
      const { prefixItems, ...rest } = jsonSchema;
      if (prefixItems === undefined) return;
      delete jsonSchema.prefixItems;
      Object.assign(jsonSchema, rest, { items: prefixItems, additionalItems: false });
    },
  });
  return schema;
}
