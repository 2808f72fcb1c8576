import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { pixelEncoder } from '@adbreak/shared/tflite/classifier.js';
import { toReal } from '@adbreak/shared/tflite/interpreter.js';
import { litertRuntime } from '@adbreak/shared/tflite/litert.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import type { TfliteModel } from '@adbreak/shared/tflite/schema.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { partitions } from '../inspect/partitions.js';
import type { Graph, Node } from '../nn/graph.js';
import { mobileNetV3 } from '../nn/mobilenet-v3.js';
import { formulaImage, formulaTensors, goldenNetworks } from '../testing/formula.js';
import { conv, everything, SIZE, values } from '../testing/graphs.js';
import { compute } from '../testing/oracle.js';
import { randomSource, sourceOf } from '../weights/sources.js';
import { convertFloat, convertInt8, convertToFloat, type Int8Options, normalize } from './convert.js';
import { Histogram } from './histogram.js';
import { readMetadata, writeWithMetadata } from './metadata.js';
import { equalize } from './optimise/equalize.js';
import { foldBatchNorm } from './optimise/fold.js';
import { optimise } from './optimise/optimise.js';
import { pixelAffine } from './quantize.js';

const NORMALIZATION = { mean: 127, std: 128 };
const random = seeded('convert');
const graph = everything();
const images = Array.from({ length: 24 }, () => {
  const tone = random.integer(160);
  return Uint8Array.from({ length: SIZE * SIZE * 3 }, () => tone + random.integer(96));
});
const expected = (pixels: Uint8Array, of: Graph = graph, normalization = NORMALIZATION) =>
  compute(of, normalize(pixels, normalization)).get(of.nodes.at(-1)?.name ?? '') ?? new Float32Array(0);

/** Real outputs of a model on pixels. */
async function outputs(
  model: TfliteModel | Uint8Array,
  pixels: readonly Uint8Array[],
  runtime = tfliteRuntime(),
  normalization = NORMALIZATION,
) {
  using interpreter = await runtime.open(model instanceof Uint8Array ? model : writeModel(model));
  const [input, output] = [interpreter.inputs[0], interpreter.outputs[0]];
  assert.ok(input !== undefined && output !== undefined);
  const encode = pixelEncoder(input, normalization);
  const results: Float32Array[] = [];
  for (const frame of pixels)
    results.push(toReal(output, (await interpreter.invoke([encode(frame)]))[0] ?? new Uint8Array(0)));
  return results;
}
async function largestError(
  model: TfliteModel | Uint8Array,
  of: Graph = graph,
  runtime = tfliteRuntime(),
  normalization = NORMALIZATION,
): Promise<number> {
  const given = await outputs(model, images, runtime, normalization);
  return Math.max(
    ...given.flatMap((row, i) =>
      [...expected(images[i] ?? new Uint8Array(0), of, normalization)].map((value, k) =>
        Math.abs(value - (row[k] ?? 9)),
      ),
    ),
  );
}
const int8 = async (options: Partial<Int8Options> = {}, of = graph) =>
  (await convertInt8(of, tfliteRuntime(), images, { normalization: NORMALIZATION, ...options })).model;
const coded = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && error.code === code && words.test(error.message);

