import type { ModelRef } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, type ErrorCode } from '@adbreak/shared/errors.js';
import { ownValue } from '@adbreak/shared/own-value.js';
import { apartBy } from '../rollouts/apart.js';
import { activeRollouts, exceptionNames } from '../rollouts/lifecycle/memberships.js';
import type { Rollout } from '../rollouts/rollout.js';
import type { HubState, Model } from '../store/state.js';
import { productionOf } from './desired.js';
import { devicesOf } from './members.js';

/**
 * Exceptions: slices (`channel=one`) and devices (`device=pi-3`) that a rollout left on an earlier version when it completed.
 * What there is of them, and what it would mean to lift one; pure.
 */
type Known = Pick<HubState, 'models' | 'devices' | 'rollouts'>;

/** A rollout left it behind, and why. */
export interface Finding {
  readonly rollout: string;
  /** The version that it does not run. */
  readonly version: string;
  readonly at: string;
  readonly reason: string;
}
export interface Exception {
  readonly name: string;
  readonly version: ModelRef;
  /** Of that version; `gone` where the registry has no such model any more. */
  readonly standing: 'available' | 'quarantined' | 'gone';
  /** On which it decides. */
  readonly devices: readonly string[];
  /** Which it names as well, while another exception decides. */
  readonly others: readonly HeldBy[];
  /** Oldest first; empty where the hub's history does not know. */
  readonly findings: readonly Finding[];
}
interface HeldBy {
  readonly device: string;
  readonly by: string;
}
/** An exception that a person lifted since this version is in production. */
export interface Lifted {
  readonly name: string;
  readonly version: ModelRef;
  readonly at: string;
  readonly who: string;
  readonly reason: string;
}
export interface Exceptions {
  readonly model: string;
  readonly production: ModelRef | null;
  readonly exceptions: readonly Exception[];
  readonly lifted: readonly Lifted[];
  /** A rollout of the model that is active: nothing is lifted until it is over. */
  readonly active: Pick<Rollout, 'id' | 'status'> | null;
}

/** A device that changes its production version. */
export interface Move {
  readonly device: string;
  readonly online: boolean;
  readonly to: string;
  /** The exception that decides from now on; null on production. */
  readonly by: string | null;
}
export type Lift =
  | {
      readonly kind: 'lift';
      readonly exception: Exception;
      readonly production: ModelRef;
      readonly moves: readonly Move[];
      /** Devices that stay on the same version by another exception. */
      readonly stay: readonly HeldBy[];
      /** The completed rollout that a rollback would take back; null where there is none. */
      readonly back: string | null;
    }
  /** The same was asked for before: there is nothing left to change. */
  | { readonly kind: 'lifted'; readonly lifted: Lifted };

