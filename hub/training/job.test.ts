import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  aheadOf,
  ENDED_KEPT,
  EPOCHS_KEPT,
  forgettableJobs,
  MOST_INTERRUPTIONS,
  nextOf,
  QUEUE_LIMIT,
  refuseCrowd,
  standingAfter,
  type TrainingJob,
  trainingJob,
  withEpoch,
} from './job.js';

const NOW = new Date('2026-01-01T00:00:00.000Z');
const AT = NOW.toISOString();
const running = (cancelled: string | null = null): TrainingJob['standing'] => ({
  state: 'running',
  begun: AT,
  cancelled,
});
const ended: TrainingJob['standing'] = { state: 'cancelled', begun: null, ended: AT, cancelled: 'token:a' };
const job = (id: string, standing: TrainingJob['standing'] = { state: 'queued' }): TrainingJob => ({
  id,
  model: 'base-ad-detector',
  version: `1.0.${id}`,
  configuration: '',
  settings: [],
  dataset: 'grey',
  who: 'token:a',
  asked: AT,
  standing,
  interruptions: 0,
  progress: null,
  epochs: [],
});
const all = (...jobs: TrainingJob[]) => Object.fromEntries(jobs.map((one) => [`t${one.id}`, one]));
const failure = { code: 'training_failed', message: 'no', remedy: 'look' };

test('jobs have their turns in the order in which they were asked for', () => {
  const jobs = all(job('1', ended), job('2', running()), job('3'), job('4'));
  assert.equal(nextOf(jobs)?.id, '3');
  assert.deepEqual(
    ['1', '2', '3', '4', 'none'].map((id) => aheadOf(jobs, id)),
    [null, null, 1, 2, null],
  );
  assert.equal(nextOf(all(job('1', ended))), undefined);
});

test('a queue that is full and a version that is being made are refused', () => {
  const full = all(job('0', running()), ...Array.from({ length: QUEUE_LIMIT }, (_, i) => job(String(i + 1))));
  assert.throws(() => refuseCrowd(full, 'other', '1.0.0'), { code: 'conflict', message: /8 jobs wait/ });
  assert.throws(() => refuseCrowd(full, 'base-ad-detector', '1.0.0'), { code: 'conflict', message: /job 0/ });
  assert.doesNotThrow(() => refuseCrowd(all(job('1', ended)), 'base-ad-detector', '1.0.1'));
});

test('of those that are over the newest are kept, and whatever is not over', () => {
  const old = Array.from({ length: ENDED_KEPT + 2 }, (_, i) => job(String(i), ended));
  assert.deepEqual(forgettableJobs(all(job('a'), ...old)), ['0', '1']);
});

describe('where a run leaves its job', () => {
  test('is the queue where it was cut off, and the end where that happens again and again', () => {
    let now = job('1', running());
    const cut = { kind: 'interrupted', counts: true } as const;
    for (let i = 1; i <= MOST_INTERRUPTIONS; i++) {
      now = { ...now, ...standingAfter({ ...now, standing: running() }, cut, NOW) };
      assert.deepEqual([now.standing.state, now.interruptions], ['queued', i]);
    }
    const last = standingAfter({ ...now, standing: running() }, cut, NOW).standing;
    assert.ok(last.state === 'failed' && /cut off more than 3 times/.test(last.failure.message));
    const stopped = standingAfter(job('1', running()), { kind: 'interrupted', counts: false }, NOW);
    assert.deepEqual([stopped.standing.state, stopped.interruptions], ['queued', 0]);
  });
  test('is what was asked for where somebody has called it off, unless it had come to its result', () => {
    const off = job('1', running('token:b'));
    for (const outcome of [
      { kind: 'failed', failure },
      { kind: 'interrupted', counts: true },
    ] as const) {
      const { standing } = standingAfter(off, outcome, NOW);
      assert.ok(standing.state === 'cancelled' && standing.cancelled === 'token:b');
    }
    const confusion: [[number, number], [number, number]] = [
      [1, 0],
      [0, 1],
    ];
    const metrics = { frames: 2, accuracy: 1, precision: 1, recall: 1, f1: 1, rocAuc: 1, ece: 0, confusion };
    const result = { requirements: 'met' as const, missed: '', uploaded: null, metrics };
    assert.equal(standingAfter(off, { kind: 'finished', result }, NOW).standing.state, 'finished');
  });
});

test('epochs and rows stay bounded, and a row that holds them can be read again', () => {
  const epoch = {
    stage: 'head' as const,
    epochs: 1000,
    trainLoss: 0.1,
    trainAccuracy: 1,
    validationLoss: 0.1,
    validationAccuracy: 1,
    learningRate: 0.001,
    seconds: 1,
  };
  let epochs = job('1').epochs;
  for (let i = 1; i <= EPOCHS_KEPT + 5; i++) epochs = withEpoch(epochs, { ...epoch, epoch: i });
  assert.deepEqual([epochs.length, epochs[0]?.epoch, epochs.at(-1)?.epoch], [200, 6, 205]);
  const row = { ...job('1', running()), epochs };
  assert.deepEqual(trainingJob.parse(JSON.parse(JSON.stringify(row))), row);
});
