import { z } from 'zod';
import { modelRef } from '../manifest.js';
import { anyReason, instant, modelParams } from './common.js';
import { contract } from './contract.js';
import { STATUSES } from './rollout-view.js';

const heldBy = z.object({ device: z.string(), by: z.string() });
const exception = z.object({
  name: z.string(),
  version: modelRef,
  /** Of that version; `gone` where the registry has no such model any more. */
  standing: z.enum(['available', 'quarantined', 'gone']),
  /** On which it decides, and which it names as well while another exception decides. */
  devices: z.array(z.string()),
  others: z.array(heldBy),
  /** The rollouts that left it behind, oldest first; empty where the hub's history does not know. */
  findings: z.array(z.object({ rollout: z.string(), version: z.string(), at: instant, reason: z.string() })),
});
const lifted = z.object({
  name: z.string(),
  version: modelRef,
  at: instant,
  who: z.string(),
  reason: z.string(),
});

const list = contract({
  method: 'GET',
  path: '/api/v1/models/{name}/exceptions',
  access: 'viewer',
  summary: 'What stays on an earlier version though the fleet went on, since when and why.',
  params: modelParams,
  answer: z.object({
    model: z.string(),
    production: modelRef.nullable(),
    exceptions: z.array(exception),
    lifted: z.array(lifted),
    /** A rollout of the model that is active: nothing is lifted until it is over. */
    active: z.object({ id: z.string(), status: z.enum(STATUSES) }).nullable(),
    text: z.string(),
  }),
});

const told = { model: z.string(), text: z.string() };
const lift = contract({
  method: 'POST',
  path: '/api/v1/models/{name}/exceptions/lift',
  // Past the gate, as `force` is: it may have found the version worse there.
  access: 'admin',
  doing: 'lifting an exception',
  summary: 'Puts a slice or a device that stays on an earlier version back on production.',
  params: modelParams,
  body: z.strictObject({
    name: z
      .string()
      .max(130)
      .regex(
        /^(channel|site|hardware|device)=/,
        'must be channel=NAME, site=NAME, hardware=NAME or device=ID',
      ),
    reason: anyReason,
  }),
  bodyIs: 'the lift',
  answer: z.discriminatedUnion('kind', [
    z.object({
      ...told,
      kind: z.literal('lift'),
      exception,
      production: modelRef,
      /** Devices that change their production version; `by` names the exception that decides from now on. */
      moves: z.array(
        z.object({ device: z.string(), online: z.boolean(), to: z.string(), by: z.string().nullable() }),
      ),
      stay: z.array(heldBy),
      /** The completed rollout that a rollback would take back. */
      back: z.string().nullable(),
    }),
    z.object({ ...told, kind: z.literal('lifted'), lifted }),
  ]),
});

export const exceptions = { list, lift };
