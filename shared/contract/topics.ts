/** MQTT topics under one device: `adbreak/v1/devices/{id}/…`. DESIGN.md section 4. */
export const DEVICE_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ROOT = 'adbreak/v1/devices';

/** Who writes a topic; the other side may only read it. */
export const DEVICE_TOPICS = { status: 'device', reported: 'device', windows: 'device', events: 'device', desired: 'hub' } as const;
export type DeviceTopic = keyof typeof DEVICE_TOPICS;

export function topicOf(device: string, kind: DeviceTopic): string {
  return `${ROOT}/${device}/${kind}`;
}

/** Device and kind of a topic, or null for any other. */
export function parseTopic(topic: string): { device: string; kind: DeviceTopic } | null {
  const [device, kind, ...more] = topic.startsWith(`${ROOT}/`) ? topic.slice(ROOT.length + 1).split('/') : [];
  if (device === undefined || kind === undefined || more.length > 0 || !DEVICE_ID.test(device) || !isDeviceTopic(kind)) return null;
  return { device, kind };
}

function isDeviceTopic(kind: string): kind is DeviceTopic {
  return Object.hasOwn(DEVICE_TOPICS, kind);
}
