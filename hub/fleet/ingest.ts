import { contradiction, type DeviceEvent, event, MESSAGE_LIMIT, reported, status, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import type { DeviceTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { addReport, NO_EVIDENCE } from '../rollouts/evidence.js';
import type { Store } from '../store/store.js';
import { activeRollout } from './desired.js';

export interface IngestOptions {
  readonly store: Store;
  readonly now: () => Date;
  readonly log: (line: string) => void;
  readonly onEvent: (device: string, event: DeviceEvent) => void;
}

/** A window that ends further ahead than this has a wrong clock behind it. */
const CLOCK_TOLERANCE_MS = 10 * 60_000;

/**
 * Takes a device's messages into the state. A message that fits no schema is refused, counted and acknowledged: sent
 * again it would fail again, and must not block the device's spool.
 */
export async function ingest({ store, now, log, onEvent }: IngestOptions, id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
  const device = store.state.devices[id];
  if (device === undefined) throw new AdbreakError('not_found', `Cannot take a message: device ${id} is not enrolled`);
  try {
    switch (kind) {
      case 'status': {
        const message = parseJson(status, payload, MESSAGE_LIMIT, `${id}/status`);
        return await store.change(() => Object.assign(device, { online: message.online, lastSeen: now().toISOString() }));
      }
      case 'reported': {
        const message = parseJson(reported, payload, MESSAGE_LIMIT, `${id}/reported`);
        return await store.change(() => Object.assign(device, { reported: message, lastSeen: now().toISOString() }));
      }
      case 'events':
        return onEvent(id, parseJson(event, payload, MESSAGE_LIMIT, `${id}/events`));
      case 'windows':
        return await takeWindow(store, id, payload, now());
      case 'desired':
        return;
    }
  } catch (error) {
    if (!(error instanceof AdbreakError) || error.code === 'disk_full') throw error;
    log(`refused a message of ${id}: ${explain(error)}`);
    await store.change(() => {
      device.refusedReports += 1;
    });
  }
}

async function takeWindow(store: Store, id: string, payload: Uint8Array, now: Date): Promise<void> {
  const device = store.state.devices[id];
  const report = parseJson(windowReport, payload, MESSAGE_LIMIT, `${id}/windows`);
  const refuse = (why: string) => new AdbreakError('input_invalid', `Cannot accept window ${report.sequence} of ${id}: ${why}`);
  const wrong = contradiction(report);
  if (wrong !== null) throw refuse(wrong);
  if (Date.parse(report.end) > now.getTime() + CLOCK_TOLERANCE_MS) throw refuse(`it ends in the future, at ${report.end}`);
  // QoS 1 may deliver twice: a sequence number counts once.
  if (device === undefined || report.sequence <= device.sequence) return;
  await store.change((state) => {
    device.missingWindows += report.sequence - device.sequence - 1;
    device.sequence = report.sequence;
    device.lastSeen = now.toISOString();
    const rollout = activeRollout(state, device.model);
    if (rollout === undefined || rollout.id !== report.rollout || rollout.from.digest !== report.production || rollout.to.digest !== report.candidate) return;
    rollout.evidence[id] = addReport(rollout.evidence[id] ?? NO_EVIDENCE, report);
  });
}
