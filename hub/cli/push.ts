import { join } from 'node:path';
import { MANIFEST_LIMIT, MODEL_LIMIT, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { FormData } from 'undici';
import { callHub, type HubAddress } from './client.js';

/**
 * The files that `adbreak train` wrote into a folder, as they are. `verb`: what cannot be done without them.
 */
export async function readRelease(
  folder: string,
  verb: string,
): Promise<{ facts: Uint8Array; model: Uint8Array }> {
  const read = async (name: string, limit: number) => {
    const bytes = await readLimited(join(folder, name), limit);
    if (bytes !== undefined) return bytes;
    throw new AdbreakError('not_found', `Cannot ${verb} ${folder}: it has no ${name}`, {
      remedy: 'Give the folder that `adbreak train` wrote.',
    });
  };
  return {
    facts: await read('manifest.json', MANIFEST_LIMIT),
    model: await read('model.tflite', MODEL_LIMIT),
  };
}

/** Registers the version that `adbreak train` wrote into a folder. */
export async function pushVersion(hub: HubAddress, folder: string): Promise<unknown> {
  const { facts, model } = await readRelease(folder, 'push');
  const { name, version } = parseJson(manifest, facts, MANIFEST_LIMIT, join(folder, 'manifest.json'));
  const form = new FormData();
  form.set('manifest', Buffer.from(facts).toString());
  form.set('model', new Blob([Uint8Array.from(model)]), 'model.tflite');
  return callHub(hub, `/api/v1/models/${name}/versions/${version}`, { method: 'PUT', form });
}
