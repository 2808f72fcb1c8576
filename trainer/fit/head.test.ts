import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import type { HeadSettings, TrainingExamples } from './examples.js';
import type { FitState } from './fit-state.js';
import { balancedWeights, fitHead } from './head.js';
import { Linear, logitsOf } from './linear.js';
import { rateAt } from './optimizer.js';
import { scalingOf } from './scaling.js';
import { fitTemperature } from './temperature.js';

const WIDTH = 6;
const SETTINGS: HeadSettings = {
  seed: 1,
  batchSize: 32,
  epochs: 30,
  warmupEpochs: 1,
  learningRate: 0.01,
  schedule: 'cosine',
  weightDecay: 0,
  l2: 1e-3,
  labelSmoothing: 0,
  classWeights: [1, 1],
  dropout: 0,
  mixup: 0,
  patience: 8,
};
/** Every way of making the fit harder at once. */
const HARD: HeadSettings = {
  ...SETTINGS,
  weightDecay: 0.01,
  labelSmoothing: 0.1,
  classWeights: [0.8, 1.3],
  dropout: 0.3,
  mixup: 0.4,
};

/** Two features of six tell the classes apart, 3 sigma each; the others are noise of other scales. */
function blobs(count: number, seed: string, views = 0): TrainingExamples {
  const random = seeded(seed);
  const isAd = Array.from({ length: count }, (_, i) => i % 2 === 0);
  const draw = () =>
    Float32Array.from(
      isAd.flatMap((ad) =>
        Array.from(
          { length: WIDTH },
          (_, k) => 40 * k + (ad ? 1 : -1) * (k < 2 ? 3 : 0) + random.normal() * 2,
        ),
      ),
    );
  return { width: WIDTH, isAd, features: draw(), views: Array.from({ length: views }, draw) };
}

