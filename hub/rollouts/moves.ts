import type { ModelRef } from '@adbreak/shared/contract/manifest.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { apartBy, type Found, isTakenOut } from './apart.js';
import { byName } from './evidence.js';
import type { Verdict } from './gate.js';
import type { Entry, Rollout } from './rollout.js';
import { episodesOf } from './standing.js';

/** What the gate's looks and people's words have in common: how a rollout moves, and what that does to the world. Pure. */

/** What a decision does to the world; idempotent, carried out after the new state is on disk. */
export type Effect =
  | { readonly kind: 'assign' }
  /** `except`: what stays on another version, by slice (`channel=one`) or device (`device=pi-3`). */
  | {
      readonly kind: 'set-production';
      readonly version: string;
      readonly except: Readonly<Record<string, ModelRef>>;
    }
  | { readonly kind: 'quarantine'; readonly version: string }
  | { readonly kind: 'start-round' }
  | { readonly kind: 'supersede-siblings' };
export interface Step {
  readonly state: Rollout;
  readonly effects: readonly Effect[];
  /** The new entry of the history, where something was decided. */
  readonly decision: Entry | null;
  readonly verdict: Verdict | null;
  /** A look that changed nothing: leaving it out of a log gives the same decisions. */
  readonly quiet: boolean;
}

export function hoursSince(then: string, now: Date): number {
  return Math.max(0, (now.getTime() - Date.parse(then)) / 3_600_000);
}

/** The hours of its stage that count. */
export function hoursInStage(
  { stageSince, uncountedHours }: Pick<Rollout, 'stageSince' | 'uncountedHours'>,
  now: Date,
): number {
  return Math.max(0, (now.getTime() - Date.parse(stageSince)) / 3_600_000 - uncountedHours);
}

/** What begins anew where a rollout goes on: a limit that breaks from now on breaks a second time. */
export const GOES_ON = { approved: false, limitStanding: null } as const;

/** A version that is watched is in production already: taking it back restores what was there before, exceptions too. */
export function backToProduction(state: Rollout): readonly Effect[] {
  return state.status === 'watching'
    ? [{ kind: 'set-production', version: state.from.version, except: state.exceptions }]
    : [];
}

/** What stays behind when the rollout completes: an earlier exception keeps its version, everything else the rollout's production. */
function leftBehind(state: Rollout): Record<string, ModelRef> {
  const { excluded, setAside, exceptions, from, evidence, members } = state;
  // Who was of such a site, and calls itself otherwise now, was measured with nobody.
  const moved = byName(evidence.devices).flatMap(([id, { slice, named }]) =>
    apartBy(id, slice, state) === null && apartBy(id, null, state, named) !== null ? [id] : [],
  );
  // Who was taken out and is gone leaves nothing behind; a card that came back under its name is a member, and stays.
  const alone = Object.keys(setAside).filter((id) => !isTakenOut(id, state) || members.includes(id));
  const names = [...Object.keys(excluded), ...[...alone, ...moved].map((id) => `device=${id}`)];
  return Object.fromEntries(names.map((name) => [name, ownValue(exceptions, name) ?? from]));
}

/** The candidate is production now, but for what stays behind; at the end of a watch again, with who was judged apart meanwhile. */
export function intoProduction(state: Rollout): readonly Effect[] {
  return [
    { kind: 'set-production', version: state.to.version, except: leftBehind(state) },
    { kind: 'assign' },
  ];
}

/** The log has all of it; the state keeps as much as people read. */
const MOST_HISTORY = 1000;
export function remember(history: readonly Entry[], last: Entry): Entry[] {
  return [...history.slice(1 - MOST_HISTORY), last];
}

export function stageName({ plan, stage, status }: Rollout): string {
  return status === 'watching' ? 'watch' : (plan.stages[stage]?.name ?? '');
}

/** A stage's time, episodes and windows begin together: what came before it fills no hole after it. */
export function stageStart(
  state: Rollout,
  now: Date,
): Pick<Rollout, 'stageSince' | 'uncountedHours' | 'before' | 'windowsBefore'> {
  return {
    stageSince: now.toISOString(),
    uncountedHours: 0,
    before: { episodes: episodesOf(state), acting: state.evidence.actingEpisodes },
    windowsBefore: Object.fromEntries(
      Object.entries(state.evidence.devices).map(([id, { windows }]) => [id, windows]),
    ),
  };
}

/** What was averaged over days held those devices too, so days begin anew. */
export function withApart(state: Rollout, { kind, name, reason }: Found, now: Date): Rollout {
  const entry = { at: now.toISOString(), reason };
  const waiting = Object.entries(state.evidence.waiting).map(([window, devices]) => [
    window,
    Object.fromEntries(Object.entries(devices).map(([id, one]) => [id, { ...one, day: null }])),
  ]);
  const evidence = { ...state.evidence, days: {}, waiting: Object.fromEntries(waiting) };
  return kind === 'device'
    ? { ...state, evidence, setAside: { ...state.setAside, [name]: entry } }
    : { ...state, evidence, excluded: { ...state.excluded, [name]: entry } };
}
