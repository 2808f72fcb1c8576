import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { AdbreakError } from '../errors.js';
import { TINY_SIZE, tinyModel } from '../testing/tiny-model.js';
import { addonRuntime } from './addon.js';
import { checkRunnable } from './check.js';
import { AdClassifier } from './classifier.js';
import { litertRuntime } from './litert.js';
import type { TfliteRuntime } from './runtime.js';
import { tfliteRuntime } from './tflite.js';
import { writeModel } from './write.js';

const NORMALIZATION = { mean: 127, std: 128 };
const grey = (level: number) => new Uint8Array(TINY_SIZE * TINY_SIZE * 3).fill(level);
const file = () => writeModel(tinyModel());
const coded = (code: string) => (error: unknown) => error instanceof AdbreakError && error.code === code;

/** The contract of TfliteRuntime: the same cases for every adapter. */
function contract(open: () => TfliteRuntime): void {
  test('describes inputs and outputs with their quantization', async () => {
    using interpreter = await open().open(file());
    assert.deepEqual(interpreter.inputs, [
      {
        name: 'image',
        type: 'int8',
        shape: [1, TINY_SIZE, TINY_SIZE, 3],
        quantization: { scale: 1 / 128, zeroPoint: -1 },
      },
    ]);
    assert.deepEqual(interpreter.outputs, [
      {
        name: 'probabilities',
        type: 'int8',
        shape: [1, 2],
        quantization: { scale: 1 / 256, zeroPoint: -128 },
      },
    ]);
  });

  test('gives the values of the graph', async () => {
    using classifier = new AdClassifier(await open().open(file()), NORMALIZATION);
    // logits are -/+ 6 * brightness: p(ad) = sigmoid(12 * (level - 127) / 128), to the logits' step of .05.
    for (const level of [0, 100, 120, 127, 135, 160, 255]) {
      const expected = 1 / (1 + Math.exp((-12 * (level - 127)) / 128));
      const given = await classifier.adProbability(grey(level));
      assert.ok(Math.abs(given - expected) < 0.03, `level ${level}: ${given}, expected ${expected}`);
    }
  });

  test('answers overlapping calls in order, each with its own result', async () => {
    using classifier = new AdClassifier(await open().open(file()), NORMALIZATION);
    const results = await Promise.all([0, 255, 0, 255].map((level) => classifier.adProbability(grey(level))));
    assert.deepEqual(
      results.map((p) => p > 0.5),
      [false, true, false, true],
    );
  });

  test('keeps two models apart', async () => {
    using bright = new AdClassifier(await open().open(file()), NORMALIZATION);
    using dark = new AdClassifier(await open().open(writeModel(tinyModel(-1))), NORMALIZATION);
    assert.ok((await bright.adProbability(grey(250))) > 0.9);
    assert.ok((await dark.adProbability(grey(250))) < 0.1);
  });

  test('refuses inputs of a wrong size and goes on', async () => {
    using interpreter = await open().open(file());
    await assert.rejects(interpreter.invoke([new Uint8Array(5)]), coded('input_invalid'));
    await assert.rejects(interpreter.invoke([]), coded('input_invalid'));
    assert.equal((await interpreter.invoke([grey(0)])).length, 1);
  });

  test('refuses a file that is no model, or a damaged one', async () => {
    await assert.rejects(
      open().open(new TextEncoder().encode('this is no model at all')),
      coded('model_corrupt'),
    );
    await assert.rejects(open().open(file().slice(0, 200)), coded('model_corrupt'));
  });

  test('refuses to run after it was disposed of', async () => {
    const interpreter = await open().open(file());
    interpreter[Symbol.dispose]();
    interpreter[Symbol.dispose]();
    await assert.rejects(interpreter.invoke([grey(0)]), coded('inference_failed'));
  });
}

/** Native memory, which no garbage collector sees. */
function givesMemoryBack(open: () => TfliteRuntime): void {
  test('gives its memory back', async () => {
    const cycle = async () => {
      using interpreter = await open().open(file(), { threads: 2 });
      await interpreter.invoke([grey(1)]);
    };
    for (let i = 0; i < 20; i++) await cycle();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 200; i++) await cycle();
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 40, `200 models later the process has ${grown.toFixed(0)} MiB more`);
  });
}

