import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';

/** A model on disk: the path is a folder with model.tflite and manifest.json, or the .tflite file beside its manifest. */
export async function openModelFile(path: string): Promise<{ path: string; manifest: Manifest }> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot open the model ${path}: it does not exist`, {
      cause,
      remedy: 'Give the folder that `adbreak train` wrote, or the .tflite file in it.',
    });
  });
  const folder = info.isDirectory() ? path : dirname(path);
  const bytes = await readLimited(join(folder, 'manifest.json'), MANIFEST_LIMIT);
  if (bytes === undefined)
    throw new AdbreakError(
      'not_found',
      `Cannot open the model ${path}: ${join(folder, 'manifest.json')} does not exist`,
      {
        remedy: 'Keep model.tflite and manifest.json together, as `adbreak train` writes them.',
      },
    );
  return {
    path: info.isDirectory() ? join(path, 'model.tflite') : path,
    manifest: parseJson(manifest, bytes, MANIFEST_LIMIT, join(folder, 'manifest.json'), 'model_corrupt'),
  };
}
