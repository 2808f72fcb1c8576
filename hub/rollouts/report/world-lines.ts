import { calibrationOf } from '../drift.js';
import type { GateInput } from '../gate.js';
import { perDay } from '../health.js';
import { isActive, type Rollout } from '../rollout.js';
import { count, evalue, percent } from '../words.js';
import { causeOfLoss } from './cause.js';
import { some } from './words.js';

export function worldLines(rollout: Rollout, seen: GateInput['drift']): string[] {
  const { drift, plan, baseline, evidence } = rollout;
  const cause = baseline === null ? null : causeOfLoss(baseline, evidence.labels.production);
  return [
    worldLine(rollout, seen),
    seen.disagreement === null || drift.disagreement === null
      ? 'disagreements: what is usual is learned from a whole day first'
      : `disagreements: up to ${percent(Math.max(drift.disagreement.baseline, ...(drift.baselines ?? [])))} are usual here, by the hour; evidence of a rise R = ${evalue(Math.log(Math.max(1e-300, seen.disagreement)))}${seen.disagreementAlarm ? ', an alarm' : ''}`,
    cause === null ? '' : cause.reason,
    drift.late > 0 ? `${count(drift.late, 'report')} came too late for the hour's drift` : '',
    drift.misdated > 0
      ? `${count(drift.misdated, 'report')} bear a date that cannot be: those devices' clocks are wrong`
      : '',
  ].filter((line) => line !== '' && (isActive(rollout) || drift.hours > 0) && plan.name !== '');
}

function worldLine(rollout: Rollout, seen: GateInput['drift']): string {
  const { drift, plan } = rollout;
  if (drift.reference === null && !isActive(rollout)) return '';
  const calibration = calibrationOf(drift.reference);
  if (calibration === null)
    return `no WORLD verdict: production has fewer than two reference weeks (${drift.reference?.length ?? 0})`;
  const alarm = seen.worldAlarm ? 'an alarm stands' : `alarm at ${plan.world.falseAlarmHours}`;
  const lag =
    calibration.lag === 1
      ? 'hours count as unrelated'
      : `effects last ${calibration.lag} hours, so ${calibration.lag} detectors take turns`;
  return `against ${calibration.weeks} reference weeks, ${drift.world?.windows ?? 0} hours seen: R = ${evalue(Math.log(Math.max(1e-300, seen.world ?? 0)))}, ${alarm}; ${lag}`;
}

export function healthLines(
  { evidence, plan, status, limitStops }: Rollout,
  { health }: GateInput,
): string[] {
  if (health === null || health.acting.length + health.control.length === 0) return [];
  if (!isActive({ status })) return [];
  const restless = health.acting.filter(
    ({ acting }) => perDay(acting) > plan.abort.crashesPerDay && acting.restarts > 0,
  );
  return [
    health.acting.length === 0
      ? 'the candidate acts on no device that has reported'
      : `restarts above ${plan.abort.crashesPerDay} a day: ${restless.length} of ${health.acting.length} devices where the candidate acts${restless.length === 0 ? '' : ` (${some(restless.map(({ id }) => id))})`}`,
    ...(evidence.downloadFailures === 0
      ? []
      : [`${count(evidence.downloadFailures, 'failed download')} so far`]),
    ...(health.failing.length === 0
      ? []
      : [
          `${health.failing.length} of ${health.wanted} devices cannot run the candidate: ${some(health.failing.map(({ device, code }) => `${device} (${code})`))}`,
        ]),
    ...(limitStops === 0
      ? []
      : [
          `a limit has stopped this rollout ${limitStops === 1 ? 'once' : `${limitStops} times`}; if one stops it again after it has gone on, it is rolled back`,
        ]),
  ];
}
