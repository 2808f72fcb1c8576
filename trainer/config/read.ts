import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { readLimited } from '@adbreak/shared/storage/atomic.js';
import { parse } from 'yaml';
import { withoutUser } from '../track/mlflow-address.js';
import { flatten, isTree, nearestKey, overlay, type Tree, treeOf } from './keys.js';
import { DEFAULT_CONFIG, type TrainingConfig, trainingConfig } from './schema.js';

const LIMIT = 256 * 1024;
const KNOWN = [...flatten(DEFAULT_CONFIG).keys()];
/** A section whose keys are words of people's own labels. */
const OPEN = 'dataset.label_map.';

/** One value from the command line, over the file's: `training.epochs=30`, the value as YAML has it. */
export interface Setting {
  readonly key: string;
  readonly value: unknown;
}

/**
 * The configuration of a training: the file (if any) over the defaults, the settings over the file. Throws
 * `not_found`, `input_too_large`, or `input_invalid` that names the key, and for an unknown one the nearest
 * that is known.
 */
export async function readConfig(
  path: string | null,
  settings: readonly Setting[] = [],
): Promise<TrainingConfig> {
  const file = path === null ? {} : await readTree(path);
  const where = path === null ? 'the settings' : `the configuration ${path}`;
  refuseUnknown(file, where);
  let tree: Tree = overlay(DEFAULT_CONFIG, file);
  for (const { key, value } of settings) {
    const one = treeOf(key, value);
    refuseUnknown(one, `the setting ${key}`);
    tree = overlay(tree, one);
  }
  return check(trainingConfig, tree, where);
}

/** `KEY=VALUE` as a person types it. */
export function parseSetting(text: string): Setting {
  const at = text.indexOf('=');
  if (at < 1)
    throw new AdbreakError(
      'input_invalid',
      `Cannot set ${text}: it must be KEY=VALUE, as in training.epochs=30`,
    );
  const key = text.slice(0, at).trim();
  return { key, value: yaml(text.slice(at + 1), `the value of ${key}`) };
}

/** The configuration as others may read it: an address may hold a user and a password. */
export function withoutSecrets(config: TrainingConfig): TrainingConfig {
  const { tracking } = config;
  const mlflow = { ...tracking.mlflow, url: withoutUser(tracking.mlflow.url) };
  return { ...config, tracking: { ...tracking, mlflow } };
}

/**
 * Everything a tree says, flat and as text: what trackers log of a configuration, and what a checkpoint is
 * held to.
 */
export function flatText(tree: Tree): Record<string, string> {
  return Object.fromEntries(
    [...flatten(tree)].map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

async function readTree(path: string): Promise<Tree> {
  const bytes = await readLimited(path, LIMIT);
  if (bytes === undefined)
    throw new AdbreakError('not_found', `Cannot read the configuration ${path}: it does not exist`, {
      remedy: 'Start from configs/training/custom.example.yaml.',
    });
  const value = yaml(new TextDecoder().decode(bytes), `the configuration ${path}`) ?? {};
  if (!isTree(value))
    throw new AdbreakError(
      'input_invalid',
      `Cannot read the configuration ${path}: it must be sections with keys`,
    );
  return value;
}

function yaml(text: string, what: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (cause) {
    const [first = ''] = explain(cause).split('\n');
    throw new AdbreakError('input_invalid', `Cannot read ${what}: it is not YAML: ${first}`);
  }
}

function refuseUnknown(tree: Tree, where: string): void {
  for (const [key, value] of flatten(tree)) {
    const isSection = KNOWN.some((known) => known.startsWith(`${key}.`));
    // A section with nothing in it says nothing; YAML makes a null of it.
    if (KNOWN.includes(key) || key.startsWith(OPEN) || (isSection && (isTree(value) || value === null)))
      continue;
    if (isSection)
      throw new AdbreakError('input_invalid', `Cannot accept ${where}: ${key} must be a section with keys`);
    const nearest = nearestKey(key, KNOWN);
    throw new AdbreakError(
      'input_invalid',
      `Cannot accept ${where}: ${key} is no key${nearest === null ? '' : `; the nearest is ${nearest}`}`,
      { remedy: 'docs/training.md and configs/training/custom.example.yaml have every key.' },
    );
  }
}
