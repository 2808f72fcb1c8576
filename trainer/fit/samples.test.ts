import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { DEFAULT_CONFIG, type TrainingConfig } from '../config/schema.js';
import { prepared } from '../testing/datasets.js';
import { writeScenes } from '../testing/pictures.js';
import { recordedData } from '../testing/trainings.js';
import { samplesOf } from './samples.js';

const configOf = (dataset: Partial<TrainingConfig['dataset']>): TrainingConfig => ({
  ...DEFAULT_CONFIG,
  dataset: { ...DEFAULT_CONFIG.dataset, ...dataset },
});
const refused = (config: TrainingConfig, words: RegExp) =>
  assert.rejects(
    samplesOf(config),
    (error: unknown) =>
      error instanceof AdbreakError && error.code === 'input_invalid' && words.test(error.message),
  );

describe('what is trained on', () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await temporaryFolder();
    path = await recordedData(join(folder, 'data'));
  });
  test('is the beginning of each training recording where that is asked for, to the second', async () => {
    const [whole, first] = [
      await samplesOf(configOf({ path })),
      await samplesOf(configOf({ path, first: 7 })),
    ];
    assert.deepEqual([whole.count('train'), first.count('train')], [40, 14]);
    assert.equal(first.count('test'), whole.count('test'));
  });
  test('are the recordings that are named; a name that none has is refused', async () => {
    assert.equal((await samplesOf(configOf({ path, only: ['one'] }))).count('train'), 40);
    await refused(configOf({ path, only: ['one', 'oen'] }), /Cannot train on oen, as dataset\.only says/);
  });
  test('are pictures of a prepared data set; what is said of recordings is refused then', async () => {
    const pictures = join(folder, 'pictures');
    await writeScenes(join(folder, 'raw'), { ad: 12, content: 12 });
    prepared(join(folder, 'raw'), pictures);
    assert.ok((await samplesOf(configOf({ path: pictures }))).count('train') > 0);
    await refused(configOf({ path: pictures, first: 7 }), /dataset\.first is for recordings/);
    await refused(configOf({ path: pictures, only: ['one'] }), /dataset\.only is for recordings/);
  });
});
