import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { type Random, seeded } from '@adbreak/shared/random.js';
import { tinyModel } from '@adbreak/shared/testing/tiny-model.js';
import { checkRunnable } from '@adbreak/shared/tflite/check.js';
import { byteLength } from '@adbreak/shared/tflite/interpreter.js';
import { litertRuntime } from '@adbreak/shared/tflite/litert.js';
import { readModel } from '@adbreak/shared/tflite/read.js';
import { tfliteRuntime } from '@adbreak/shared/tflite/tflite.js';
import { writeModel } from '@adbreak/shared/tflite/write.js';
import { convertFloat, convertInt8 } from '@adbreak/trainer/convert/convert.js';
import { readMetadata, writeWithMetadata } from '@adbreak/trainer/convert/metadata.js';
import { inspect } from '@adbreak/trainer/inspect/inspect.js';
import { everything, SIZE } from '@adbreak/trainer/testing/graphs.js';
import { h5File, tfjsFiles, torchLegacyFile, torchZipFile } from '@adbreak/trainer/testing/weight-files.js';
import { readWeightBytes, readWeights } from '@adbreak/trainer/weights/read.js';
import { writeSafetensors } from '@adbreak/trainer/weights/safetensors.js';

/** One format, files from one index to another; tells its parent of each. */
const [format = '', seed = '', from = '0', to = '0'] = process.argv.slice(2);
type Outcome = 'refused' | 'read' | 'ran';

const folder = mkdtempSync(join(tmpdir(), 'adbreak-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

async function corpus(): Promise<Uint8Array[]> {
  const tensors = new Map([
    ['conv_stem.weight', { shape: [2, 3, 2, 2], data: new Float32Array(24).fill(0.5) }],
    ['bn1.bias', { shape: [2], data: Float32Array.of(1, 2) }],
  ]);
  switch (format) {
    case 'tflite': {
      const graph = everything();
      const pixels = Array.from({ length: 4 }, (_, k) =>
        Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i * 37 + k * 11) & 255),
      );
      const { model } = await convertInt8(graph, tfliteRuntime(), pixels, {
        normalization: { mean: 127, std: 128 },
        output: 'uint8',
      });
      const facts = {
        name: 'fuzz',
        description: 'fuzz',
        version: '1',
        normalization: { mean: 127, std: 128 },
        labels: ['a', 'b', 'c', 'd'],
      };
      return [
        writeModel(tinyModel()),
        writeModel(convertFloat(graph)),
        writeModel(convertFloat(graph, 'float16')),
        writeWithMetadata(model, facts),
      ];
    }
    case 'safetensors':
      return [writeSafetensors(tensors)];
    case 'torch (legacy)':
      return [torchLegacyFile()];
    case 'torch (zip)':
      return [torchZipFile()];
    case 'keras h5':
      return [await h5File('legacy'), await h5File('keras3')];
    default:
      return [Buffer.from(tfjsFiles().model)];
  }
}

/** A file is damaged in one to eight places: bits, bytes, the numbers that break arithmetic, moved pieces, an early end. */
function damage(whole: Uint8Array, random: Random): Uint8Array {
  const file = Uint8Array.from(whole);
  const view = new DataView(file.buffer);
  for (let wounds = random.pick([1, 1, 1, 2, 4, 8]); wounds > 0; wounds--) {
    const at = random.integer(file.length);
    const kind = random.integer(5);
    if (kind === 0) file[at] = (file[at] ?? 0) ^ (1 << random.integer(8));
    else if (kind === 1) file[at] = random.integer(256);
    else if (kind === 2 && at + 4 <= file.length)
      view.setUint32(at, random.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x10000]), true);
    else if (kind === 3) file.copyWithin(at, random.integer(file.length), random.integer(file.length));
    else if (at + 2 <= file.length) view.setUint16(at, random.integer(64) * 4, true);
  }
  return random.uniform() < 0.1 ? file.slice(0, random.integer(file.length)) : file;
}

async function take(file: Uint8Array): Promise<Outcome> {
  if (format === 'tfjs') {
    writeFileSync(join(folder, 'model.json'), file);
    writeFileSync(join(folder, 'weights.bin'), tfjsFiles().weights);
    await readWeights(join(folder, 'model.json'));
    return 'read';
  }
  if (format !== 'tflite') {
    await readWeightBytes(file);
    return 'read';
  }
  const model = readModel(file);
  inspect(model);
  readMetadata(file, model);
  checkRunnable(model);
  for (const runtime of [tfliteRuntime(), litertRuntime()]) {
    try {
      using interpreter = await runtime.open(file);
      await interpreter.invoke(interpreter.inputs.map((spec) => new Uint8Array(byteLength(spec))));
    } catch (error) {
      if (!(error instanceof AdbreakError)) throw error;
    }
  }
  return 'ran';
}

const whole = await corpus();
for (let index = Number(from); index < Number(to); index++) {
  const random = seeded(`${seed}/${format}/${index}`);
  const file = damage(random.pick(whole), random);
  // KEEP=DIR leaves the files there, to look at the one that did harm.
  if (process.env['KEEP'] !== undefined) writeFileSync(join(process.env['KEEP'], `${format}-${index}`), file);
  let outcome: Outcome | 'not coded' = 'refused';
  let detail = '';
  try {
    outcome = await take(file);
  } catch (error) {
    if (!(error instanceof AdbreakError)) [outcome, detail] = ['not coded', explain(error)];
  }
  const sample = index % 500 === 499;
  if (sample) globalThis.gc?.();
  process.send?.({ index, outcome, detail, ...(sample && { rss: process.memoryUsage().rss }) });
}
process.disconnect?.();
process.exit(0);