describe('float models against a naive computation of the graph', () => {
  test('every operator, batch normalization folded, padding and layouts right, to 1e-5', async () => {
    assert.ok((await largestError(convertToFloat(graph))) < 1e-5);
    assert.ok((await largestError(convertToFloat(graph), graph, litertRuntime())) < 1e-5);
  });
  test('float16 weights halve the file and cost little accuracy', async () => {
    const wide = mobileNetV3(randomSource(seeded(1)), { variant: 'small', inputSize: 32, classes: 10 });
    const [half, whole] = [writeModel(convertFloat(wide, 'float16')), writeModel(convertFloat(wide))];
    assert.ok(half.byteLength < 0.53 * whole.byteLength, `${half.byteLength} of ${whole.byteLength}`);
    assert.ok((await largestError(convertFloat(graph, 'float16'))) < 2e-3);
  });
  test('dynamic-range weights quarter the file and run on both runtimes', async () => {
    const wide = mobileNetV3(randomSource(seeded(1)), { variant: 'small', inputSize: 32, classes: 10 });
    const [small, whole] = [writeModel(convertFloat(wide, 'int8')), writeModel(convertFloat(wide))];
    assert.ok(small.byteLength < 0.33 * whole.byteLength, `${small.byteLength} of ${whole.byteLength}`);
    const pixels = [Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) & 255)];
    for (const runtime of [tfliteRuntime(), litertRuntime()]) {
      const [[given = new Float32Array(0)], [wanted = new Float32Array(0)]] = [
        await outputs(small, pixels, runtime),
        await outputs(whole, pixels, runtime),
      ];
      given.forEach((value, i) =>
        assert.ok(Math.abs(value - (wanted[i] ?? 9)) < 0.02, `${runtime.name}: ${value}, ${wanted[i]}`),
      );
    }
  });
});

