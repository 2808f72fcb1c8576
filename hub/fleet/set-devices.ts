import type { DeviceOutcome } from '@adbreak/shared/contract/http/fleet.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Executor } from '../rollouts/lifecycle/executor.js';
import type { AuditEntry, Store } from '../store/store.js';
import { type Ask, applyChange, devicesMeant, type Outcome, outcomeOf, type Refused } from './changes.js';
import type { ModelByTag } from './model-rules.js';

interface Parts {
  readonly store: Pick<Store, 'state' | 'change'>;
  readonly executor: Pick<Executor, 'assign'>;
  readonly modelByTag: ModelByTag;
}

/** What would change, device by device; nothing does. Throws where one device is meant twice. */
export function wouldSet(
  { store, modelByTag }: Omit<Parts, 'executor'>,
  asks: readonly Ask[],
): DeviceOutcome {
  const found = outcomeOf(store.state, devicesMeant(store.state, asks), modelByTag);
  return { dry_run: true, ...told(found) };
}

/**
 * Changes devices by a person's word: all of them or none, on disk and in the audit log first; then each
 * model that lost or got one gives its devices what they shall run, and its rollouts count who is left.
 * Once more, it changes nothing. Throws why a device cannot be changed.
 */
export async function setDevices(
  { store, executor, modelByTag }: Parts,
  asks: readonly Ask[],
  who: string,
): Promise<DeviceOutcome> {
  // By what is committed: in a draft each device that is looked at costs a copy.
  const named = devicesMeant(store.state, asks);
  const first = outcomeOf(store.state, named, modelByTag);
  refuse(first.refused, named.length);
  if (first.changed.length === 0) return { dry_run: false, ...told(first) };
  const done = await store.change((state, writing) => {
    const found = outcomeOf(state, named, modelByTag);
    refuse(found.refused, named.length);
    for (const { change, set } of found.changed) {
      applyChange(state, change, set);
      writing.audit({ who, ...changeEntry(change) });
    }
    return found;
  });
  const models = new Set(done.changed.flatMap(({ change }) => [change.before.model, change.after.model]));
  for (const model of models) await executor.assign(model);
  return { dry_run: false, ...told(done) };
}

function told({ changed, unchanged, refused }: Outcome): Omit<DeviceOutcome, 'dry_run'> {
  return {
    changed: changed.map(({ change }) => change),
    unchanged: [...unchanged],
    refused: refused.map(({ device, error: { code, message } }) => ({ device, code, message })),
  };
}

/** Only what differs: a log is read by people. */
function changeEntry({ device, before, after }: DeviceOutcome['changed'][number]): Omit<AuditEntry, 'who'> {
  const differs = (['model', 'tags', 'site', 'channel'] as const).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  );
  const only = (all: typeof before) => Object.fromEntries(differs.map((name) => [name, all[name]]));
  return { what: 'device.set', subject: device, before: only(before), after: only(after) };
}

const MOST_NAMED = 5;
/** Nothing is changed where one cannot be. */
function refuse(refused: readonly Refused[], asked: number): void {
  const [first, ...others] = refused;
  if (first === undefined) return;
  if (asked === 1) throw first.error;
  const code = others.every(({ error }) => error.code === first.error.code) ? first.error.code : 'conflict';
  const reasons = refused.slice(0, MOST_NAMED).map(({ error }) => error.message);
  const more = refused.length > MOST_NAMED ? `; and ${refused.length - MOST_NAMED} more` : '';
  throw new AdbreakError(
    code,
    `Cannot change ${refused.length} of ${asked} devices, and changed none: ${reasons.join('; ')}${more}`,
    { remedy: 'Look at all of them with --dry-run, leave these out, and ask again.' },
  );
}
