import { check, parseJson } from '@adbreak/shared/contract/parse.js';
import { z } from 'zod';
import { round } from '../evaluations/round.js';
import { type ModelHours, modelHours } from '../monitoring/legacy.js';
import { rollout } from '../rollouts/rollout.js';
import { claim, device, emptyState, type HubState, model, token } from './state.js';

/** The longest document that those hubs wrote. */
export const DOCUMENT_LIMIT = 256 * 1024 * 1024;

const PENDING = ['supersede-siblings', 'assign', 'start-round'] as const;
const documentRollout = rollout.extend({
  /** Bytes of its event log that this state has seen. Null in a state that was written before positions were kept. */
  seen: z.int().nonnegative().nullable().default(null),
  pending: z.array(z.enum(PENDING)).default([]),
});
export type DocumentRollout = z.infer<typeof documentRollout>;

/** The memory of a hub before 0.3: one document. */
const document = z.object({
  schema: z.literal(3),
  claims: z.array(claim),
  tokens: z.array(token),
  devices: z.record(z.string(), device),
  models: z.record(z.string(), model),
  rollouts: z.array(documentRollout),
  evaluations: z.array(round),
  hours: z.record(z.string(), modelHours),
});
export interface Document {
  /** All of it but the rollouts, whose logs may know more. */
  readonly state: HubState;
  readonly rollouts: readonly DocumentRollout[];
  /** By the digest of their model. */
  readonly hours: Readonly<Record<string, ModelHours>>;
}

/** Throws `state_corrupt` where it fits no schema. */
export function readDocument(bytes: Uint8Array, path: string): Document {
  const raw = parseJson(z.unknown(), bytes, DOCUMENT_LIMIT, path, 'state_corrupt');
  const { claims, tokens, devices, models, rollouts, evaluations, hours } = check(
    document,
    migrate(raw) ?? raw,
    path,
    'state_corrupt',
  );
  const state = emptyState();
  for (const one of claims) state.claims[one.hash] = one;
  Object.assign(state.devices, devices);
  Object.assign(state.models, models);
  return { state: { ...state, tokens, evaluations }, rollouts, hours };
}

/** The state as 0.1.0 wrote it: its rollouts had no events and no drift, and nothing was evaluated. */
const first = z.looseObject({ schema: z.literal(1), rollouts: z.array(z.unknown()) });
/** The state with rollouts of the first gate. */
const second = z.looseObject({ schema: z.literal(2), rollouts: z.array(z.unknown()) });
/**
 * Null for a document of the last schema. Rollouts of an earlier form end here, for what they gathered knew no channels; devices
 * go on with production, and the event logs stay, to be audited by the gate that wrote them.
 */
function migrate(value: unknown): unknown {
  const oldest = first.safeParse(value);
  if (oldest.success) return { ...oldest.data, schema: 3, rollouts: [], evaluations: [], hours: {} };
  const read = second.safeParse(value);
  return read.success ? { ...read.data, schema: 3, rollouts: [] } : null;
}
