import { type Key, MetaFile, Root, Snapshot, type TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { InForce } from './metadata-files.js';
import { ROLES, type RoleName } from './signing.js';

/** What is signed, by role, as it is made: until when it is good, and how old it may become. */

const SPEC = '1.0.31';
const DAY = 24 * 3600 * 1000;
const LIFETIME_DAYS: Record<RoleName, number> = { root: 3650, targets: 365, snapshot: 30, timestamp: 7 };
/** How old each may become, days: less than half of its life, and of the root all but its last year. */
const RENEWED_AFTER_DAYS: Record<RoleName, number> = {
  root: 3285,
  targets: 180,
  snapshot: 14,
  timestamp: 1 / 28,
};

export type Document = Root | Targets | Snapshot | Timestamp;
export type TargetMap = Record<string, TargetFile>;
export type Versions = Record<'targets' | 'snapshot' | 'timestamp', number>;

export function versionsOf({ targets, snapshot, timestamp }: InForce): Versions {
  return {
    targets: targets.signed.version,
    snapshot: snapshot.signed.version,
    timestamp: timestamp.signed.version,
  };
}

/**
 * Whether it is time to sign it anew. What lies longer in the future than its life is not due: the clock was
 * set back.
 */
export function isDue(role: RoleName, { expires }: Pick<Document, 'expires'>, now: Date): boolean {
  const left = Date.parse(expires) - now.getTime();
  return LIFETIME_DAYS[role] * DAY - left >= RENEWED_AFTER_DAYS[role] * DAY;
}

export function rootOf(version: number, now: Date, keysOf: (role: RoleName) => readonly Key[]): Root {
  const root = new Root({ ...common('root', version, now), consistentSnapshot: true });
  for (const role of ROLES) for (const key of keysOf(role)) root.addKey(key, role);
  return root;
}

/** The root after the number given: the keys of `base`, but for one role. */
export function rootAfter(
  base: Root,
  version: number,
  now: Date,
  change?: { readonly role: RoleName; readonly key: Key },
): Root {
  return rootOf(version + 1, now, (role) =>
    change?.role === role
      ? [change.key]
      : (base.roles[role]?.keyIDs ?? []).flatMap((id) => base.keys[id] ?? []),
  );
}

export function listOf(version: number, targets: TargetMap, now: Date): Targets {
  return new Targets({ ...common('targets', version, now), targets });
}
export function snapshotOf(version: number, targets: number, now: Date): Snapshot {
  const meta = { 'targets.json': new MetaFile({ version: targets }) };
  return new Snapshot({ ...common('snapshot', version, now), meta });
}
export function timestampOf(version: number, snapshot: number, now: Date): Timestamp {
  const snapshotMeta = new MetaFile({ version: snapshot });
  return new Timestamp({ ...common('timestamp', version, now), snapshotMeta });
}

/** Whether a list has all that another has. */
export function hasAll(list: TargetMap, other: TargetMap): boolean {
  return Object.keys(other).every((path) => list[path] !== undefined);
}

function common(role: RoleName, version: number, now: Date) {
  const end = new Date(now.getTime() + LIFETIME_DAYS[role] * DAY);
  // Whole seconds, as TUF has it.
  return { version, specVersion: SPEC, expires: end.toISOString().replace(/\.\d+Z$/, 'Z') };
}