describe('TFLite runtime (koffi, XNNPACK)', () => {
  contract(tfliteRuntime);

  test('is the library of tfjs-tflite-node', () => assert.equal(tfliteRuntime().version, '2.9.0'));

  test('leaves the event loop free while it infers', async () => {
    using interpreter = await tfliteRuntime().open(file());
    let ticks = 0;
    const timer = setInterval(() => {
      ticks += 1;
    }, 0);
    for (let i = 0; i < 200; i++) await interpreter.invoke([grey(i % 256)]);
    clearInterval(timer);
    assert.ok(ticks > 0);
  });

  givesMemoryBack(tfliteRuntime);
});

describe('LiteRT runtime (koffi, XNNPACK)', () => {
  contract(litertRuntime);

  givesMemoryBack(litertRuntime);

  test('a library with another digest is not loaded', () => {
    const script = `import { litertRuntime } from ${JSON.stringify(new URL('./litert.js', import.meta.url).href)}; litertRuntime();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, ADBREAK_LITERT: process.execPath },
    });
    assert.equal(status, 1);
    assert.match(stderr, /Cannot load LiteRT: the SHA-256 of .* must be/);
  });
});

describe('addon runtime (tfjs-tflite-node)', () => {
  contract(addonRuntime);
  test('has one thread and says so', async () => {
    await assert.rejects(addonRuntime().open(file(), { threads: 2 }), coded('input_invalid'));
  });
});

describe('what native libraries take on trust is refused before they see it', () => {
  type Model = ReturnType<typeof tinyModel>;
  const changed = (
    change: (graph: Model['subgraphs'][number]) => Partial<Model['subgraphs'][number]>,
  ): Model => {
    const model = tinyModel();
    return { ...model, subgraphs: model.subgraphs.map((graph) => ({ ...graph, ...change(graph) })) };
  };
  const tensor = (index: number, change: object) => (graph: Model['subgraphs'][number]) => ({
    tensors: graph.tensors.map((one, i) => (i === index ? { ...one, ...change } : one)),
  });
  const operator = (index: number, change: object) => (graph: Model['subgraphs'][number]) => ({
    operators: graph.operators.map((one, i) => (i === index ? { ...one, ...change } : one)),
  });
  for (const [what, change, words] of [
    [
      'a batch that the operators do not have',
      tensor(0, { shape: [44033, TINY_SIZE, TINY_SIZE, 3] }),
      /\(MEAN\) gives \[44033,3\]/,
    ],
    ['a picture without height', tensor(0, { shape: [1, 1 << 30, 0, 3] }), /size that is not positive/],
    ['a constant longer than its buffer', tensor(3, { shape: [3, 3] }), /needs 9 bytes, its buffer has 6/],
    [
      'a scale that is no number',
      tensor(5, { quantization: { scale: [Number.NaN], zeroPoint: [0], dimension: 0 } }),
      /scale/,
    ],
    [
      'a zero point outside int8',
      tensor(5, { quantization: { scale: [1], zeroPoint: [4000], dimension: 0 } }),
      /zero point outside -128 to 127/,
    ],
    [
      'an int8 tensor without a scale',
      tensor(0, { quantization: null }),
      /\(MEAN\) has int8 tensor "image" without a scale/,
    ],
    ['a graph without outputs', () => ({ outputs: [] }), /1 inputs and 0 outputs/],
    ['an output that nothing writes', () => ({ outputs: [3] }), /nothing writes tensor 3/],
    ['an operator without its input', operator(1, { inputs: [2] }), /\(FULLY_CONNECTED\) has 1 inputs/],
    [
      'an operator that reads what comes later',
      operator(0, { inputs: [5, 1] }),
      /\(MEAN\)|before anything wrote it/,
    ],
    ['a tensor of gigabytes', tensor(0, { shape: [1, 40_000, 40_000, 3] }), /larger than/],
  ] as const)
    test(what, () =>
      assert.throws(
        () => checkRunnable(changed(change)),
        (error: unknown) => error instanceof AdbreakError && words.test(error.message),
      ),
    );
  test('a sound model passes', () => checkRunnable(tinyModel()));
});
