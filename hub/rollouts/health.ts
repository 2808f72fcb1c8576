import type { HealthArm } from './evidence.js';
import type { Plan } from './plan.js';
import { count, percent } from './words.js';

/** One device: while the candidate acted on it, and otherwise. Each is compared with itself, so one that lies or is ill is one device. */
export interface DeviceHealth {
  readonly id: string;
  readonly acting: HealthArm;
  readonly own: HealthArm;
}
/** What may stop a rollout without a single answer: crashes, latency, memory, devices that cannot run the candidate. */
export interface HealthFacts {
  /** Devices on which the candidate acts; and the others, the control group. */
  readonly acting: readonly DeviceHealth[];
  readonly control: readonly DeviceHealth[];
  /** Devices that shall run the candidate, and those that say they cannot, with one of their reasons. */
  readonly wanted: number;
  readonly failing: readonly { readonly device: string; readonly code: string }[];
}
export const LIMITS = ['crashes', 'latency', 'memory', 'failures'] as const;

export type BrokenLimit = { readonly cause: (typeof LIMITS)[number]; readonly reason: string };

const LEAST_RESTARTS = 3;
const LEAST_WINDOWS = 3;
const TIMES_BEFORE = 2;
const LEAST_DEVICES = 2;

export const perDay = ({ hours, restarts }: Pick<HealthArm, 'hours' | 'restarts'>): number =>
  hours === 0 ? 0 : (24 * restarts) / hours;
const mostly = (n: number, { windows }: HealthArm) => windows >= LEAST_WINDOWS && 2 * n > windows;

/** The limit that devices break, in words; null where none is. Always by the number of devices, never by sums: one device cannot break any. */
export function brokenLimit(facts: HealthFacts, plan: Plan): BrokenLimit | null {
  return crashing(facts, plan) ?? slow(facts, plan) ?? hungry(facts, plan) ?? failing(facts, plan);
}

/** Two devices at least, and more than the plan's share of those that are looked at. */
function many(found: number, among: number, most: number): boolean {
  return found >= LEAST_DEVICES && found > most * among;
}

function crashing({ acting, control }: HealthFacts, { abort }: Plan): BrokenLimit | null {
  const often = (arm: HealthArm) => arm.restarts >= LEAST_RESTARTS && perDay(arm) > abort.crashesPerDay;
  const found = acting.filter(
    (one) => often(one.acting) && perDay(one.acting) > TIMES_BEFORE * perDay(one.own),
  );
  const others = control.filter(({ own }) => often(own)).length;
  const usual = control.length === 0 ? 0 : others / control.length;
  if (
    !many(found.length, acting.length, abort.devices) ||
    found.length <= TIMES_BEFORE * usual * acting.length
  )
    return null;
  return {
    cause: 'crashes',
    reason: `crashes: on ${found.length} of ${acting.length} devices where the candidate acts (${names(found)}) inference restarts more than ${abort.crashesPerDay} times a day and ${TIMES_BEFORE} times as often as before on the same device; ${others} of ${control.length} others do`,
  };
}

function slow({ acting, control }: HealthFacts, { abort }: Plan): BrokenLimit | null {
  // In the shadow nobody acts, and the candidate's latency there is its own all the same.
  const group = acting.length > 0 ? acting : control;
  const found =
    acting.length > 0
      ? acting.filter((one) => mostly(one.acting.slow, one.acting) && !mostly(one.own.slow, one.own))
      : control.filter(({ own }) => mostly(own.slow, own));
  return many(found.length, group.length, abort.devices)
    ? {
        cause: 'latency',
        reason: `latency: on ${found.length} of ${group.length} devices (${names(found)}) 95 of 100 inferences of the candidate take more than ${abort.latencyP95Ms} ms, or ${abort.latencyRatio} times production's, in most windows`,
      }
    : null;
}

function hungry({ acting, control }: HealthFacts, { abort }: Plan): BrokenLimit | null {
  const all = [...acting, ...control];
  // What was measured while it acted says nothing of a device on which it acts no more.
  const found = [
    ...acting.filter((one) => mostly(one.acting.over, one.acting) || mostly(one.own.over, one.own)),
    ...control.filter(({ own }) => mostly(own.over, own)),
  ];
  return many(found.length, all.length, abort.devices)
    ? {
        cause: 'memory',
        reason: `memory: ${found.length} of ${all.length} devices (${names(found)}) use more than ${abort.memoryMb} MiB in most windows`,
      }
    : null;
}

function failing({ failing: found, wanted }: HealthFacts, { abort }: Plan): BrokenLimit | null {
  const [first] = found;
  if (
    first === undefined ||
    found.length <= abort.failures * wanted ||
    found.length < Math.min(LEAST_DEVICES, wanted)
  )
    return null;
  return {
    cause: 'failures',
    reason: `${count(found.length, 'device')} of ${wanted} cannot run the candidate (${first.device}: ${first.code}); the limit is ${percent(abort.failures)}`,
  };
}

function names(found: readonly DeviceHealth[]): string {
  const first = found.slice(0, 3).map(({ id }) => id);
  return found.length > first.length ? `${first.join(', ')}, …` : first.join(', ');
}

/** With fewer inferences a quantile says nothing. */
const LEAST_INFERENCES = 20;
/** Upper edge of the bucket that holds a quantile, milliseconds: bucket b ends at 2^((b+1)/4) ms. Null with too few. */
export function latencyQuantile(
  buckets: readonly (readonly [bucket: number, count: number])[],
  level: number,
): number | null {
  const total = buckets.reduce((sum, [, n]) => sum + n, 0);
  if (total < LEAST_INFERENCES) return null;
  let sum = 0;
  for (const [bucket, n] of [...buckets].sort(([a], [b]) => a - b)) {
    sum += n;
    if (sum >= level * total) return 2 ** ((bucket + 1) / 4);
  }
  return null;
}
