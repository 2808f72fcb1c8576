import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, manifest } from './contract/manifest.js';
import { parseJson } from './contract/parse.js';
import { AdbreakError, systemCode } from './errors.js';
import { exists, sha256, syncFolder, writeAtomic } from './storage/atomic.js';

/** The name of a link to the folder of the model that is kept. */
const CURRENT = 'current';

/** Where models are kept between runs: ADBREAK_MODELS, else ~/.cache/adbreak/models. */
function modelsFolder(): string {
  return process.env['ADBREAK_MODELS'] ?? join(homedir(), '.cache', 'adbreak', 'models');
}

/** The folder of the model that commands take where none is named. Throws `not_found` when none is kept. */
export async function keptModel(): Promise<string> {
  const folder = join(modelsFolder(), CURRENT);
  if (await exists(folder)) return folder;
  throw new AdbreakError(
    'not_found',
    `Cannot find a model: none was named with --model, none is kept in ${folder}`,
    {
      remedy:
        'Fetch one from a hub with `adbreak models pull NAME`, make a first one with `make model`, or give --model DIR.',
    },
  );
}

/**
 * Keeps a model for commands that name none, in place of the one before, and gives its folder and manifest.
 * It takes the other's place in one step, when it is whole. Throws `input_invalid` for a wrong manifest,
 * `model_corrupt` where the file is not the manifest's.
 */
export async function keepModel(
  file: Uint8Array,
  facts: Uint8Array,
): Promise<{ folder: string; manifest: Manifest }> {
  const parsed = parseJson(manifest, facts, MANIFEST_LIMIT, 'the manifest');
  const digest = sha256(file);
  if (digest !== parsed.digest)
    throw new AdbreakError('model_corrupt', "Cannot keep the model: its SHA-256 is not the manifest's");
  const models = modelsFolder();
  const folder = join(models, digest);
  await writeAtomic(join(folder, 'model.tflite'), file);
  await writeAtomic(join(folder, 'manifest.json'), facts);
  const before = await currentOf(models);
  const link = join(models, `.${CURRENT}.${process.pid}`);
  await rm(link, { force: true });
  await symlink(digest, link);
  await rename(link, join(models, CURRENT));
  await syncFolder(models);
  if (before !== null && before !== digest) await rm(join(models, before), { recursive: true, force: true });
  return { folder, manifest: parsed };
}

/** The folder that the link names; null without one. */
async function currentOf(models: string): Promise<string | null> {
  await mkdir(models, { recursive: true });
  try {
    return basename(await readlink(join(models, CURRENT)));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
