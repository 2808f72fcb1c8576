import { digest, VERSION } from '@adbreak/shared/contract/manifest.js';
import { z } from 'zod';
import { decided, deviceEvidence, total } from './evidence.js';
import { judge, type Verdict } from './gate.js';
import { plan } from './plan.js';

const instant = z.iso.datetime();
const modelRef = z.object({ version: z.string().regex(VERSION), digest });
const entry = z.object({ at: instant, stage: z.string(), verdict: z.string(), reason: z.string(), episodes: z.int().nonnegative(), action: z.string() });

export const rollout = z.object({
  id: z.string(),
  model: z.string(),
  from: modelRef,
  to: modelRef,
  plan,
  /** It does not go beyond this share of devices until a person raises it. */
  ceiling: z.number().min(0).max(100),
  stage: z.int().nonnegative(),
  status: z.enum(['running', 'suspended', 'completed', 'rolled-back', 'aborted']),
  stageSince: instant,
  episodesBefore: z.int().nonnegative(),
  evidence: z.record(z.string(), deviceEvidence),
  /** What was decided and why; HOLD is recorded when its reason changes its kind only. */
  history: z.array(entry),
  last: entry.nullable(),
});
export type Rollout = z.infer<typeof rollout>;

/** What a decision does to the world; idempotent, carried out after the new state is on disk. */
export type Effect =
  | { readonly kind: 'assign' }
  | { readonly kind: 'set-production'; readonly version: string }
  | { readonly kind: 'quarantine'; readonly version: string };

/** One tick of the gate: state and time in, state and effects out. */
export function step(state: Rollout, now: Date): { state: Rollout; effects: Effect[]; verdict: Verdict | null } {
  if (state.status !== 'running' && state.status !== 'suspended') return { state, effects: [], verdict: null };
  const { plan: rules, stage, episodesBefore, evidence, stageSince } = state;
  const verdict = judge({ plan: rules, stage, episodesBefore, evidence, minutesInStage: (now.getTime() - Date.parse(stageSince)) / 60_000 });
  return { ...apply(state, verdict, now), verdict };
}

function apply(state: Rollout, verdict: Verdict, now: Date): { state: Rollout; effects: Effect[] } {
  const record = (action: string): Pick<Rollout, 'history' | 'last'> => {
    const last = { at: now.toISOString(), stage: state.plan.stages[state.stage]?.name ?? '', ...verdict, action };
    return { last, history: action === 'wait' ? state.history : [...state.history, last] };
  };
  switch (verdict.verdict) {
    case 'HOLD':
    case 'INCONCLUSIVE':
      return { state: { ...state, ...record('wait') }, effects: [] };
    case 'FAIL':
      return {
        state: { ...state, ...record('roll back'), status: 'rolled-back' },
        effects: [{ kind: 'quarantine', version: state.to.version }, { kind: 'assign' }],
      };
    case 'SUSPEND':
      if (state.status === 'suspended') return { state: { ...state, ...record('wait') }, effects: [] };
      return { state: { ...state, ...record('back to shadow'), status: 'suspended' }, effects: [{ kind: 'assign' }] };
    case 'PASS':
      return state.status === 'suspended' ? { state: { ...state, ...record('wait') }, effects: [] } : advance(state, verdict, record, now);
  }
}

function advance(
  state: Rollout,
  verdict: Verdict,
  record: (action: string) => Pick<Rollout, 'history' | 'last'>,
  now: Date,
): { state: Rollout; effects: Effect[] } {
  const next = state.plan.stages[state.stage + 1];
  if (next === undefined) {
    return {
      state: { ...state, ...record('complete'), status: 'completed' },
      effects: [{ kind: 'set-production', version: state.to.version }, { kind: 'assign' }],
    };
  }
  if (next.percent > state.ceiling) return { state: { ...state, ...record('wait') }, effects: [] };
  const moved = { ...state, ...record(`advance to ${next.name}`), stage: state.stage + 1, stageSince: now.toISOString(), episodesBefore: verdict.episodes };
  return { state: moved, effects: [{ kind: 'assign' }] };
}

/** Share of devices on which the candidate acts now. */
export function percentOf({ status, plan: rules, stage }: Rollout): number {
  return status === 'running' ? (rules.stages[stage]?.percent ?? 0) : 0;
}

export function episodesOf(state: Rollout): number {
  return decided(total(state.evidence));
}
