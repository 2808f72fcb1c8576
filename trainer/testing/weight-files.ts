import { zipSync } from 'fflate';

/**
 * Small weight files of every format, with the same two layers: a convolution [3, 3, 2, 4] (Keras's order) and its
 * normalization. The torch ones are what torch 1.5 and 2 write for a state dict, byte for byte in the parts that matter.
 */
const text = (value: string) => Buffer.concat([Buffer.from('X'), u32(value.length), Buffer.from(value)]);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const small = (value: number) => Buffer.from([0x4b, value]);
const tuple = (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);

interface Stored {
  readonly name: string;
  readonly storage: string;
  readonly key: string;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly bytes: Uint8Array;
  readonly count: number;
}
/** [4, 2] as a transposed view, halves, and a counter that nobody reads. */
export const STORED: readonly Stored[] = [
  {
    name: 'conv_stem.weight',
    storage: 'FloatStorage',
    key: '0',
    shape: [4, 2],
    strides: [1, 4],
    bytes: new Uint8Array(Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13).buffer),
    count: 8,
  },
  {
    name: 'bn1.weight',
    storage: 'HalfStorage',
    key: '1',
    shape: [3],
    strides: [1],
    bytes: new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x3555).buffer),
    count: 3,
  },
  {
    name: 'bn1.num_batches_tracked',
    storage: 'LongStorage',
    key: '2',
    shape: [],
    strides: [],
    bytes: new Uint8Array(BigInt64Array.of(7n).buffer),
    count: 1,
  },
];

function stateDict(legacy: boolean): Buffer {
  const tensors = STORED.map(({ name, storage, key, shape, strides, count }) => {
    const id = tuple(
      text('storage'),
      global('torch', storage),
      text(key),
      text('cpu'),
      small(count),
      ...(legacy ? [Buffer.from('N')] : []),
    );
    const args = tuple(
      id,
      Buffer.from('Q'),
      small(0),
      tuple(...shape.map(small)),
      tuple(...strides.map(small)),
      Buffer.from([0x89]),
      global('collections', 'OrderedDict'),
      Buffer.from(')R'),
    );
    return Buffer.concat([text(name), global('torch._utils', '_rebuild_tensor_v2'), args, Buffer.from('R')]);
  });
  return Buffer.concat([
    Buffer.from([0x80, 2]),
    global('collections', 'OrderedDict'),
    Buffer.from(')R('),
    ...tensors,
    Buffer.from('u.'),
  ]);
}

export function torchLegacyFile(): Uint8Array {
  const pickled = (...parts: Buffer[]) => Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from('.')]);
  const magic = Buffer.from([0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
  const protocol = Buffer.from([0x4d, 0xe9, 0x03]);
  const system = Buffer.concat([
    Buffer.from('}('),
    text('little_endian'),
    Buffer.from([0x88]),
    Buffer.from('u'),
  ]);
  const keys = Buffer.concat([Buffer.from(']('), ...STORED.map(({ key }) => text(key)), Buffer.from('e')]);
  const storages = STORED.map(({ count, bytes }) =>
    Buffer.concat([new Uint8Array(BigInt64Array.of(BigInt(count)).buffer), bytes]),
  );
  return Uint8Array.from(
    Buffer.concat([
      pickled(magic),
      pickled(protocol),
      pickled(system),
      stateDict(true),
      pickled(keys),
      ...storages,
    ]),
  );
}

export function torchZipFile(): Uint8Array {
  const storages = Object.fromEntries(STORED.map(({ key, bytes }) => [`archive/data/${key}`, bytes]));
  return zipSync(
    {
      'archive/data.pkl': stateDict(false),
      'archive/byteorder': Buffer.from('little'),
      ...storages,
      'archive/version': Buffer.from('3\n'),
    },
    { level: 0 },
  );
}

/** Written by the HDF5 library itself, as Keras lays it out: `.h5` with attributes that name things, or `.weights.h5` of Keras 3. */
export async function h5File(layout: 'legacy' | 'keras3'): Promise<Uint8Array> {
  const h5 = await import('h5wasm');
  const { FS } = await h5.ready;
  const path = `/made-${layout}.h5`;
  const file = new h5.File(path, 'w');
  const kernel = { data: Float32Array.from({ length: 72 }, (_, i) => i / 8), shape: [3, 3, 2, 4] };
  const four = (value: number) => ({ data: new Float32Array(4).fill(value), shape: [4] });
  if (layout === 'legacy') {
    const root = file.create_group('model_weights');
    root.create_attribute('layer_names', ['conv', 'bn']);
    const conv = root.create_group('conv');
    conv.create_attribute('weight_names', ['conv/kernel:0']);
    conv.create_group('conv').create_dataset({ name: 'kernel:0', ...kernel });
    const bn = root.create_group('bn');
    const roles = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
    bn.create_attribute(
      'weight_names',
      roles.map((role) => `bn/${role}:0`),
    );
    const inner = bn.create_group('bn');
    roles.forEach((role, i) => inner.create_dataset({ name: `${role}:0`, ...four(i + 1) }));
  } else {
    const layers = file.create_group('layers');
    layers
      .create_group('conv2d')
      .create_group('vars')
      .create_dataset({ name: '0', ...kernel });
    const vars = layers.create_group('batch_normalization').create_group('vars');
    vars.create_attribute('name', 'bn');
    for (let i = 0; i < 4; i++) vars.create_dataset({ name: String(i), ...four(i + 1) });
  }
  file.close();
  const bytes = Uint8Array.from(FS.readFile(path));
  FS.unlink(path);
  return bytes;
}

/** A tfjs LayersModel: a float32 kernel and a quantized bias. */
export function tfjsFiles(): { model: string; weights: Uint8Array } {
  const weights = [
    { name: 'conv/kernel', shape: [1, 1, 2, 2], dtype: 'float32' },
    {
      name: 'conv/bias',
      shape: [2],
      dtype: 'float32',
      quantization: { dtype: 'uint8', scale: 0.5, min: -1 },
    },
  ];
  const model = JSON.stringify({
    format: 'layers-model',
    modelTopology: {},
    weightsManifest: [{ paths: ['weights.bin'], weights }],
  });
  return { model, weights: new Uint8Array([...new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 0, 4]) };
}