describe('INT8 models', () => {
  test('stay within a few steps of the float graph, on both runtimes, whatever the method', async () => {
    for (const method of [
      { kind: 'minmax' },
      { kind: 'mse' },
      { kind: 'percentile', share: 0.999 },
    ] as const) {
      const model = await int8({ method });
      for (const runtime of [tfliteRuntime(), litertRuntime()])
        assert.ok(
          (await largestError(model, graph, runtime)) < 0.05,
          `${method.kind} on ${runtime.name}: ${await largestError(model, graph, runtime)}`,
        );
    }
  });
  test('take int8, uint8 or float32 and give them', async () => {
    for (const input of ['int8', 'uint8', 'float32'] as const) {
      for (const output of ['int8', 'uint8', 'float32'] as const) {
        const model = await int8({ input, output });
        const [main] = model.subgraphs;
        assert.deepEqual(
          [main?.tensors[main.inputs[0] ?? -1]?.type, main?.tensors[main.outputs[0] ?? -1]?.type],
          [input, output],
        );
        assert.ok((await largestError(model)) < 0.05, `${input} ${output}`);
      }
    }
  });
  test('follow the specification: symmetric kernels per channel, bias at the product of scales, fixed and shared scales', async () => {
    const { subgraphs } = readModel(writeModel(await int8()));
    const quantization = (name: string) =>
      subgraphs[0]?.tensors.find((one) => one.name === name)?.quantization;
    assert.deepEqual(quantization('image'), { scale: [1 / 128], zeroPoint: [-1], dimension: 0 });
    assert.deepEqual(quantization('probabilities'), { scale: [1 / 256], zeroPoint: [-128], dimension: 0 });
    assert.deepEqual(quantization('gated'), { scale: [1 / 256], zeroPoint: [-128], dimension: 0 });
    const [kernel, bias] = [quantization('stem/kernel'), quantization('stem/bias')];
    assert.equal(kernel?.scale.length, 8);
    assert.ok(kernel?.zeroPoint.every((zero) => zero === 0));
    bias?.scale.forEach((scale, i) => assert.equal(scale, Math.fround((kernel?.scale[i] ?? 0) / 128)));
    assert.equal(quantization('depthwise/kernel')?.dimension, 3);
    assert.equal(
      quantization('logits/conv/kernel')?.scale.length,
      4,
      'a dense layer is a convolution: one scale a class',
    );
    for (const [same, as] of [
      ['padded/x36', 'excited/x36'],
      ['largest', 'sum'],
      ['average', 'largest'],
      ['logits', 'logits/conv'],
    ] as const)
      assert.deepEqual(quantization(same), quantization(as), `${same} keeps the scale of ${as}`);
  });
  test('the half step that a mean of 127.5 leaves is in the first bias, not in the result', async () => {
    const normalization = { mean: 127.5, std: 127.5 };
    const flat: Graph = {
      name: 'flat',
      nodes: [{ op: 'input', name: 'image', shape: [1, SIZE, SIZE, 3] }, conv('stem', 'image', [3, 4], 1)],
    };
    const model = await int8({ normalization }, flat);
    const scale =
      model.subgraphs[0]?.tensors.find(({ name }) => name === 'stem')?.quantization?.scale[0] ?? 0;
    const given = await outputs(model, images, tfliteRuntime(), normalization);
    let sum = 0;
    given.forEach((row, i) =>
      expected(images[i] ?? new Uint8Array(0), flat, normalization).forEach((value, k) => {
        sum += value - (row[k] ?? 9);
      }),
    );
    assert.ok(
      Math.abs(sum / (images.length * SIZE * SIZE * 4)) < scale / 20,
      `mean error ${sum} at a step of ${scale}`,
    );
    assert.deepEqual(pixelAffine(normalization), {
      affine: { scale: 1 / 127.5, zeroPoint: 0 },
      offset: 0.5 / 127.5,
    });
  });
  test('channels of zeros and biases beyond int32 are survived', async () => {
    const kernel = { shape: [3, 1, 1, 3], data: Float32Array.of(0, 0, 0, 1e-7, 0, 0, 0.5, 0.2, -0.3) };
    const hard: Graph = {
      name: 'hard',
      nodes: [
        { op: 'input', name: 'image', shape: [1, SIZE, SIZE, 3] },
        conv('stem', 'image', [3, 3], 1, { kernel, bias: Float32Array.of(0, 40, 0.1) }),
      ],
    };
    const model = await int8({}, hard);
    const bias = new Int32Array(
      Uint8Array.from(
        model.buffers[model.subgraphs[0]?.tensors.find(({ name }) => name === 'stem/bias')?.buffer ?? 0] ??
          [],
      ).buffer,
    );
    assert.ok(bias.every((value) => Math.abs(value) <= 2 ** 30));
    assert.ok((await largestError(model, hard)) < 0.2);
  });
  test('scales stay inside what XNNPACK accepts: LiteRT refuses the whole model otherwise', async () => {
    // Two channels that cancel: inputs of thousands, outputs near nothing.
    const grow = conv('grow', 'image', [3, 2], 1, {
      kernel: { shape: [2, 1, 1, 3], data: Float32Array.of(4000, 0, 0, 4000, 0, 0) },
      bias: new Float32Array(2),
    });
    const cancel = conv('cancel', 'grow', [2, 1], 1, {
      kernel: { shape: [1, 1, 1, 2], data: Float32Array.of(1, -1) },
      bias: Float32Array.of(0.001),
    });
    const model = await int8(
      {},
      { name: 'cancel', nodes: [{ op: 'input', name: 'image', shape: [1, SIZE, SIZE, 3] }, grow, cancel] },
    );
    const tensors = model.subgraphs[0]?.tensors ?? [];
    const scale = (name: string) => tensors.find((one) => one.name === name)?.quantization?.scale[0] ?? 0;
    assert.ok((scale('grow') * scale('cancel/kernel')) / scale('cancel') < 256);
    await outputs(model, images, litertRuntime());
  });
  test('clipping an outlier costs less than keeping it: mse and percentile against minmax', () => {
    const histogram = new Histogram();
    const seen = { min: -6, max: 30 };
    for (let image = 0; image < 20; image++) histogram.add(values(60_000), -6, 6);
    histogram.add(Float32Array.of(30), 30, 30);
    assert.deepEqual(histogram.range({ kind: 'minmax' }, seen), seen);
    const best = histogram.range({ kind: 'mse' }, seen);
    assert.ok(best.max > 3.5 && best.max < 12, `mse keeps up to ${best.max}`);
    const central = histogram.range({ kind: 'percentile', share: 0.99 }, seen);
    // The 99.5th percentile of a standard normal is 2.576; a bin is 1/64 wide.
    assert.ok(Math.abs(central.max - 2.576) < 0.1, `percentile keeps up to ${central.max}`);
  });
  test('weights that are no numbers, an empty calibration set and one of flat colours are refused by name', async () => {
    const broken = (part: 'kernel' | 'batchNorm'): Graph => ({
      ...graph,
      nodes: graph.nodes.map((node) => {
        if (node.name !== 'stem' || node.op !== 'conv2d' || node.batchNorm === null) return node;
        if (part === 'kernel')
          return {
            ...node,
            kernel: { ...node.kernel, data: node.kernel.data.map((v, i) => (i === 5 ? Number.NaN : v)) },
          };
        return {
          ...node,
          batchNorm: {
            ...node.batchNorm,
            variance: node.batchNorm.variance.map((v, i) => (i === 2 ? Number.POSITIVE_INFINITY : v)),
          },
        };
      }),
    });
    assert.throws(() => convertToFloat(broken('kernel')), coded('input_invalid', /stem\/kernel\[5\]/));
    assert.throws(() => convertToFloat(broken('batchNorm')), coded('input_invalid', /stem\/variance\[2\]/));
    const convert = (pixels: Uint8Array[]) =>
      convertInt8(graph, tfliteRuntime(), pixels, { normalization: NORMALIZATION });
    await assert.rejects(convert([]), coded('input_invalid', /empty/));
    await assert.rejects(
      convert([new Uint8Array(SIZE * SIZE * 3).fill(7), new Uint8Array(SIZE * SIZE * 3)]),
      coded('input_invalid', /one colour/),
    );
  });
  test('a conversion that is called off ends', async () => {
    const stop = new AbortController();
    const running = convertInt8(graph, tfliteRuntime(), images, {
      normalization: NORMALIZATION,
      signal: stop.signal,
      onImage: (done) => done === 3 && stop.abort(),
    });
    await assert.rejects(running, { name: 'AbortError' });
  });
});

