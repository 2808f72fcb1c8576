import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { randomSource } from '../weights/sources.js';
import { cutGraph, joinGraphs } from './cut.js';
import { efficientNetLite0 } from './efficientnet-lite0.js';
import { countMultiplyAdds, countParameters, type Graph, inferShapes } from './graph.js';
import { mobileNetV3 } from './mobilenet-v3.js';
import { initialLayers, smallNet } from './small-net.js';

describe('architectures', () => {
  const source = () => randomSource(seeded('nn'));
  test('EfficientNet-Lite0 has the published number of parameters', () => {
    const lite0 = efficientNetLite0(source(), { classes: 1000 });
    assert.equal(countParameters(lite0), 4_694_024);
    assert.deepEqual(inferShapes(lite0).get('head'), [1, 7, 7, 1280]);
    assert.deepEqual(inferShapes(efficientNetLite0(source(), { classes: null })).get('features'), [1, 1280]);
  });
  test('MobileNetV3 has the published number of parameters, in every variant', () => {
    for (const [variant, minimalistic, parameters] of [
      ['small', false, 2_554_968],
      ['small', true, 2_056_848],
      ['large', false, 5_507_432],
      ['large', true, 3_948_688],
    ] as const)
      assert.equal(
        countParameters(mobileNetV3(source(), { variant, minimalistic, classes: 1000 })),
        parameters,
        `${variant} ${minimalistic}`,
      );
    assert.equal(countParameters(mobileNetV3(source(), { variant: 'small', classes: null })), 939_120);
    assert.equal(countParameters(mobileNetV3(source(), { variant: 'large', classes: null })), 2_996_352);
  });
  test('multiply-adds are those of the paper to 3 % (Howard et al. 2019, table 3: 56 M and 219 M)', () => {
    for (const [variant, published] of [
      ['small', 56],
      ['large', 219],
    ] as const) {
      const millions = countMultiplyAdds(mobileNetV3(source(), { variant, classes: 1000 })) / 1e6;
      assert.ok(Math.abs(millions / published - 1) < 0.03, `${variant}: ${millions} M`);
    }
  });
  test('take any input size and width', () => {
    const graph = mobileNetV3(source(), { variant: 'small', inputSize: 192, width: 0.75, classes: 7 });
    const shapes = inferShapes(graph);
    assert.deepEqual(shapes.get('image'), [1, 192, 192, 3]);
    assert.deepEqual(shapes.get('head'), [1, 6, 6, 432]);
    assert.deepEqual(shapes.get('probabilities'), [1, 7]);
    assert.deepEqual(
      inferShapes(mobileNetV3(source(), { variant: 'large', inputSize: 97, classes: null })).get('head'),
      [1, 4, 4, 960],
    );
    for (const build of [
      () => efficientNetLite0(source(), { inputSize: [96, 160], classes: null }),
      () => mobileNetV3(source(), { variant: 'small', inputSize: [96, 160], classes: null }),
    ])
      assert.deepEqual(inferShapes(build()).get('head')?.slice(0, 3), [1, 3, 5]);
    assert.throws(
      () => mobileNetV3(source(), { variant: 'small', width: 0, classes: null }),
      /width must be above 0/,
    );
  });
  test('a torch port pads strided layers on both sides alike', () => {
    const graph = mobileNetV3(source(), { variant: 'small', classes: null, port: 'torch' });
    const pads = graph.nodes.filter((node) => node.op === 'pad');
    assert.deepEqual(
      pads.map(({ name, around }) => [name, around[0]]),
      [
        ['stem/pad', 1],
        ['blocks.0.depthwise/pad', 1],
        ['blocks.1.depthwise/pad', 1],
        ['blocks.3.depthwise/pad', 2],
        ['blocks.8.depthwise/pad', 2],
      ],
    );
    assert.deepEqual(inferShapes(graph).get('head'), [1, 7, 7, 576]);
  });
  test('the small network ends in 96 features, whatever it looks at', () => {
    for (const size of [
      [224, 224],
      [32, 100],
    ] as const)
      assert.deepEqual(inferShapes(smallNet(initialLayers(seeded('s')), size)).get('features'), [1, 96]);
  });
});

describe('a cut', () => {
  const lite0 = () => efficientNetLite0(randomSource(seeded('cut')), { inputSize: 64, classes: null });
  test('divides a network at a block, and joined it is the same again', () => {
    const graph = lite0();
    for (const from of ['blocks.1', 'blocks.12', 'head']) {
      const cut = cutGraph(graph, from);
      assert.deepEqual(joinGraphs(cut), graph);
      const shapes = inferShapes(cut.tail);
      const border = cut.front.nodes.at(-1)?.name ?? '';
      assert.deepEqual(shapes.get(border), inferShapes(graph).get(border));
      assert.deepEqual(shapes.get('features'), [1, 1280]);
    }
  });
  test('where there is no such block, or two tensors would cross, is refused with the places there are', () => {
    for (const from of ['blocks.99', 'stem', 'blocks.12.project'])
      assert.throws(
        () => cutGraph(lite0(), from),
        (error: unknown) => error instanceof AdbreakError && /blocks\.1, .*head/.test(error.remedy),
        from,
      );
  });
});

describe('shape inference', () => {
  const input = { op: 'input', name: 'x', shape: [1, 4, 4, 3] } as const;
  const dense = {
    op: 'dense',
    name: 'd',
    kernel: { shape: [2, 3], data: new Float32Array(6) },
    bias: null,
    batchNorm: null,
    activation: 'none',
  } as const;
  const refused = (nodes: Graph['nodes'], words: RegExp) =>
    assert.throws(() => inferShapes({ name: 'wrong', nodes }), words);
  test('operands that do not fit are named', () => {
    refused([input, { ...dense, input: 'y' }], /d reads y/);
    refused(
      [input, { op: 'reshape', name: 'r', input: 'x', shape: [1, 47] }],
      /r: \[1,4,4,3\] does not fill \[1,47\]/,
    );
    refused(
      [
        input,
        { op: 'mean', name: 'm', input: 'x', keepDims: false },
        { op: 'mean', name: 'n', input: 'm', keepDims: false },
      ],
      /four dimensions/,
    );
    refused([input, { op: 'relu', name: 'x', input: 'x' }], /two nodes are named x/);
  });
  test('operands are broadcast as in numpy', () => {
    const scale = {
      op: 'constant',
      name: 'c',
      value: { shape: [1, 1, 1, 3], data: new Float32Array(3) },
    } as const;
    assert.deepEqual(
      inferShapes({
        name: 'g',
        nodes: [input, scale, { op: 'mul', name: 'm', inputs: ['x', 'c'], activation: 'none' }],
      }).get('m'),
      [1, 4, 4, 3],
    );
  });
});
