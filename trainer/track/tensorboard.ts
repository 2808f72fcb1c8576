import { join } from 'node:path';
import type { EpochRecord, RunHeader, RunOutcome } from '../ports.js';
import { EventFile } from './event-file.js';
import { histogram, picture, precisionRecall, scalar, summaryEvent, textTable } from './events.js';
import type { Message } from './protobuf.js';
import { bucketsOf, curveOf } from './shapes.js';
import type { DatedTracker } from './tracker.js';

/**
 * TensorBoard lays the curves of runs over each other: training and validation are runs, and their tags the
 * same.
 */
type Part = '' | 'train' | 'validation';

/**
 * Event files under `folder`/NAME/VERSION/START: the losses and accuracies of an epoch in `train` and
 * `validation`; the configuration as a text, and what the end brings (metrics, histograms, pictures, the
 * precision-recall curve), beside them. Each epoch is on the disk when it is over. A run that goes on keeps
 * its folder and gets new files in it.
 */
export function tensorBoard(folder: string): DatedTracker {
  return new TensorBoard(folder);
}

class TensorBoard implements DatedTracker {
  readonly #root: string;
  #folder = '';
  readonly #files = new Map<Part, EventFile>();

  constructor(root: string) {
    this.#root = root;
  }

  async begin({ name, version, startedAt, parameters }: RunHeader, at = new Date()): Promise<void> {
    this.#folder = join(this.#root, name, version, startedAt.toISOString().replaceAll(':', '-'));
    const rows = Object.entries(parameters).map(([key, value]) => [asCode(key), asCode(value)]);
    if (rows.length > 0) await this.#write('', 0, at, [textTable('configuration', rows)]);
  }

  async epoch(record: EpochRecord, at = new Date()): Promise<void> {
    const { stage, epoch } = record;
    const curves = (loss: number, accuracy: number) => [
      scalar(`${stage}/loss`, loss),
      scalar(`${stage}/accuracy`, accuracy),
    ];
    const { trainLoss, trainAccuracy, validationLoss, validationAccuracy } = record;
    await this.#write('train', epoch, at, curves(trainLoss, trainAccuracy));
    await this.#write('validation', epoch, at, curves(validationLoss, validationAccuracy));
    const pace = [
      scalar(`${stage}/learning_rate`, record.learningRate),
      scalar(`${stage}/seconds`, record.seconds),
    ];
    await this.#write('', epoch, at, pace);
  }

  async end({ metrics, histograms, pictures, scored }: RunOutcome, at = new Date()): Promise<void> {
    const values = [
      ...Object.entries(metrics).map(([tag, value]) => scalar(tag, value)),
      ...histograms.map(({ tag, values }) => histogram(tag, bucketsOf(values))),
      ...pictures.map(({ tag, width, height, png }) => picture(tag, width, height, png)),
      ...(scored.length > 0 ? [precisionRecall('test/precision_recall', curveOf(scored))] : []),
    ];
    if (values.length > 0) await this.#write('', 0, at, values);
    for (const file of this.#files.values()) await file[Symbol.asyncDispose]();
    this.#files.clear();
  }

  async #write(part: Part, step: number, at: Date, values: readonly Message[]): Promise<void> {
    const file = this.#files.get(part) ?? (await EventFile.create(join(this.#folder, part), at));
    this.#files.set(part, file);
    await file.append([summaryEvent({ wallTime: at.getTime() / 1000, step }, values)]);
  }
}

/** As Markdown that means nothing else, in a table where a text may have lines. */
function asCode(text: string): string {
  const line = text.replace(/\s+/g, ' ').replaceAll('`', "'");
  return line === '' ? '' : `\`${line}\``;
}