describe('optimisation keeps the function', () => {
  const same = (changed: Graph) => {
    for (const pixels of images.slice(0, 6)) {
      const [given, wanted] = [expected(pixels, changed), expected(pixels)];
      wanted.forEach((value, i) => assert.ok(Math.abs(value - (given[i] ?? 9)) < 1e-5));
    }
  };
  test('folding', () => {
    const folded = foldBatchNorm(graph);
    assert.ok(folded.nodes.every((node) => !('batchNorm' in node) || node.batchNorm === null));
    same(folded);
  });
  test('hard swish becomes one addition and one multiplication, hard sigmoid nothing; the sixths go into kernels', () => {
    const lowered = optimise(graph, 'int8');
    same(lowered);
    const names = lowered.nodes.map(({ name }) => name);
    assert.ok(!names.includes('constants/sixth'), 'no multiplication by 1/6 is left');
    assert.deepEqual(
      names.filter((name) => /swish|excite/.test(name)),
      ['swish/gate', 'swish/gated', 'excited/x36'],
    );
    assert.ok(
      lowered.nodes.every(({ op }) => !['hardSwish', 'hardSigmoid', 'relu', 'relu6', 'dense'].includes(op)),
    );
  });
  test('a scale that something nonlinear reads stays', () => {
    const nodes: Node[] = [...graph.nodes.slice(0, 4), { op: 'logistic', name: 'out', input: 'swish' }];
    const lowered = optimise({ name: 'kept', nodes }, 'int8');
    assert.ok(lowered.nodes.some(({ name }) => name === 'constants/sixth'));
    for (const pixels of images.slice(0, 3))
      assert.ok(
        Math.abs((expected(pixels, lowered)[7] ?? 0) - (expected(pixels, { name: 'kept', nodes })[7] ?? 9)) <
          1e-5,
      );
  });
  test('MobileNetV3 in INT8 is one partition for XNNPACK, twenty with the operator kept', async () => {
    const small = mobileNetV3(randomSource(seeded(1)), { variant: 'small', inputSize: 64, classes: 10 });
    const count = async (keepHardSwish: boolean) => {
      const { model } = await convertInt8(
        small,
        tfliteRuntime(),
        [Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 31) & 255)],
        {
          normalization: { mean: 127.5, std: 127.5 },
          keepHardSwish,
        },
      );
      const [main] = model.subgraphs;
      assert.ok(main !== undefined);
      return partitions(model, main).filter(({ delegated }) => delegated).length;
    };
    assert.equal(await count(false), 1);
    assert.equal(await count(true), 20);
  });
  test('equalization balances channels and changes nothing else', () => {
    const uneven: Graph = {
      name: 'uneven',
      nodes: [
        { op: 'input', name: 'image', shape: [1, SIZE, SIZE, 3] },
        conv('first', 'image', [3, 2], 1, {
          activation: 'relu',
          kernel: { shape: [2, 1, 1, 3], data: Float32Array.of(5, 3, -4, 0.01, 0.02, 0.005) },
        }),
        conv('second', 'first', [2, 4], 1),
      ],
    };
    const { graph: even, pairs } = equalize(uneven);
    assert.equal(pairs, 1);
    const [before, after] = [
      expected(images[0] ?? new Uint8Array(0), uneven),
      expected(images[0] ?? new Uint8Array(0), even),
    ];
    before.forEach((value, i) => assert.ok(Math.abs(value - (after[i] ?? 99)) < 1e-4));
    const first = even.nodes[1];
    assert.ok(first?.op === 'conv2d');
    const largest = [0, 1].map((c) =>
      Math.max(...first.kernel.data.subarray(c * 3, c * 3 + 3).map(Math.abs)),
    );
    assert.ok((largest[0] ?? 0) / (largest[1] ?? 1) < 500 / 5, `channels ${largest.join()}`);
  });
});