const failing = (words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === 'training_failed' && words.test(error.message);

describe('the head', () => {
  test('finds what separates, on raw features of any scale, with and without every regularisation', async () => {
    const tested = blobs(400, 'test');
    for (const settings of [SETTINGS, HARD]) {
      const { kernel, bias } = await fitHead(blobs(600, 'train', 2), blobs(200, 'val'), settings);
      const right = tested.isAd.filter((ad, row) => {
        let margin = (bias[1] ?? 0) - (bias[0] ?? 0);
        for (let i = 0; i < WIDTH; i++)
          margin += ((kernel[WIDTH + i] ?? 0) - (kernel[i] ?? 0)) * (tested.features[row * WIDTH + i] ?? 0);
        return margin > 0 === ad;
      }).length;
      // The best there is, is Phi(2.12) = .983.
      assert.ok(right / 400 > 0.95, `${right} of 400`);
    }
  });
  test('is the same, bit for bit, for the same seed, and another for another', async () => {
    const fit = (seed: number) => fitHead(blobs(200, 'train', 1), blobs(80, 'val'), { ...HARD, seed });
    const [one, again, other] = [await fit(1), await fit(1), await fit(2)];
    assert.deepEqual([again.kernel, again.bias], [one.kernel, one.bias]);
    assert.notDeepEqual(other.kernel, one.kernel);
  });
  test('goes on from any epoch to what an undisturbed fit gives', async () => {
    const [train, validation] = [blobs(100, 'train', 1), blobs(40, 'val')];
    const settings = { ...HARD, epochs: 9 };
    const states: FitState[] = [];
    const whole = await fitHead(train, validation, settings, {
      onEpoch: (_, state) => {
        states.push(structuredClone(state));
      },
    });
    for (const from of states) {
      const resumed = await fitHead(train, validation, settings, { from });
      assert.deepEqual(
        [resumed.kernel, resumed.bias, resumed.epochs],
        [whole.kernel, whole.bias, whole.epochs],
        `behind epoch ${from.epoch}`,
      );
    }
  });
  test('ends when validation has not become better for as long as patience lasts, and takes the best', async () => {
    // Labels by chance: there is nothing to learn, so that validation soon gets worse.
    const random = seeded('chance');
    const chance = (examples: TrainingExamples) => ({
      ...examples,
      isAd: examples.isAd.map(() => random.uniform() < 0.5),
    });
    const { epochs, history, validationLoss } = await fitHead(
      chance(blobs(60, 'train')),
      chance(blobs(60, 'val')),
      { ...SETTINGS, l2: 0, epochs: 200, patience: 5, learningRate: 0.05 },
    );
    assert.equal(history.length, epochs + 5);
    assert.equal(validationLoss, Math.min(...history.map((record) => record.validationLoss)));
  });
  test('stops where the loss is no number, says the epoch, and has kept the best', async () => {
    const train = blobs(64, 'train', 8);
    // One view of one picture is poisoned: it is met in the epoch that first draws it.
    train.views[5]?.fill(Number.NaN, 0, WIDTH);
    let last: FitState | undefined;
    await assert.rejects(
      fitHead(train, blobs(40, 'val'), SETTINGS, {
        onEpoch: (_, state) => {
          last = structuredClone(state);
        },
      }),
      failing(
        /the loss is no number any more, in the head's epoch \d+, batch \d of 2; epoch \d+ was the best, and is kept/,
      ),
    );
    assert.ok(last !== undefined && last.bestEpoch > 0);
    const finished = await fitHead(train, blobs(40, 'val'), SETTINGS, { from: last, finish: true });
    assert.ok(finished.kernel.every(Number.isFinite));
    assert.equal(finished.epochs, last.bestEpoch);
  });
  test('of a split without one class is refused by its name', async () => {
    const one = { ...blobs(10, 'a'), isAd: Array<boolean>(10).fill(true) };
    await assert.rejects(fitHead(blobs(10, 'b'), one, SETTINGS), failing(/val needs pictures of both/));
    await assert.rejects(
      fitHead(blobs(1, 'b'), blobs(10, 'c'), SETTINGS),
      failing(/train needs pictures of both/),
    );
  });
  test('ends at once when it is interrupted', async () => {
    const stop = new AbortController();
    await assert.rejects(
      fitHead(blobs(100, 'train'), blobs(40, 'val'), SETTINGS, {
        signal: stop.signal,
        onEpoch: () => stop.abort(),
      }),
      { name: 'AbortError' },
    );
  });
});

describe('a step of the head', () => {
  test('goes along the gradient of the loss, as finite differences have it', () => {
    const train = blobs(12, 'train', 2);
    const random = seeded('parameters');
    const parameters = Float32Array.from({ length: 2 * WIDTH + 2 }, () => random.normal() * 0.3);
    const members = [0, 3, 4, 7, 11];
    const linear = new Linear(train, scalingOf(train), { ...HARD, l2: 0.05 });
    // The same chance at each evaluation: the same views, partners and masks.
    const lossAt = (values: Float32Array) => {
      const { loss, penalty } = linear.gradient(values, members, seeded('chance'));
      return loss + penalty;
    };
    lossAt(parameters);
    const gradient = linear.sums.slice();
    for (let i = 0; i < parameters.length; i++) {
      const [above, below] = [1, -1].map((sign) => {
        const moved = parameters.slice();
        moved[i] = (moved[i] ?? 0) + sign * 2 ** -8;
        return { loss: lossAt(moved), value: moved[i] ?? 0 };
      });
      const slope = ((above?.loss ?? 0) - (below?.loss ?? 0)) / ((above?.value ?? 0) - (below?.value ?? 0));
      assert.ok(Math.abs(slope - (gradient[i] ?? 0)) < 1e-4, `parameter ${i}: ${slope}, ${gradient[i]}`);
    }
  });
  test('is as long as the schedule says: up in a line, down along a cosine, to nothing', () => {
    const schedule = { learningRate: 0.1, schedule: 'cosine', epochs: 10, warmupEpochs: 2 } as const;
    const rates = Array.from({ length: 50 }, (_, step) => rateAt(step, 5, schedule));
    assert.ok(Math.abs((rates[0] ?? 0) - 0.01) < 1e-12);
    assert.equal(rates[9], 0.1);
    assert.ok(rates.slice(10).every((rate, i, all) => i === 0 || rate < (all[i - 1] ?? 0)));
    assert.ok((rates[49] ?? 1) < 0.001);
    assert.equal(rateAt(49, 5, { ...schedule, schedule: 'constant' }), 0.1);
  });
  test('is never longer than the peak, whatever part of an epoch the warm-up takes', () => {
    for (const warmupEpochs of [0, 0.1, 0.25, 0.5, 0.7, 1.3])
      for (let step = 0; step < 30; step++) {
        const rate = rateAt(step, 3, { learningRate: 0.1, schedule: 'cosine', epochs: 10, warmupEpochs });
        assert.ok(rate <= 0.1, `warm-up of ${warmupEpochs} epochs, step ${step}: ${rate}`);
      }
  });
  test('weighs both classes alike where weights are balanced', () => {
    const isAd = [true, false, false, false];
    const [content, ad] = balancedWeights(isAd);
    assert.ok(Math.abs(ad - 3 * content) < 1e-12);
    assert.ok(Math.abs((3 * content + ad) / 4 - 1) < 1e-12);
  });
});

test('temperature undoes overconfidence', () => {
  const random = seeded('temperature');
  const isAd = Array.from({ length: 4000 }, (_, i) => i % 2 === 0);
  const logits = Float32Array.from(
    isAd.flatMap((ad) => {
      const z = random.normal() + (ad ? 1 : -1);
      return [0, 2 * z * 3];
    }),
  );
  assert.ok(Math.abs(fitTemperature(logits, isAd) - 3) < 0.3);
});

test('logits follow from parameters and features alone', () => {
  const examples = { width: 2, features: Float32Array.of(1, 2), isAd: [true] };
  const scaling = { mean: Float64Array.of(1, 1), factor: Float64Array.of(2, 4) };
  assert.deepEqual([...logitsOf(Float32Array.of(1, 0.5, -1, 0.25, 3, 5), examples, scaling)], [5, 6]);
});
