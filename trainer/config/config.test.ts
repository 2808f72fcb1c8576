import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { parse } from 'yaml';
import { flatten, isTree } from './keys.js';
import { flatText, parseSetting, readConfig, withoutSecrets } from './read.js';
import { DEFAULT_CONFIG } from './schema.js';

const EXAMPLES = fileURLToPath(new URL('../../../configs/training/', import.meta.url));

async function written(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'mine.yaml');
  await writeFile(path, text);
  return path;
}

const refused = (reading: Promise<unknown>, words: RegExp) =>
  assert.rejects(
    reading,
    (error: unknown) =>
      error instanceof AdbreakError && error.code === 'input_invalid' && words.test(error.message),
    String(words),
  );

describe('the configurations that come along', () => {
  test('are the four of the guide and name every key there is', async () => {
    const names = (await readdir(EXAMPLES)).sort();
    assert.deepEqual(names, [
      'custom.example.yaml',
      'production-base.yaml',
      'production-news.yaml',
      'production-sports.yaml',
    ]);
    const known = [...flatten(DEFAULT_CONFIG).keys()].sort();
    for (const name of names) {
      const tree: unknown = parse(await readFile(join(EXAMPLES, name), 'utf8'));
      assert.ok(isTree(tree));
      assert.deepEqual([...flatten(tree).keys()].sort(), known, name);
      await readConfig(join(EXAMPLES, name));
    }
  });
  test('ask for what the guide asks for, of smaller pictures', async () => {
    const { model, training, deployment, dataset } = await readConfig(join(EXAMPLES, 'production-base.yaml'));
    assert.deepEqual(
      [model.architecture, model.input_shape, dataset.path],
      ['efficientnet_lite0', [160, 160, 3], 'data/datasets/production'],
    );
    assert.deepEqual([training.batch_size, training.epochs, training.learning_rate], [32, 100, 0.001]);
    assert.deepEqual(deployment.requirements, {
      min_accuracy: 0.9,
      min_f1_score: 0.85,
      max_inference_time_ms: 100,
    });
  });
});

test('every key is in the table of docs/training.md', async () => {
  const guide = await readFile(fileURLToPath(new URL('../../../docs/training.md', import.meta.url)), 'utf8');
  const documented = new Set(
    [...guide.matchAll(/^\| (`[a-z0-9_.*]+`(?:, `[a-z0-9_.*]+`)*) +\|/gm)].flatMap(([, names = '']) =>
      keysIn(names),
    ),
  );
  const known = [...flatten(DEFAULT_CONFIG).keys()];
  const missing = known.filter(
    (key) => !documented.has(key) && !known.some((_, i) => documented.has(wildcard(key, i))),
  );
  assert.deepEqual(missing, []);
});

/** `training.batch_size`, `epochs` -> both with their section. */
function keysIn(names: string): string[] {
  const [first = '', ...others] = names.replaceAll('`', '').split(', ');
  const section = first.slice(0, first.indexOf('.'));
  const isWhole = (name: string) => Object.keys(DEFAULT_CONFIG).some((top) => name.startsWith(`${top}.`));
  return [first, ...others.map((name) => (isWhole(name) ? name : `${section}.${name}`))];
}
/** The section of a key's first parts, with all that is below: `training.augmentation.*`. */
function wildcard(key: string, parts: number): string {
  return `${key
    .split('.')
    .slice(0, parts + 1)
    .join('.')}.*`;
}

