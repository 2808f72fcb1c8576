import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type {
  Decision,
  Lineage,
  Manifest,
  TestMetrics,
  UnsureReference,
} from '@adbreak/shared/contract/manifest.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import type { AdClassifier } from '@adbreak/shared/tflite/classifier.js';
import type { Preprocess } from '@adbreak/shared/video/frames.js';
import { stringify } from 'yaml';
import { z } from 'zod';
import { withoutSecrets } from '../config/read.js';
import type { TrainingConfig } from '../config/schema.js';
import { goldenOf } from '../convert/manifest.js';
import type { Backbone } from './networks.js';

/** This workspace, from where its compiled files are. */
const HOME = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

export interface ManifestFacts {
  readonly config: TrainingConfig;
  readonly preprocess: Preprocess;
  readonly backbone: Backbone;
  readonly model: Uint8Array;
  readonly classifier: AdClassifier;
  readonly metrics: TestMetrics;
  readonly lineage: Lineage;
  readonly decision: Decision;
  readonly unsure: UnsureReference;
  readonly now: Date;
}

/** What a device must know of a trained model, and what people may want to. */
export async function manifestOf(facts: ManifestFacts): Promise<Manifest> {
  const { config, preprocess, backbone, model, classifier, now } = facts;
  const { metrics, lineage, decision, unsure } = facts;
  return {
    schema: 1,
    name: config.model.name,
    version: config.model.version,
    digest: sha256(model),
    bytes: model.byteLength,
    architecture: backbone.architecture,
    weights: backbone.weights,
    labels: ['content', 'ad'],
    preprocess: { ...preprocess, ...backbone.normalization },
    input: { type: 'int8', shape: [...(classifier.input?.shape ?? [])] },
    golden: await goldenOf(classifier, preprocess),
    decision,
    lineage,
    unsure,
    metrics,
    createdAt: now.toISOString(),
  };
}

/**
 * The configuration without what decides nothing of the model: its name, where it goes, how many threads
 * compute it.
 */
export function deciding({ model, dataset, training, conversion }: TrainingConfig) {
  const { name: _name, version: _version, ...network } = model;
  const { path: _path, video: _video, labels: _labels, ...pictures } = dataset;
  const { threads: _threads, ...fitting } = training;
  return { model: network, dataset: pictures, training: fitting, conversion };
}

export function configurationDigest(config: TrainingConfig): string {
  return sha256(JSON.stringify(deciding(config)));
}

/** What a run leaves of its model: the file, its manifest, and the configuration that makes it again. */
export async function writeResults(
  folder: string,
  { config, manifest, model }: { config: TrainingConfig; manifest: Manifest; model: Uint8Array },
): Promise<void> {
  await writeAtomic(join(folder, 'model.tflite'), model);
  await writeAtomic(join(folder, 'manifest.json'), json(manifest));
  await writeAtomic(join(folder, 'configuration.yaml'), stringify(withoutSecrets(config)));
}

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * `0.1.0`; in a checkout whose git answers `0.1.0+691e30c7a412`, with `-dirty` where files differ from that
 * commit. `home` is the folder of the package.
 */
export async function codeVersion(home = HOME): Promise<string> {
  const text = await readFile(join(home, 'package.json'));
  const { version } = parseJson(z.object({ version: z.string().max(50) }), text, 64 * 1024, 'package.json');
  const git = (...args: readonly string[]) =>
    run('git', ['-C', home, ...args], { timeout: 5000 }).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    );
  // Installed below a checkout of somebody else's it has none of its commits.
  const isTracked = (await git('ls-files', '--', 'package.json')) !== '';
  const commit = isTracked ? await git('describe', '--always', '--dirty', '--abbrev=12', '--exclude=*') : '';
  return /^[0-9a-f]{7,40}(-dirty)?$/.test(commit) ? `${version}+${commit}` : version;
}
