import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MANIFEST_LIMIT, type Manifest, MODEL_LIMIT, manifest } from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { readLimited, sha256 } from '@adbreak/shared/storage/atomic.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { inspect } from '../inspect/inspect.js';
import type { Subject } from './assessment.js';

/** A model read from disk, its digest checked. */
export interface LoadedModel {
  readonly path: string;
  readonly file: Uint8Array;
  readonly manifest: Manifest;
  readonly multiplyAdds: number;
}

/**
 * The folder that `adbreak train` writes, or the .tflite file in it. Throws `not_found`, or `model_corrupt`
 * where the file is not the manifest's.
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new AdbreakError('not_found', `Cannot open the model ${path}: it does not exist`, {
      cause,
      remedy: 'Give the folder that `adbreak train` wrote, or the .tflite file in it.',
    });
  });
  const model = info.isDirectory() ? join(path, 'model.tflite') : path;
  const beside = join(dirname(model), 'manifest.json');
  const file = await present(model, MODEL_LIMIT);
  const facts = parseJson(
    manifest,
    await present(beside, MANIFEST_LIMIT),
    MANIFEST_LIMIT,
    beside,
    'model_corrupt',
  );
  if (sha256(file) !== facts.digest)
    throw new AdbreakError(
      'model_corrupt',
      `Cannot open the model ${model}: its SHA-256 is not the manifest's`,
    );
  return { path: model, file, manifest: facts, multiplyAdds: inspect(readModel(file)).multiplyAdds };
}

async function present(path: string, limit: number): Promise<Uint8Array> {
  const bytes = await readLimited(path, limit);
  if (bytes !== undefined) return bytes;
  throw new AdbreakError('not_found', `Cannot open the model: ${path} does not exist`, {
    remedy: 'Keep model.tflite and manifest.json together, as `adbreak train` writes them.',
  });
}

/** One model, or several as one: then their names stand together. */
export function subjectOf(models: readonly LoadedModel[]): Subject {
  const each = (of: (model: Manifest) => string) =>
    [...new Set(models.map((model) => of(model.manifest)))].join(' + ');
  return {
    name: each(({ name }) => name),
    version: each(({ version }) => version),
    architecture: each(({ architecture }) => architecture),
    members: models.map(({ manifest: { digest, bytes }, multiplyAdds }) => ({ digest, bytes, multiplyAdds })),
  };
}