describe('a configuration', () => {
  test('says only what differs; an empty file and an empty section say nothing', async () => {
    assert.deepEqual(await readConfig(null), DEFAULT_CONFIG);
    assert.deepEqual(await readConfig(await written('# nothing\ntraining:\n')), DEFAULT_CONFIG);
    const { training } = await readConfig(await written('training:\n  augmentation: { views: 2 }\n'));
    assert.deepEqual(training, {
      ...DEFAULT_CONFIG.training,
      augmentation: { ...DEFAULT_CONFIG.training.augmentation, views: 2 },
    });
  });
  test('gives way to settings, whose values are YAML; the last one counts', async () => {
    const path = await written('training: { epochs: 7 }\n');
    const settings = ['training.epochs=9', 'training.epochs=11', 'model.input_shape=[96, 128, 3]'];
    const { training, model } = await readConfig(path, settings.map(parseSetting));
    assert.deepEqual([training.epochs, model.input_shape], [11, [96, 128, 3]]);
  });
  test('with an unknown key is refused with the nearest one that is known', async () => {
    for (const [text, words] of [
      [
        'training: { learning_rat: 1 }',
        /training\.learning_rat is no key; the nearest is training\.learning_rate/,
      ],
      ['epochs: 3', /epochs is no key; the nearest is training\.epochs/],
      ['trainnig: { epochs: 3 }', /trainnig\.epochs is no key; the nearest is training\.epochs/],
      ['model: { early_stopping_monitor: x }', /model\.early_stopping_monitor is no key$/],
      ['training: 3', /training must be a section with keys/],
      ['__proto__: { epochs: 3 }', /__proto__\.epochs is no key/],
    ] as const)
      await refused(readConfig(await written(text)), words);
    await refused(
      readConfig(null, [parseSetting('training.batchsize=3')]),
      /nearest is training\.batch_size/,
    );
  });
  test('takes words of people’s own for labels, and holds what they stand for to ad and content', async () => {
    const map = 'dataset: { label_map: { Werbung: ad, das Programm: content } }';
    const { dataset } = await readConfig(await written(map));
    assert.deepEqual(dataset.label_map, { Werbung: 'ad', 'das Programm': 'content' });
    await refused(
      readConfig(null, [parseSetting('dataset.label_map={Werbung: advert}')]),
      /dataset\.label_map\.Werbung/,
    );
  });
  test('with a value that cannot be is refused by its key', async () => {
    for (const [text, words] of [
      ['model: { architecture: resnet }', /model\.architecture/],
      ['model: { input_shape: [224, 224, 1] }', /model\.input_shape/],
      ['model: { weights: distill }', /model\.weights: it is the teacher/],
      ['training: { epochs: many }', /training\.epochs/],
      ['training: { fine_tuning: { from: block12 } }', /training\.fine_tuning\.from: it must be a block/],
      [
        'training: { fine_tuning: { from: [head, tail] } }',
        /training\.fine_tuning\.from: it must be a block/,
      ],
      ['training: { folds: 1 }', /training\.folds: it must be 0, or at least 2/],
      ['deployment: { requirements: { min_accuracy: 90 } }', /deployment\.requirements\.min_accuracy/],
      ['dataset: { video: a.mkv }', /dataset\.video: a recording needs its labels/],
      ['training: { epochs: 3, epochs: 4 }', /it is not YAML/],
      [
        'model: { input_shape: [1024, 1024, 3] }\nconversion: { calibration_pictures: 700 }',
        /conversion\.calibration_pictures: so many pictures of this model\.input_shape do not fit/,
      ],
      [
        'training: { network: { pictures: 20000 }, augmentation: { views: 3 } }',
        /training\.network\.pictures: so many pictures .* do not fit/,
      ],
      ['- a list', /must be sections with keys/],
    ] as const)
      await refused(readConfig(await written(text)), words);
    await assert.rejects(readConfig('/nowhere.yaml'), /does not exist/);
    assert.throws(() => parseSetting('training.epochs'), /must be KEY=VALUE/);
  });
  test('is flat text for whoever logs it', () => {
    const flat = flatText(DEFAULT_CONFIG);
    assert.deepEqual(
      [flat['training.learning_rate'], flat['model.input_shape'], flat['model.name']],
      ['0.001', '[224,224,3]', 'base-ad-detector'],
    );
  });
  test('is told to others without the user and password of an address', async () => {
    const [user, password] = ['somebody', 'hunter2'];
    const url = parseSetting(`tracking.mlflow.url=https://${user}:${password}@mlflow.example/below`);
    const config = await readConfig(null, [url]);
    assert.match(config.tracking.mlflow.url, /hunter2/);
    const told = withoutSecrets(config);
    assert.equal(flatText(told)['tracking.mlflow.url'], 'https://mlflow.example/below');
    assert.doesNotMatch(JSON.stringify(told), /somebody|hunter2/);
  });
});
