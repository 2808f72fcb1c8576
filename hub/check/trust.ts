import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { validityOf } from '@adbreak/shared/certificates.js';
import { sha256OfFile } from '../backup/artifacts.js';
import type { Authority } from '../identity/authority.js';
import { endingLine, endings } from '../identity/endings.js';
import type { Registry } from '../registry/registry.js';
import type { HubState } from '../store/state.js';
import { type Finding, ok, warning, wrong } from './finding.js';
import { dayOf } from './ports.js';

const DAY = 24 * 3_600_000;
/** The hub signs anew at each start and every hour what is half way to its end: less than this says that it does not. */
const LEAST_LEFT = { timestamp: 3.5 * DAY, snapshot: 15 * DAY, targets: 180 * DAY, root: 350 * DAY };
/** So many names of devices in one line. */
const NAMED = 5;

export function checkAuthority(authority: Authority, now: Date): Finding {
  const said = authority.warning(now);
  const { from, to } = validityOf(authority.certificate);
  if (said === null)
    return ok('authority', `its key and certificate belong together; it ends on ${dayOf(to)}`);
  const mend = 'docs/operations/certificates.md says what to do.';
  return now.getTime() < from || now.getTime() >= to
    ? wrong('authority', said, mend)
    : warning('authority', said, mend);
}

/** Devices whose certificate has ended renew by themselves within the grace period; later they need a claim. */
export function checkDevices({ devices }: Readonly<HubState>, graceDays: number, now: Date): Finding {
  const known = Object.values(devices).filter(({ revoked }) => !revoked);
  const late = known.filter(
    ({ certificateEnds }) =>
      certificateEnds !== null && Date.parse(certificateEnds) + graceDays * DAY < now.getTime(),
  );
  if (late.length === 0)
    return ok('devices', `${known.length} devices, none whose certificate is beyond renewal`);
  const names = late.slice(0, NAMED).map(({ id }) => id);
  const more = late.length > NAMED ? ` and ${late.length - NAMED} more` : '';
  return warning(
    'devices',
    `the certificate of ${names.join(', ')}${more} ended more than ${graceDays} days ago: the hub lets them in no more`,
    'Give each a claim of its own: `adbreak devices claim --device ID`; or revoke those that are gone.',
  );
}

/** What people, scripts and machines come in with, and how long that goes on. */
export function checkAccess(state: Readonly<HubState>, now: Date): Finding[] {
  const found = endings(state, now).map((one) => warning('access', endingLine(one), one.mend));
  return found.length > 0 ? found : [ok('access', 'no token and no certificate of an operator ends soon')];
}

/** Throws `state_corrupt` where the keys are not those that the root names, or a signature is not theirs. */
export async function checkSigned(registry: Registry, now: Date): Promise<Finding[]> {
  const ends = await registry.expiries();
  const found = (Object.keys(LEAST_LEFT) as (keyof typeof LEAST_LEFT)[]).flatMap((role): Finding[] => {
    const left = ends[role].getTime() - now.getTime();
    const day = ends[role].toISOString();
    const mend =
      'Start the hub, or restart it: it signs anew every hour. Where the key lies elsewhere, docs/operations/keys.md.';
    if (left <= 0)
      return [
        wrong('metadata', `the signed metadata of ${role} ended at ${day}: devices fetch no model`, mend),
      ];
    if (left < LEAST_LEFT[role])
      return [warning('metadata', `the signed metadata of ${role} ends at ${day}`, mend)];
    return [];
  });
  for (const line of await registry.waiting())
    found.push(
      warning(
        'metadata',
        line,
        'Where the key lies: `adbreak keys sign FILE --key KEY`; here: `adbreak keys publish FILE`.',
      ),
    );
  return found.length > 0
    ? found
    : [
        ok(
          'metadata',
          `signed by the four keys that the root names; the timestamp ends at ${ends.timestamp.toISOString()}`,
        ),
      ];
}

/**
 * Every artifact that the signed list names, and every version that rows name, is there and is what its digest says.
 */
export async function checkArtifacts(
  folder: string,
  registry: Registry,
  { models }: Readonly<HubState>,
): Promise<Finding[]> {
  const listed = await registry.listed();
  const found: Finding[] = [];
  for (const { path, digest, bytes } of listed) {
    const fault = await faultOf(join(folder, 'registry/targets', digest), digest, bytes);
    if (fault !== null)
      found.push(
        wrong(
          'models',
          `${path}: ${join(folder, 'registry/targets', digest)} ${fault}`,
          `Copy that file from a backup or another copy of the state folder: its name is its SHA-256.`,
        ),
      );
  }
  const names = new Set(listed.map(({ path }) => path));
  for (const [name, { versions }] of Object.entries(models))
    for (const version of Object.keys(versions))
      if (!names.has(`${name}/${version}/model.tflite`))
        found.push(
          wrong(
            'models',
            `${name} ${version} is registered, and the signed list does not name it: no device can fetch it`,
            'Restore the whole state folder from one backup: its registry and its database are of two moments.',
          ),
        );
  return found.length > 0 ? found : [ok('models', `${listed.length} artifacts, each what its digest says`)];
}

async function faultOf(path: string, digest: string, bytes: number): Promise<string | null> {
  const info = await stat(path).catch(() => null);
  if (info === null) return 'is missing';
  if (info.size !== bytes) return `has ${info.size} bytes instead of ${bytes}`;
  return (await sha256OfFile(path)) === digest ? null : 'is damaged: its SHA-256 is another one';
}
