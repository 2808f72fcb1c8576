import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { type DeviceEvent, event, MESSAGE_LIMIT, type Reported, reported, status, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { roundReport } from '@adbreak/shared/contract/rounds.js';
import type { DeviceTopic } from '@adbreak/shared/contract/topics.js';
import { AdbreakError, type ErrorCode, explain } from '@adbreak/shared/errors.js';
import type { Evaluations } from '../evaluations/evaluations.js';
import { absorbHours } from '../monitoring/hours.js';
import type { Executor } from '../rollouts/executor.js';
import type { Store } from '../store/store.js';

export interface IngestOptions {
  readonly store: Store;
  readonly executor: Pick<Executor, 'take' | 'deviceSays'>;
  readonly evaluations: Pick<Evaluations, 'take'>;
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
export async function ingest(options: IngestOptions, id: string, kind: DeviceTopic, payload: Uint8Array): Promise<void> {
  const { store, now, log, onEvent } = options;
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
        await store.change(() => Object.assign(device, { reported: message, lastSeen: now().toISOString() }));
        return await options.executor.deviceSays(id, device.model, candidateProblem(message));
      }
      case 'events':
        return onEvent(id, parseJson(event, payload, MESSAGE_LIMIT, `${id}/events`));
      case 'windows':
        return await takeWindow(options, id, payload);
      case 'evaluations':
        return await options.evaluations.take(id, parseJson(roundReport, payload, MESSAGE_LIMIT, `${id}/evaluations`));
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

/** Problems that keep a candidate from running. A hub out of reach is none: it says nothing about the candidate. */
const CANDIDATE_PROBLEMS: readonly ErrorCode[] = ['model_corrupt', 'model_unsupported', 'inference_failed', 'manifest_forged', 'metadata_invalid', 'disk_full'];
function candidateProblem({ problem }: Reported): string | null {
  return CANDIDATE_PROBLEMS.find((code) => code === problem?.code) ?? null;
}

async function takeWindow({ store, executor, now }: IngestOptions, id: string, payload: Uint8Array): Promise<void> {
  const device = store.state.devices[id];
  const report = parseJson(windowReport, payload, MESSAGE_LIMIT, `${id}/windows`);
  const refuse = (why: string) => new AdbreakError('input_invalid', `Cannot accept window ${report.sequence} of ${id}: ${why}`);
  const wrong = contradiction(report);
  if (wrong !== null) throw refuse(wrong);
  if (Date.parse(report.end) > now().getTime() + CLOCK_TOLERANCE_MS) throw refuse(`it ends in the future, at ${report.end}`);
  // QoS 1 may deliver twice: a sequence number counts once.
  if (device === undefined || report.sequence <= device.sequence) return;
  const stored = store.change((state) => {
    device.missingWindows += report.sequence - device.sequence - 1;
    device.sequence = report.sequence;
    device.lastSeen = now().toISOString();
    device.slice = report.slice;
    absorbHours(state.hours, report);
  });
  await Promise.all([stored, executor.take(id, report)]);
}
