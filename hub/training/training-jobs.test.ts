import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { until } from '@adbreak/shared/testing/until.js';
import { openStore } from '../store/open.js';
import type { TrainingJob } from './job.js';
import { TrainingFolder } from './job-folder.js';
import { TrainingJobs } from './training-jobs.js';

const NOW = new Date('2026-01-01T00:00:00.000Z');
const WAITING: TrainingJob = {
  id: 't-1',
  model: 'base-ad-detector',
  version: '1.0.0',
  configuration: '',
  settings: [],
  dataset: 'tiny',
  who: 'token:a',
  asked: NOW.toISOString(),
  standing: { state: 'queued' },
  interruptions: 0,
  progress: null,
  epochs: [],
};

/** One whose disk answers when it is told to. */
class SlowFolder extends TrainingFolder {
  answer = () => {};
  readonly #answered = new Promise<string[]>((resolve) => {
    this.answer = () => resolve([]);
  });
  override readLog(): Promise<string[]> {
    return this.#answered;
  }
}

test('a job that is called off at the moment when it begins is not trained', async () => {
  const root = await temporaryFolder();
  const [datasets, trainer] = [join(root, 'datasets'), join(root, 'trainer.mjs')];
  for (const one of ['datasets/tiny', 'state']) await mkdir(join(root, one), { recursive: true });
  // What a trainer leaves that has begun.
  await writeFile(trainer, `import { writeFileSync } from 'node:fs'; writeFileSync('${root}/begun', '');`);
  const store = await openStore(join(root, 'state'), () => NOW);
  await store.change(({ trainingJobs }) => {
    trainingJobs[WAITING.id] = WAITING;
  });
  const folder = new SlowFolder(join(root, 'training'));
  const jobs = new TrainingJobs({
    ...{ store, folder, trainer, datasets, keepFreeMiB: 0, graceMs: 1000, lookMs: 1000, noteMs: 1000 },
    registry: {
      receive: () => assert.fail('nothing is to be registered'),
      register: () => assert.fail('nothing is to be registered'),
    },
    now: () => NOW,
    log: () => undefined,
  });
  await jobs.begin();
  await until('running', async () => jobs.find(WAITING.id).state === 'running');
  await jobs.cancel(WAITING.id, 'token:b');
  folder.answer();
  await until('over', async () => jobs.find(WAITING.id).ended !== null);
  assert.equal(jobs.find(WAITING.id).cancelled, 'token:b');
  assert.ok(!(await readdir(root)).includes('begun'), 'its trainer was started');
  await jobs.close();
  await store.close();
});
