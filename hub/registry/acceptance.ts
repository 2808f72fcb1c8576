import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Metadata, Root, TargetFile, Targets } from '@tufjs/models';
import { type InForce, unsignedUnder } from './metadata-files.js';
import type { RoleName } from './signing.js';

/**
 * Throws where clients would not take a root after the one in force (the TUF specification 1.0, 5.3), or
 * would then not take what is in force beside it. `path` is where it lies, for the message.
 */
export function refuseRoot(root: Metadata<Root>, all: InForce, path: string): void {
  if (root.signed.version !== all.root.signed.version + 1)
    throw refusal(path, `it is root ${root.signed.version}, and ${all.root.signed.version} is in force`);
  try {
    all.root.verifyDelegate('root', root);
  } catch (cause) {
    throw unsigned(path, 'root', cause);
  }
  const other = unsignedUnder(root, all);
  if (other?.role === 'root') throw unsigned(path, 'root', other.cause);
  if (other !== null)
    throw refusal(
      path,
      `the metadata of ${other.role} in force is not signed by the key that it names`,
      other.cause,
    );
}

/** What a list of targets adds to the one in force; throws where it may not follow it. */
export function addedBy(
  list: Metadata<Targets>,
  { root, targets }: InForce,
  { path, now }: { path: string; now: Date },
): TargetFile[] {
  const before = targets.signed;
  if (list.signed.version <= before.version)
    throw refusal(path, `it is list ${list.signed.version}, and ${before.version} is in force`);
  try {
    root.verifyDelegate('targets', list);
  } catch (cause) {
    throw unsigned(path, 'targets', cause);
  }
  if (list.signed.isExpired(now)) throw refusal(path, `it ended at ${list.signed.expires}`);
  for (const target of Object.values(before.targets))
    if (list.signed.targets[target.path]?.equals(target) !== true)
      throw refusal(path, `it has not got ${target.path} as the list in force has it`);
  return Object.values(list.signed.targets).filter(({ path: one }) => before.targets[one] === undefined);
}

function refusal(path: string, why: string, cause?: unknown): AdbreakError {
  return new AdbreakError('conflict', `Cannot publish ${path}: ${why}`, { cause });
}

function unsigned(path: string, role: RoleName, cause: unknown): AdbreakError {
  return new AdbreakError(
    'metadata_forged',
    `Cannot publish ${path}: it is not signed by the keys of ${role}`,
    {
      cause,
      remedy:
        'Sign it where the key lies, `adbreak keys sign FILE --key KEY`; a new root key signs beside the old one.',
    },
  );
}
