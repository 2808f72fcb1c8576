import { ownValue } from '@adbreak/shared/own-value.js';
import type { Plan } from './plan.js';
import type { Rollout } from './rollout.js';
import { windowOf } from './windows.js';

/** Who has fallen silent. Missing windows are evidence of nothing: they hold a rollout, and stop it when that lasts. */
export interface SilenceFacts {
  readonly acting: { readonly devices: number; readonly silent: readonly string[] };
  readonly control: { readonly devices: number; readonly silent: readonly string[] };
  /** Windows that the stage's devices should have sent since it began, and those that came. */
  readonly windows: { readonly expected: number; readonly came: number };
}

/** @param acting devices on which the candidate acts; while a completed rollout is watched, all */
export function silenceOf(
  state: Pick<Rollout, 'plan' | 'evidence' | 'members' | 'placed' | 'stageSince' | 'windowsBefore'>,
  acting: readonly string[],
  now: Date,
): SilenceFacts {
  const { plan, evidence, members, placed } = state;
  // A window's report has half a window's time to come.
  const complete = windowOf(now.getTime() - 500 * plan.windowSeconds, plan) - 1;
  const began = windowOf(Date.parse(state.stageSince), plan);
  const acts = new Set(acting);
  const since = (id: string) => {
    const place = ownValue(placed, id);
    return (acts.has(id) ? place?.acting : place?.member) ?? complete;
  };
  const silent = (id: string) =>
    complete - Math.max(ownValue(evidence.devices, id)?.lastWindow ?? -1, since(id)) >= plan.silence.windows;
  const others = members.filter((id) => !acts.has(id));
  const [group, other] = acting.length > 0 ? [acting, others] : [members, []];
  let [expected, came] = [0, 0];
  for (const id of group) {
    const own = Math.max(0, complete - Math.max(since(id), began));
    expected += own;
    came += Math.min(
      own,
      (ownValue(evidence.devices, id)?.windows ?? 0) - (ownValue(state.windowsBefore, id) ?? 0),
    );
  }
  return {
    acting: { devices: group.length, silent: group.filter(silent) },
    control: { devices: other.length, silent: other.filter(silent) },
    windows: { expected, came },
  };
}

/** Why silence holds the rollout, in words; null where it does not. */
export function troubledBySilence(
  { acting, control, windows }: SilenceFacts,
  { silence }: Pick<Plan, 'silence'>,
): string | null {
  const share = (group: SilenceFacts['acting']) =>
    group.devices === 0 ? 0 : group.silent.length / group.devices;
  const names = acting.silent.slice(0, 5).join(', ');
  if (share(acting) > silence.share && acting.silent.length > 0)
    return `${acting.silent.length} of ${acting.devices} devices are silent for ${silence.windows} windows and longer (${names}${acting.silent.length > 5 ? ', …' : ''})`;
  // Clearly more than of the control group: twice as many, and three devices at least.
  if (
    control.devices > 0 &&
    acting.silent.length >= 3 &&
    share(acting) > 2 * share(control) + silence.share / 2
  )
    return `${acting.silent.length} of ${acting.devices} devices on which the candidate acts are silent, of the others ${control.silent.length} of ${control.devices} (${names})`;
  const missing = windows.expected - windows.came;
  if (windows.expected >= LEAST_WINDOWS && missing > silence.missing * windows.expected)
    return `${missing.toLocaleString('en-US')} of ${windows.expected.toLocaleString('en-US')} windows are missing in this stage; devices that do badly may report less`;
  return null;
}

/** Before so many windows are due a share of them says nothing. */
const LEAST_WINDOWS = 10;
