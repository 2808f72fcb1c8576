import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, sep } from 'node:path';
import { AdbreakError } from '@adbreak/shared/errors.js';

/** What a data set's folder holds that the trainer opens. */
const SPLITS = ['train', 'val', 'test', 'calibration'];

/**
 * The data set of a name below the folder that the hub's settings allow: names of folders with slashes between
 * them. Throws `input_invalid` for any other form and for links that lead out of that folder, `not_found` where
 * there is none, `conflict` where the hub allows no trainings at all.
 */
export async function datasetPath(allowed: string | null, name: string): Promise<string> {
  if (allowed === null) throw trainingIsOff();
  const parts = name.split('/');
  const odd = (part: string) => part === '' || part === '.' || part === '..' || /[\\\p{Cc}]/u.test(part);
  if (isAbsolute(name) || parts.some(odd))
    throw new AdbreakError(
      'input_invalid',
      `Cannot train on ${JSON.stringify(name)}: a data set is named by its folder below that of the hub, as in production or sports/autumn`,
    );
  const root = await realpath(allowed).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot train: there is no ${allowed}`, {
      cause,
      remedy: 'Make the folder that `training.datasets` in settings.json names, or name another one.',
    });
  });
  const path = await realpath(join(root, ...parts)).catch((cause: unknown) => {
    throw noDataset(name, cause);
  });
  if (!(await stat(path)).isDirectory()) throw noDataset(name);
  await refuseLeadingOut(root, path, name);
  return path;
}

/** Of the data set and its splits: what lies deeper was put there by who may fill the folder. */
async function refuseLeadingOut(root: string, path: string, name: string): Promise<void> {
  const splits = SPLITS.map((split) => realpath(join(path, split)).catch(() => path));
  for (const real of [path, ...(await Promise.all(splits))])
    if (!real.startsWith(`${root}${sep}`))
      throw new AdbreakError(
        'input_invalid',
        `Cannot train on ${JSON.stringify(name)}: a link leads out of the folder of data sets`,
      );
}

function noDataset(name: string, cause?: unknown): AdbreakError {
  return new AdbreakError(
    'not_found',
    `Cannot train on ${JSON.stringify(name)}: the hub has no such data set`,
    {
      cause,
      remedy:
        'Copy it below the folder that `training.datasets` in the hub’s settings.json names, as `adbreak dataset prepare` made it.',
    },
  );
}

function trainingIsOff(): AdbreakError {
  return new AdbreakError('conflict', 'Cannot train: this hub is not set up for trainings', {
    remedy:
      'Name a folder for data sets as `training.datasets` in its settings.json, and start it again: docs/operations/training.md.',
  });
}
