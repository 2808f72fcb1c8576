import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { nativeRuntime } from '@adbreak/shared/tflite/native.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { convertToFloat, convertToInt8 } from '../convert/convert.js';
import { randomSource } from '../weights/lite0.js';
import { efficientNetLite0 } from './efficientnet-lite0.js';
import { countParameters, foldBatchNorm, type Graph, inferShapes } from './graph.js';
import { initialLayers, smallNet } from './small-net.js';

const NORMALIZATION = { mean: 127, std: 128 };
const random = seeded('nn');
const values = (count: number, scale = 1) => Float32Array.from({ length: count }, () => random.normal() * scale);

/** A graph with every operator, small enough to be computed by hand below. */
function everything(): Graph {
  const norm = (channels: number) => ({
    gamma: values(channels).map((v) => 1 + 0.1 * v),
    beta: values(channels, 0.1),
    mean: values(channels, 0.1),
    variance: values(channels).map((v) => 0.5 + v * v),
    epsilon: 1e-3,
  });
  return {
    name: 'everything',
    nodes: [
      { op: 'input', name: 'image', shape: [1, 9, 9, 3] },
      {
        op: 'conv2d',
        name: 'conv',
        input: 'image',
        stride: 2,
        padding: 'same',
        activation: 'relu6',
        kernel: { shape: [4, 3, 3, 3], data: values(108, 0.4) },
        bias: null,
        batchNorm: norm(4),
      },
      {
        op: 'depthwise',
        name: 'depthwise',
        input: 'conv',
        stride: 1,
        padding: 'same',
        activation: 'none',
        kernel: { shape: [1, 3, 3, 4], data: values(36, 0.4) },
        bias: values(4, 0.1),
        batchNorm: norm(4),
      },
      { op: 'add', name: 'sum', inputs: ['depthwise', 'conv'] },
      { op: 'mean', name: 'features', input: 'sum' },
      { op: 'dense', name: 'logits', input: 'features', kernel: { shape: [2, 4], data: values(8) }, bias: values(2), batchNorm: null, activation: 'none' },
      { op: 'softmax', name: 'probabilities', input: 'logits' },
    ],
  };
}

/** The same graph computed naively from its definition, batch normalization unfolded: the oracle. */
function compute(graph: Graph, image: Float32Array): Float32Array {
  const shapes = inferShapes(graph);
  const tensors = new Map<string, Float32Array>();
  const get = (name: string) => tensors.get(name) ?? new Float32Array(0);
  for (const node of graph.nodes) {
    const [, oh = 1, ow = 1, oc = 1] = shapes.get(node.name) ?? [];
    if (node.op === 'input') tensors.set(node.name, image);
    if (node.op === 'add')
      tensors.set(
        node.name,
        get(node.inputs[0]).map((v, i) => v + (get(node.inputs[1])[i] ?? 0)),
      );
    if (node.op === 'mean') {
      const [, h = 1, w = 1, c = 1] = shapes.get(node.input) ?? [];
      tensors.set(
        node.name,
        Float32Array.from({ length: c }, (_, k) => {
          let sum = 0;
          for (let i = 0; i < h * w; i++) sum += get(node.input)[i * c + k] ?? 0;
          return sum / (h * w);
        }),
      );
    }
    if (node.op === 'dense') {
      const [out = 0, width = 0] = node.kernel.shape;
      tensors.set(
        node.name,
        Float32Array.from({ length: out }, (_, o) => {
          let sum = node.bias?.[o] ?? 0;
          for (let i = 0; i < width; i++) sum += (node.kernel.data[o * width + i] ?? 0) * (get(node.input)[i] ?? 0);
          return sum;
        }),
      );
    }
    if (node.op === 'softmax') {
      const e = get(node.input).map((v) => Math.exp(v));
      tensors.set(
        node.name,
        e.map((v) => v / e.reduce((a, b) => a + b, 0)),
      );
    }
    if (node.op === 'conv2d' || node.op === 'depthwise') {
      const [, h = 1, w = 1, c = 1] = shapes.get(node.input) ?? [];
      const [kh = 1, kw = 1] = [node.kernel.shape[1], node.kernel.shape[2]];
      const pad = (size: number, out: number, kernel: number) =>
        node.padding === 'same' ? Math.floor(Math.max(0, (out - 1) * node.stride + kernel - size) / 2) : 0;
      const [top, left] = [pad(h, oh, kh), pad(w, ow, kw)];
      const out = new Float32Array(oh * ow * oc);
      for (let y = 0; y < oh; y++)
        for (let x = 0; x < ow; x++)
          for (let o = 0; o < oc; o++) {
            let sum = node.bias?.[o] ?? 0;
            for (let dy = 0; dy < kh; dy++)
              for (let dx = 0; dx < kw; dx++) {
                const [iy, ix] = [y * node.stride + dy - top, x * node.stride + dx - left];
                if (iy < 0 || ix < 0 || iy >= h || ix >= w) continue;
                for (let i = 0; i < (node.op === 'depthwise' ? 1 : c); i++) {
                  const channel = node.op === 'depthwise' ? o : i;
                  const weight = node.op === 'depthwise' ? node.kernel.data[(dy * kw + dx) * c + o] : node.kernel.data[((o * kh + dy) * kw + dx) * c + i];
                  sum += (weight ?? 0) * (get(node.input)[(iy * w + ix) * c + channel] ?? 0);
                }
              }
            const n = node.batchNorm;
            if (n !== null) sum = ((sum - (n.mean[o] ?? 0)) * (n.gamma[o] ?? 0)) / Math.sqrt((n.variance[o] ?? 0) + n.epsilon) + (n.beta[o] ?? 0);
            out[(y * ow + x) * oc + o] =
              node.activation === 'none' ? sum : Math.min(node.activation === 'relu6' ? 6 : Number.POSITIVE_INFINITY, Math.max(0, sum));
          }
      tensors.set(node.name, out);
    }
  }
  return get(graph.nodes.at(-1)?.name ?? '');
}

