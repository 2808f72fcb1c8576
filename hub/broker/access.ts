import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { DEVICE_TOPICS, parseTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { AedesOptions } from 'aedes';
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
export function writeRefusal(
  device: string,
  { topic, payload, qos = 0, retain = false }: Message,
): AdbreakError | null {
  const parsed = parseTopic(topic);
  if (parsed === null || parsed.device !== device || DEVICE_TOPICS[parsed.kind] !== 'device')
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
  if (retain && parsed.kind !== 'status' && parsed.kind !== 'reported')
    return new AdbreakError('forbidden', `Cannot publish: ${topic} is not retained`);
  return null;
}

/** A device reads what the hub writes to it: its own `desired`, by its full name. */
function mayRead(device: string, topic: string): boolean {
  const parsed = parseTopic(topic);
  return parsed !== null && parsed.device === device && DEVICE_TOPICS[parsed.kind] === 'hub';
}
/** Both ends of a subscription: what may be asked for, and what is delivered. */
export const reading: Required<Pick<AedesOptions, 'authorizeSubscribe' | 'authorizeForward'>> = {
  // MQTT 3.1.1 section 3.9.3 would let the session go on with 0x80; no agent of ours asks for another's topics.
  authorizeSubscribe: (client, subscription, done) =>
    mayRead(client.id, subscription.topic)
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

/** Null when a session may begin like this, else why not. */
export function connectRefusal(
  device: string,
  { clean = false, keepalive = 0, will }: Connect,
): AdbreakError | null {
  // Aedes would store every filter of a SUBSCRIBE, refused ones too, and deliver by them at the next connection.
  if (!clean)
    return new AdbreakError(
      'input_invalid',
      `Cannot connect ${device}: the hub keeps no sessions; clean session must be set`,
    );
  if (keepalive < 1 || keepalive > LIMITS.keepalive)
    return new AdbreakError(
      'input_invalid',
      `Cannot connect ${device}: keep alive must be 1 to ${LIMITS.keepalive} s: it is ${keepalive}`,
    );
  const cause = will === undefined ? null : writeRefusal(device, will);
  return cause === null
    ? null
    : new AdbreakError(cause.code, `Cannot connect ${device}: its last will is refused`, { cause });
}