describe('against Keras', () => {
  for (const [name, golden] of Object.entries(goldenNetworks())) {
    test(`${name} gives Keras's outputs`, async () => {
      const architecture = name.startsWith('mobilenet_v3_large')
        ? 'mobilenet_v3_large'
        : 'mobilenet_v3_small';
      const network = mobileNetV3(sourceOf(formulaTensors(golden), architecture), {
        variant: architecture === 'mobilenet_v3_large' ? 'large' : 'small',
        inputSize: 96,
        classes: 10,
        minimalistic: name.includes('minimalistic'),
        width: name.includes('width_0.75') ? 0.75 : 1,
      });
      const logits = { ...network, nodes: network.nodes.filter(({ op }) => op !== 'softmax') };
      using interpreter = await tfliteRuntime().open(convertToFloat(logits));
      const [bytes] = await interpreter.invoke([new Uint8Array(formulaImage(96).buffer)]);
      const given = new Float32Array(bytes?.buffer ?? new ArrayBuffer(0));
      const scale = Math.max(...golden.output.map(Math.abs));
      golden.output.forEach((value, i) =>
        assert.ok(Math.abs(value - (given[i] ?? Number.NaN)) < 1e-4 * scale, `${given[i]}, Keras ${value}`),
      );
    });
  }
});

test('metadata names the classes and the normalisation; labels lie behind the model, which loads all the same', async () => {
  const model = convertFloat(graph);
  const file = writeWithMetadata(model, {
    name: 'everything',
    description: 'a test',
    version: '1',
    normalization: NORMALIZATION,
    labels: ['content', 'ad', 'logo', 'other'],
  });
  const read = readModel(file);
  assert.deepEqual(readMetadata(file, read), {
    name: 'everything',
    description: 'a test',
    version: '1',
    labels: ['content', 'ad', 'logo', 'other'],
  });
  assert.deepEqual(
    read.metadata.map(({ name }) => name),
    ['TFLITE_METADATA', 'min_runtime_version'],
  );
  for (const runtime of [tfliteRuntime(), litertRuntime()])
    assert.ok((await largestError(file, graph, runtime)) < 1e-5);
});
