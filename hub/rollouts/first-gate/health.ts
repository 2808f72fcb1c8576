import type { Evidence } from './evidence.js';
import type { Plan } from './plan.js';

/** What may end a rollout without a single label: crashes, latency, memory, devices that cannot run the candidate. */
export interface HealthFacts {
  readonly acting: { readonly hours: number; readonly restarts: number };
  readonly control: { readonly hours: number; readonly restarts: number };
  /** 95 of 100 inferences are faster than this, milliseconds; null with too few. */
  readonly latency: { readonly production: number | null; readonly candidate: number | null };
  /** Devices with reports, and those over the plan's memory. */
  readonly reporting: number;
  readonly overMemory: number;
  /** Devices that shall run the candidate, and those that say they cannot, with one of their reasons. */
  readonly wanted: number;
  readonly failing: readonly { readonly device: string; readonly code: string }[];
}

export function healthOf(
  evidence: Evidence,
  plan: Plan,
  wanted: number,
  failing: HealthFacts['failing'],
): HealthFacts {
  const devices = Object.values(evidence.devices);
  return {
    acting: evidence.acting,
    control: evidence.control,
    latency: {
      production: quantile(evidence.latency.production, 0.95),
      candidate: quantile(evidence.latency.candidate, 0.95),
    },
    reporting: devices.length,
    overMemory: devices.filter(({ memoryMb }) => memoryMb > plan.abort.memoryMb).length,
    wanted,
    failing,
  };
}

const LEAST_INFERENCES = 200;
const LEAST_RESTARTS = 3;
/** More crashes than the devices that run production at the same time have. */
const TIMES_CONTROL = 2;
const OVER_MEMORY = 0.1;

/** The limit that is broken, in words; null where none is. */
export function brokenLimit(
  facts: HealthFacts,
  { abort }: Plan,
): { cause: 'crashes' | 'latency' | 'memory' | 'failures'; reason: string } | null {
  const perDay = ({ hours, restarts }: HealthFacts['acting']) => (hours === 0 ? 0 : (24 * restarts) / hours);
  const [acting, control] = [perDay(facts.acting), perDay(facts.control)];
  if (
    facts.acting.restarts >= LEAST_RESTARTS &&
    acting > abort.crashesPerDay &&
    acting > TIMES_CONTROL * control
  )
    return {
      cause: 'crashes',
      reason: `crashes: ${acting.toFixed(1)} restarts per device and day where the candidate acts, ${control.toFixed(1)} on the others at the same time; the limit is ${abort.crashesPerDay}`,
    };
  const { production, candidate } = facts.latency;
  if (candidate !== null && candidate > abort.latencyP95Ms)
    return {
      cause: 'latency',
      reason: `latency: 95 of 100 inferences of the candidate take up to ${candidate.toFixed(0)} ms; the limit is ${abort.latencyP95Ms} ms`,
    };
  // Below ten milliseconds a ratio says nothing about a device that looks at a few frames a second.
  if (
    candidate !== null &&
    production !== null &&
    candidate > 10 &&
    candidate > abort.latencyRatio * production
  )
    return {
      cause: 'latency',
      reason: `latency: the candidate takes up to ${candidate.toFixed(0)} ms, production ${production.toFixed(0)} ms on the same devices; the limit is ${abort.latencyRatio} times`,
    };
  if (facts.overMemory > 0 && facts.overMemory > OVER_MEMORY * facts.reporting)
    return {
      cause: 'memory',
      reason: `memory: ${facts.overMemory} of ${facts.reporting} devices use more than ${abort.memoryMb} MiB`,
    };
  const failing = facts.failing.length;
  if (failing > abort.failures * facts.wanted && failing >= Math.min(2, facts.wanted)) {
    const [first] = facts.failing;
    return {
      cause: 'failures',
      reason: `${failing} of ${facts.wanted} devices cannot run the candidate (${first?.device}: ${first?.code}); the limit is ${Math.round(100 * abort.failures)} %`,
    };
  }
  return null;
}

/** Upper edge of the bucket that holds a quantile: bucket b ends at 2^((b+1)/4) ms. */
function quantile(buckets: readonly number[], level: number): number | null {
  const total = buckets.reduce((sum, n) => sum + n, 0);
  if (total < LEAST_INFERENCES) return null;
  let sum = 0;
  const at = buckets.findIndex((n) => {
    sum += n;
    return sum >= level * total;
  });
  return 2 ** ((at + 1) / 4);
}
