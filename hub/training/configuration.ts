import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { parse } from 'yaml';
import { z } from 'zod';

/** What a job may not set: these decide where on the hub's machine is read and written, and who is told. */
const OURS = ['output', 'tracking', 'dataset.path', 'dataset.video', 'dataset.labels'];

/** Of a configuration no more than what would ask for a file of the hub's machine. */
const recordings = z.looseObject({
  dataset: z.looseObject({ video: z.string().nullish(), labels: z.string().nullish() }).nullish(),
});

interface Places {
  readonly dataset: string;
  readonly output: string;
  readonly cache: string;
}

/**
 * Refuses what only the hub may say. A file may hold such keys, as the ones that come along do: the hub's own
 * words come after them. Throws `input_invalid`.
 */
export function refuseOurs(configuration: string, settings: readonly string[]): void {
  for (const setting of settings) {
    const key = setting.split('=', 1)[0]?.trim() ?? '';
    const own = OURS.find((one) => key === one || key.startsWith(`${one}.`) || one.startsWith(`${key}.`));
    if (own === undefined) continue;
    throw new AdbreakError('input_invalid', `Cannot accept the setting ${key}: ${own} is the hub’s to set`, {
      remedy: 'Leave it out; the data set is named beside the configuration.',
    });
  }
  const named = recordings.safeParse(parsed(configuration));
  const { video = null, labels = null } = (named.success ? named.data.dataset : null) ?? {};
  if (video !== null || labels !== null)
    throw new AdbreakError(
      'input_invalid',
      'Cannot accept the configuration: a training on the hub has a data set, and no dataset.video or dataset.labels',
      { remedy: 'Cut the recording into a data set with `adbreak dataset cut`, and copy that to the hub.' },
    );
}

function parsed(configuration: string): unknown {
  try {
    return parse(configuration) as unknown;
  } catch (cause) {
    const [first = ''] = explain(cause).split('\n');
    throw new AdbreakError('input_invalid', `Cannot read the configuration: it is not YAML: ${first}`);
  }
}

/** The settings of the trainer, the hub's own last: the last one of a key counts. */
export function settingsOf(settings: readonly string[], { dataset, output, cache }: Places): string[] {
  return [
    ...settings,
    `dataset.path=${JSON.stringify(dataset)}`,
    'dataset.video=null',
    'dataset.labels=null',
    `output.path=${JSON.stringify(output)}`,
    `output.cache=${JSON.stringify(cache)}`,
    'tracking.tensorboard.enabled=false',
    'tracking.mlflow.enabled=false',
  ].flatMap((setting) => ['--set', setting]);
}
