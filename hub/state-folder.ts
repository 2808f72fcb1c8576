import { access, constants, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AdbreakError, systemCode } from '@adbreak/shared/errors.js';

/** What a hub leaves in its folder. Where its state is not yet written, anything else says that the folder is another's. */
const STATE = 'hub.json';
const OWN = new Set([STATE, 'hub.0.1.0.json', 'hub.before.json', 'audit.jsonl', 'identity', 'registry', 'rollouts', '.gitignore']);
/** Files whose reader could pretend to be the hub, or a fleet's authority. */
const SECRETS = ['identity/ca.key', ...['root', 'targets', 'snapshot', 'timestamp'].map((role) => `registry/keys/${role}.key`)];
const OTHERS = 0o077;

/**
 * Makes the folder for the hub's state, for its owner alone, or looks at the one that is there. Throws `input_invalid` where
 * it is somebody else's (a source folder that the next `git add` would publish) or cannot be written, and `key_exposed`
 * where others can read a key. A folder that is open while its keys are not is told to `log`.
 */
export async function prepareStateFolder(folder: string, log: (line: string) => void): Promise<void> {
  const path = resolve(folder);
  const names = await makeFolder(path).catch((cause: unknown) => {
    throw new AdbreakError('input_invalid', `Cannot keep the hub's state in ${path}`, {
      cause,
      remedy: 'Give --state a folder that this user may write.',
    });
  });
  const foreign = foreignName(names);
  if (foreign !== undefined)
    throw new AdbreakError('input_invalid', `Cannot keep the hub's state in ${path}: the folder is not the hub's own, it holds ${foreign}`, {
      remedy: 'Give --state a folder of its own, such as ~/.local/state/adbreak/hub; if a hub ran here, move its hub.json, identity/ca.* and registry/ there.',
    });
  for (const secret of SECRETS) await refuseExposed(join(path, secret));
  if (((await stat(path)).mode & OTHERS) !== 0) log(`warning: others may look into ${path}; chmod 700 it`);
}

async function makeFolder(path: string): Promise<string[]> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  const names = await readdir(path);
  // Wherever the folder is, no `git add` takes the fleet's keys along.
  if (names.length === 0) await writeFile(join(path, '.gitignore'), '*\n');
  return names;
}

function foreignName(names: readonly string[]): string | undefined {
  if (names.includes('package.json')) return 'package.json';
  return names.includes(STATE) ? undefined : names.find((name) => !OWN.has(name) && !/^\..*\.part$/.test(name));
}

async function refuseExposed(path: string): Promise<void> {
  const info = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (info === null || (info.mode & OTHERS) === 0) return;
  throw new AdbreakError('key_exposed', `Cannot use the key ${path}: others can read it (mode ${(info.mode & 0o777).toString(8)})`);
}