export function exceptionsOf(state: Known, model: string): Exceptions {
  const entry = ownValue(state.models, model);
  const devices = new Map<string, { readonly decides: string[]; readonly others: HeldBy[] }>();
  for (const name of Object.keys(entry?.exceptions ?? {})) devices.set(name, { decides: [], others: [] });
  for (const device of devicesOf(state, model)) {
    const [by, ...weaker] = exceptionNames(device).filter((name) => devices.has(name));
    if (by === undefined) continue;
    devices.get(by)?.decides.push(device.id);
    for (const name of weaker) devices.get(name)?.others.push({ device: device.id, by });
  }
  const [active] = activeRollouts(state, model);
  return {
    model,
    production: entry === undefined ? null : productionOf(state, model),
    exceptions: Object.entries(entry?.exceptions ?? {})
      .map(([name, version]) => ({
        name,
        version,
        standing: standingOf(entry, version),
        devices: devices.get(name)?.decides.sort() ?? [],
        others: devices.get(name)?.others ?? [],
        findings: findingsOf(state.rollouts, model, name, version),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    lifted: Object.entries(entry?.lifted ?? {}).map(([name, lifted]) => ({ name, ...lifted })),
    active: active === undefined ? null : { id: active.id, status: active.status },
  };
}

/**
 * What follows when a person lifts an exception. Throws `not_found` where there is none of this name, and `conflict` where a
 * rollout of the model is active, or where nothing would change.
 */
export function liftOf(state: Known, model: string, name: string): Lift {
  const all = exceptionsOf(state, model);
  const { production, exceptions, lifted } = all;
  const exception = exceptions.find((one) => one.name === name);
  const before = lifted.find((one) => one.name === name);
  if (exception === undefined && before !== undefined) return { kind: 'lifted', lifted: before };
  const refuse = (code: ErrorCode, why: string, remedy: string): never => {
    throw new AdbreakError(code, `Cannot lift ${name} of ${model}: ${why}`, { remedy });
  };
  if (exception === undefined || production === null)
    return refuse('not_found', 'it is no exception', thereIs(all));
  const [active] = activeRollouts(state, model);
  if (active !== undefined)
    return refuse(
      'conflict',
      `rollout ${active.id} is ${active.status}, and counts by who stays on which version`,
      waitFor(active),
    );
  const { version } = exception.version;
  if (isSame(exception.version, production))
    return refuse(
      'conflict',
      `it stays on ${version}, which is in production everywhere else as well`,
      ENDS_BY_ITSELF,
    );
  const { moves, stay } = afterwards(state, model, exception, production);
  const [first] = stay;
  if (moves.length === 0 && first !== undefined)
    return refuse('conflict', `${keptBy(stay)} would keep it on ${version}`, liftFirst(model, first.by));
  const last = state.rollouts.findLast(
    (one) => one.model === model && one.status === 'completed' && isSame(one.to, production),
  );
  return { kind: 'lift', exception, production, moves, stay, back: last?.id ?? null };
}

/** The change itself; once more, it changes nothing. */
export function applyLift(model: Model | undefined, { name, ...lifted }: Lifted): void {
  if (model === undefined || !Object.hasOwn(model.exceptions, name)) return;
  delete model.exceptions[name];
  model.lifted = { ...model.lifted, [name]: lifted };
}

/** A name as an argument of a command: one with a space or a quote is put in quotes. */
export function quoted(name: string): string {
  return /^[\w=.:-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

function isSame(one: ModelRef, other: ModelRef): boolean {
  return one.version === other.version && one.digest === other.digest;
}

function standingOf(model: Model | undefined, { version, digest }: ModelRef): Exception['standing'] {
  const known = model === undefined ? undefined : ownValue(model.versions, version);
  return known === undefined || known.manifest.digest !== digest ? 'gone' : known.status;
}

/**
 * The rollouts in force that left it behind, from the one on that began to leave it on this version: later ones found the same
 * and left it there again. Those that were taken back left nothing.
 */
function findingsOf(rollouts: readonly Rollout[], model: string, name: string, version: ModelRef): Finding[] {
  const found = rollouts
    .filter(
      (rollout) =>
        rollout.model === model && (rollout.status === 'completed' || rollout.status === 'watching'),
    )
    .flatMap((rollout) => {
      const why = whyIn(rollout, name);
      return why === null
        ? []
        : [{ from: rollout.from, finding: { rollout: rollout.id, version: rollout.to.version, ...why } }];
    });
  const first = found.findLastIndex(({ from }) => isSame(from, version));
  return first < 0 ? [] : found.slice(first).map(({ finding }) => finding);
}

/** A device may have been left behind for a place that it named before (hub/rollouts/moves.ts, `leftBehind`). */
function whyIn(rollout: Rollout, name: string): Pick<Finding, 'at' | 'reason'> | null {
  const device = /^device=(.*)$/s.exec(name)?.[1];
  if (device === undefined) return ownValue(rollout.excluded, name) ?? null;
  const alone = ownValue(rollout.setAside, device);
  if (alone !== undefined) return { at: alone.at, reason: alone.reason };
  const place = apartBy(device, null, rollout, ownValue(rollout.evidence.devices, device)?.named);
  return place === null ? null : (ownValue(rollout.excluded, place) ?? null);
}

function afterwards(
  state: Known,
  model: string,
  { name, version }: Exception,
  production: ModelRef,
): { moves: Move[]; stay: HeldBy[] } {
  const exceptions = new Map(Object.entries(ownValue(state.models, model)?.exceptions ?? {}));
  const moves: Move[] = [];
  const stay: HeldBy[] = [];
  for (const device of devicesOf(state, model)) {
    const [first, next] = exceptionNames(device).filter((one) => exceptions.has(one));
    if (first !== name) continue;
    const then = next === undefined ? production : exceptions.get(next);
    if (next !== undefined && isSame(then ?? production, version)) stay.push({ device: device.id, by: next });
    else
      moves.push({
        device: device.id,
        online: device.online,
        to: (then ?? production).version,
        by: next ?? null,
      });
  }
  return { moves, stay };
}

// — refusals, in words —

const ENDS_BY_ITSELF =
  'Nothing needs to be done: the next rollout that completes ends it, unless that version is worse there.';

const MOST_NAMES = 10;
function thereIs({ model, exceptions }: Pick<Exceptions, 'model' | 'exceptions'>): string {
  if (exceptions.length === 0)
    return `${model} has no exceptions: every device runs its production version, or what a rollout gives it.`;
  const names = exceptions.slice(0, MOST_NAMES).map(({ name }) => name);
  return `There is ${names.join(', ')}${exceptions.length > MOST_NAMES ? ' and more' : ''}: \`adbreak models exceptions ${model}\`.`;
}

function liftFirst(model: string, name: string): string {
  return `Lift that first: \`adbreak models exceptions ${model} --lift ${quoted(name)}\`.`;
}

function keptBy(stay: readonly HeldBy[]): string {
  return [...new Set(stay.map(({ by }) => by))].join(' and ');
}

/** It knows the exceptions as they were when it began: it restores them where it is taken back, and takes them up where it completes. */
function waitFor({ id, status, to, stageSince, uncountedHours, plan }: Rollout): string {
  const abort = `\`adbreak rollouts abort ${id}\``;
  if (status !== 'watching')
    return `Wait for it: it tries ${to.version} there too, and leaves behind only where that is worse. Or end it: ${abort}.`;
  const end = new Date(Date.parse(stageSince) + (plan.watchHours + uncountedHours) * 3_600_000).toISOString();
  return `Wait until its watch ends (${end}). ${abort} would take ${to.version} back everywhere.`;
}
