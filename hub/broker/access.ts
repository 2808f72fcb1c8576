import { commandFilter, parseCommandTopic } from '@adbreak/shared/contract/device-commands.js';
import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import {
  isOperatorFilter,
  operatorOfClient,
  parseOperatorTopic,
} from '@adbreak/shared/contract/operators.js';
import { DEVICE_TOPICS, parseTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { AedesOptions } from 'aedes';
import type { Identity } from './identity.js';
import { LIMITS } from './limits.js';

/** What a device sends or leaves as its last will. */
interface Message {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos?: number | undefined;
  readonly retain?: boolean | undefined;
}
/** The parts of a CONNECT that the hub has rules for. */
interface Connect {
  readonly clean?: boolean | undefined;
  readonly keepalive?: number | undefined;
  readonly will?: Message | undefined;
}

/** Null when the device may write this, as a PUBLISH or as its last will, else why not. */
export function writeRefusal(device: string, message: Message): AdbreakError | null {
  const { topic, payload, qos = 0, retain = false } = message;
  const parsed = parseTopic(topic);
  const own =
    parsed === null
      ? isReply(device, topic)
      : parsed.device === device && DEVICE_TOPICS[parsed.kind] === 'device';
  if (!own)
    return new AdbreakError('forbidden', `Cannot publish: ${device} may not write ${topic.slice(0, 200)}`);
  const size = Buffer.byteLength(payload);
  if (size > MESSAGE_LIMIT)
    return new AdbreakError(
      'input_too_large',
      `Cannot publish to ${topic}: ${size} bytes, at most ${MESSAGE_LIMIT}`,
    );
  // QoS 2 would keep each message in memory until its PUBREL; sequence numbers make QoS 1 exact.
  if (qos > 1)
    return new AdbreakError('input_invalid', `Cannot publish to ${topic}: QoS must be 0 or 1: it is ${qos}`);
  if (retain && parsed?.kind !== 'status' && parsed?.kind !== 'reported')
    return new AdbreakError('forbidden', `Cannot publish: ${topic} is not retained`);
  return null;
}

/**
 * A last will says that the device is gone, and nothing else: it is left with no counts, and answers nothing,
 * at a moment that whoever cuts the line chooses.
 */
function willRefusal(device: string, will: Message): AdbreakError | null {
  const refusal = writeRefusal(device, will);
  if (refusal !== null || parseTopic(will.topic)?.kind === 'status') return refusal;
  return new AdbreakError('forbidden', `Cannot publish: a last will on ${will.topic} is not a status`);
}

function isReply(device: string, topic: string): boolean {
  const parsed = parseCommandTopic(topic);
  return parsed?.kind === 'replies' && parsed.device === device;
}

/** Null when the operator may write this: a command of its own, however long; its reply says where that is too long. */
export function commandRefusal(
  operator: string,
  { topic, qos = 0, retain = false }: Message,
): AdbreakError | null {
  const parsed = parseOperatorTopic(topic);
  if (parsed?.kind !== 'commands' || parsed.operator !== operator)
    return new AdbreakError(
      'forbidden',
      `Cannot publish: operator ${operator} may not write ${topic.slice(0, 200)}`,
    );
  if (qos > 1)
    return new AdbreakError('input_invalid', `Cannot publish to ${topic}: QoS must be 0 or 1: it is ${qos}`);
  return retain ? new AdbreakError('forbidden', `Cannot publish: ${topic} is not retained`) : null;
}

/** Whether a device listens to its commands by this filter. */
export function isCommandFilter(client: string, filter: string): boolean {
  return operatorOfClient(client) === null && filter === commandFilter(client);
}

/** What a client may ask for: a device its own `desired` and commands, an operator its replies and rollouts. */
function mayAskFor(client: string, filter: string): boolean {
  const operator = operatorOfClient(client);
  if (operator !== null) return isOperatorFilter(operator, filter);
  return isCommandFilter(client, filter) || isDesired(client, filter);
}
function isDesired(device: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== null && parsed.device === device && DEVICE_TOPICS[parsed.kind] === 'hub';
}
/** What is delivered to a client; names of topics, which have no wildcards. */
function mayRead(client: string, topic: string): boolean {
  const operator = operatorOfClient(client);
  if (operator !== null) return isOperatorFilter(operator, topic);
  const command = parseCommandTopic(topic);
  return isDesired(client, topic) || (command?.kind === 'commands' && command.device === client);
}
/** Both ends of a subscription: what may be asked for, and what is delivered. */
export const reading: Required<Pick<AedesOptions, 'authorizeSubscribe' | 'authorizeForward'>> = {
  // MQTT 3.1.1 section 3.9.3 would let the session go on with 0x80; no agent of ours asks for another's topics.
  authorizeSubscribe: (client, subscription, done) =>
    mayAskFor(client.id, subscription.topic)
      ? done(null, subscription)
      : done(
          new AdbreakError(
            'forbidden',
            `Cannot subscribe: ${client.id} may not read ${subscription.topic.slice(0, 200)}`,
          ),
        ),
  // Whatever the store of subscriptions says, and however it got there.
  authorizeForward: (client, packet) => (mayRead(client.id, packet.topic) ? packet : null),
};

/** Null when a session of a device or an operator may begin like this, else why not. */
export function connectRefusal(
  { kind, who }: Pick<Identity, 'kind' | 'who'>,
  { clean = false, keepalive = 0, will }: Connect,
): AdbreakError | null {
  // Aedes would store every filter of a SUBSCRIBE, refused ones too, and deliver by them at the next connection.
  if (!clean)
    return new AdbreakError(
      'input_invalid',
      `Cannot connect ${who}: the hub keeps no sessions; clean session must be set`,
    );
  if (keepalive < 1 || keepalive > LIMITS.keepalive)
    return new AdbreakError(
      'input_invalid',
      `Cannot connect ${who}: keep alive must be 1 to ${LIMITS.keepalive} s: it is ${keepalive}`,
    );
  if (kind === 'operator' && will !== undefined)
    return new AdbreakError('forbidden', `Cannot connect ${who}: operators leave no last will`);
  const cause = will === undefined ? null : willRefusal(who, will);
  return cause === null
    ? null
    : new AdbreakError(cause.code, `Cannot connect ${who}: its last will is refused`, { cause });
}
