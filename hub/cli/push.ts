import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_LIMIT, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { FormData } from 'undici';
import { callHub, type HubAddress } from './client.js';

/** Registers the version that `adbreak train` wrote into a folder. */
export async function pushVersion(hub: HubAddress, folder: string): Promise<unknown> {
  const [facts, model] = await Promise.all(
    ['manifest.json', 'model.tflite'].map((name) =>
      readFile(join(folder, name)).catch((cause: unknown) => {
        throw new AdbreakError('not_found', `Cannot push ${folder}: it has no ${name}`, {
          cause,
          remedy: 'Give the folder that `adbreak train` wrote.',
        });
      }),
    ),
  );
  const { name, version } = parseJson(manifest, facts ?? '', MANIFEST_LIMIT, join(folder, 'manifest.json'));
  const form = new FormData();
  form.set('manifest', Buffer.from(facts ?? '').toString());
  form.set('model', new Blob([Uint8Array.from(model ?? [])]), 'model.tflite');
  return callHub(hub, `/api/v1/models/${name}/versions/${version}`, { method: 'PUT', form });
}
