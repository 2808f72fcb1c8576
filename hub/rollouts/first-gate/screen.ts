import { decided, type Outcome } from './evidence.js';

/** One device's part in a gate's evidence; a simulation of a million devices groups those with equal counts. */
export interface GateDevice extends Outcome {
  readonly id: string;
  readonly undecided: number;
  readonly devices?: number;
}
export interface Screened {
  readonly kept: readonly GateDevice[];
  /** Who was left out, with the reason in words. */
  readonly leftOut: readonly { readonly id: string; readonly why: string }[];
}

const LEAST_DEVICES = 3;

/**
 * Bounds what one device can do: who claims many times the fleet's median is left out, whatever its outcomes, and named.
 * The rule looks at how much a device says, never at what, so it favours neither model.
 */
export function screen(devices: readonly GateDevice[], maxTimesMedian: number): Screened {
  const seen = devices.filter((one) => decided(one) + one.undecided > 0);
  const amount = (one: GateDevice) => decided(one) + one.undecided;
  const sorted = [...seen].sort((a, b) => amount(a) - amount(b));
  const all = seen.reduce((sum, { devices: n = 1 }) => sum + n, 0);
  if (all < LEAST_DEVICES) return { kept: seen, leftOut: [] };
  let before = 0;
  const middle = sorted.find(({ devices: n = 1 }) => {
    before += n;
    return before * 2 >= all;
  });
  const median = middle === undefined ? 0 : amount(middle);
  const most = Math.max(1, median) * maxTimesMedian;
  return {
    kept: seen.filter((one) => amount(one) <= most),
    leftOut: sorted
      .filter((one) => amount(one) > most)
      .map((one) => ({
        id: one.id,
        why: `${one.id} claims ${amount(one).toLocaleString('en-US')} episodes, the fleet's median is ${median}`,
      })),
  };
}
