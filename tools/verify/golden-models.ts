import { join } from 'node:path';
import { seeded } from '@adbreak/shared/random.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { pixelEncoder } from '@adbreak/shared/tflite/classifier.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { convertToFloat, convertToInt8 } from '@adbreak/trainer/convert/convert.js';
import { LITE0_NORMALIZATION } from '@adbreak/trainer/nn/efficientnet-lite0.js';
import { initialLayers, smallNet } from '@adbreak/trainer/nn/small-net.js';
import { network, patterns } from '../bench/runtime/models.js';

/** Writes models with inputs and our runtime's outputs, for `make verify-litert` to run in Google's interpreter. */
const folder = process.argv[2] ?? '.work/litert/models';
const runtime = tfliteRuntime();
for (const [name, graph] of [
  ['lite0', (await network('efficientnet_lite0')).graph],
  ['small_net', smallNet(initialLayers(seeded('golden')))],
] as const) {
  const files = {
    float: convertToFloat(graph),
    int8: await convertToInt8(graph, runtime, patterns(), { normalization: LITE0_NORMALIZATION }),
  };
  for (const type of ['float', 'int8'] as const) {
    using interpreter = await runtime.open(files[type]);
    const [spec] = interpreter.inputs;
    if (spec === undefined) throw new Error('the model has no input');
    await writeAtomic(join(folder, `${name}_${type}.tflite`), files[type]);
    const encode = pixelEncoder(spec, LITE0_NORMALIZATION);
    for (const [i, pixels] of patterns().entries()) {
      const input = encode(pixels);
      const [output] = await interpreter.invoke([input]);
      await writeAtomic(join(folder, `${name}_${type}.${i}.in`), input);
      await writeAtomic(join(folder, `${name}_${type}.${i}.out`), output ?? new Uint8Array(0));
    }
  }
}
console.log(`models in ${folder}`);