describe('the converter against a naive computation of the graph', () => {
  const graph = everything();
  const images = Array.from({ length: 12 }, () => Uint8Array.from({ length: 243 }, () => random.integer(256)));
  const real = (pixels: Uint8Array) => Float32Array.from(pixels, (v) => (v - 127) / 128);

  test('float: batch normalization folded, padding and layouts right, to 1e-5', async () => {
    using interpreter = await nativeRuntime().open(convertToFloat(graph));
    for (const pixels of images) {
      const [bytes] = await interpreter.invoke([new Uint8Array(real(pixels).buffer)]);
      const given = new Float32Array((bytes ?? new Uint8Array(0)).buffer);
      compute(graph, real(pixels)).forEach((expected, i) => assert.ok(Math.abs((given[i] ?? 9) - expected) < 1e-5, `${given[i]}, expected ${expected}`));
    }
  });

  test('INT8: within a few steps of the float graph', async () => {
    using interpreter = await nativeRuntime().open(await convertToInt8(graph, nativeRuntime(), images, NORMALIZATION));
    for (const pixels of images) {
      const [bytes] = await interpreter.invoke([pixels.map((v) => v ^ 128)]);
      const p = ((new Int8Array((bytes ?? new Uint8Array(0)).buffer)[1] ?? 0) + 128) / 256;
      const expected = compute(graph, real(pixels))[1] ?? 0;
      assert.ok(Math.abs(p - expected) < 0.04, `${p}, expected ${expected}`);
    }
  });

  test('the INT8 file follows the specification: symmetric kernels per channel, bias at the product of scales, softmax at 1/256', async () => {
    const { subgraphs } = readModel(await convertToInt8(graph, nativeRuntime(), images, NORMALIZATION));
    const tensor = (name: string) => subgraphs[0]?.tensors.find((one) => one.name === name);
    assert.deepEqual(tensor('image')?.quantization, { scale: [1 / 128], zeroPoint: [-1], dimension: 0 });
    assert.deepEqual(tensor('probabilities')?.quantization, { scale: [1 / 256], zeroPoint: [-128], dimension: 0 });
    const [kernel, bias] = [tensor('conv/kernel')?.quantization, tensor('conv/bias')?.quantization];
    assert.equal(kernel?.scale.length, 4);
    assert.ok(kernel?.zeroPoint.every((zero) => zero === 0));
    bias?.scale.forEach((scale, i) => assert.equal(scale, Math.fround((kernel?.scale[i] ?? 0) / 128)));
    assert.equal(tensor('depthwise/kernel')?.quantization?.dimension, 3);
    assert.equal(tensor('logits/kernel')?.quantization?.scale.length, 1, 'TFLite 2.9 misreads per-channel FULLY_CONNECTED');
  });

  test('weights that are no numbers are refused by name', () => {
    const broken = {
      ...graph,
      nodes: graph.nodes.map((node) =>
        node.name === 'conv' && node.op === 'conv2d'
          ? { ...node, kernel: { ...node.kernel, data: node.kernel.data.map((v, i) => (i === 5 ? Number.NaN : v)) } }
          : node,
      ),
    };
    assert.throws(
      () => convertToFloat(broken),
      (error: unknown) => error instanceof AdbreakError && /conv\/kernel\[5\]/.test(error.message),
    );
  });
  test('an empty calibration set is refused', async () => {
    await assert.rejects(
      convertToInt8(graph, nativeRuntime(), [], NORMALIZATION),
      (error: unknown) => error instanceof AdbreakError && /empty/.test(error.message),
    );
  });
});

describe('architectures', () => {
  const lite0 = efficientNetLite0(randomSource(seeded('lite0')));
  test('EfficientNet-Lite0 has the published number of parameters', () => {
    // 4,694,024 with the classifier of 1,000 classes: 1280 * 1000 + 1000 of them.
    assert.equal(countParameters(lite0), 4_694_024 - 1_281_000);
    assert.deepEqual(inferShapes(lite0).get('features'), [1, 1280]);
    assert.deepEqual(inferShapes(lite0).get('_conv_head'), [1, 7, 7, 1280]);
  });
  test('folding leaves no batch normalization', () => assert.ok(foldBatchNorm(lite0).nodes.every((node) => !('batchNorm' in node) || node.batchNorm === null)));
  test('the small network ends in 96 features', () => assert.deepEqual(inferShapes(smallNet(initialLayers(seeded('s')))).get('features'), [1, 96]));
  test('operands that do not fit are named', () => {
    const wrong: Graph = {
      name: 'wrong',
      nodes: [
        { op: 'input', name: 'x', shape: [1, 4, 4, 3] },
        { op: 'dense', name: 'd', input: 'y', kernel: { shape: [2, 3], data: new Float32Array(6) }, bias: null, batchNorm: null, activation: 'none' },
      ],
    };
    assert.throws(() => inferShapes(wrong), /d reads y/);
  });
});
