/** MQTT topics under one device: `adbreak/v1/devices/{id}/…`. docs/architecture.md, "The wire". */
/** Devices are keys of objects: `constructor` is the one name of this shape that every object has already. */
export const DEVICE_ID = /^(?!constructor$)[a-z0-9][a-z0-9-]{0,62}$/;
const ROOT = 'adbreak/v1/devices';

/** Who writes a topic; the other side may only read it. */
export const DEVICE_TOPICS = {
  status: 'device',
  reported: 'device',
  windows: 'device',
  events: 'device',
  evaluations: 'device',
  desired: 'hub',
} as const;
export type DeviceTopic = keyof typeof DEVICE_TOPICS;

export function topicOf(device: string, kind: Exclude<DeviceTopic, 'evaluations'>): string {
  return `${ROOT}/${device}/${kind}`;
}
/** Where a device publishes its counts of one federated round. */
export function roundTopic(device: string, round: string): string {
  return `${ROOT}/${device}/evaluations/${round}`;
}

/** Device and kind of a topic, or null for any other. */
export function parseTopic(topic: string): { device: string; kind: DeviceTopic } | null {
  const [device, kind, ...more] = topic.startsWith(`${ROOT}/`) ? topic.slice(ROOT.length + 1).split('/') : [];
  if (device === undefined || kind === undefined || !DEVICE_ID.test(device) || !isDeviceTopic(kind))
    return null;
  // One level more for a round's name, none for the others.
  if (more.length !== (kind === 'evaluations' ? 1 : 0) || more.includes('')) return null;
  return { device, kind };
}

function isDeviceTopic(kind: string): kind is DeviceTopic {
  return Object.hasOwn(DEVICE_TOPICS, kind);
}
