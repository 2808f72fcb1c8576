import type { LabelAction } from '@adbreak/shared/contract/labelling.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Labels } from './fold.js';

/** Labels may end a little after the last frame: of a container that is longer, or of a time that was rounded. */
export const END_TOLERANCE = 1;

/**
 * Whether an action means something, before it is written down. Throws `not_found` for recordings and actions nobody
 * knows, `input_invalid` for a stretch outside of its recording, `conflict` where there is nothing to take back.
 */
export function admit(
  labels: Labels,
  durations: ReadonlyMap<string, number>,
  { labeller, action }: { readonly labeller: string; readonly action: LabelAction },
): void {
  switch (action.kind) {
    case 'paint':
      return admitStretch(durations, action);
    case 'spot':
      for (const airing of action.airings) admitStretch(durations, airing);
      return;
    case 'extend':
      return admitExtension(labels, durations, labeller, action);
    case 'undo':
      if (action.of !== undefined) return admitUndo(labels, labeller, action.of);
      if (labels.next(labeller).undo === null) throw nothingTo('take back');
      return;
    case 'redo':
      if (labels.next(labeller).redo === null) throw nothingTo('put back');
  }
}

interface Stretch {
  readonly recording: string;
  readonly start: number;
  readonly end: number;
}

function admitStretch(durations: ReadonlyMap<string, number>, { recording, start, end }: Stretch): void {
  const duration = durations.get(recording);
  if (duration === undefined)
    throw new AdbreakError('not_found', `Cannot label: no recording has the id ${recording}`);
  if (end > start && end <= duration + END_TOLERANCE) return;
  throw new AdbreakError(
    'input_invalid',
    `Cannot label: a stretch must end after its start and within the recording of ${duration.toFixed(3)} s: current value is ${start} to ${end}`,
  );
}

function admitExtension(
  labels: Labels,
  durations: ReadonlyMap<string, number>,
  labeller: string,
  { of, end }: { readonly of: string; readonly end: number },
): void {
  const entry = labels.stepOf(labeller, of);
  if (entry?.step.kind !== 'paint') throw unknownAction(of);
  admitStretch(durations, { ...entry.step, end });
}

function admitUndo(labels: Labels, labeller: string, of: string): void {
  const entry = labels.stepOf(labeller, of);
  if (entry === undefined) throw unknownAction(of);
  if (!entry.stands) throw nothingTo('take back');
}

function unknownAction(id: string): AdbreakError {
  return new AdbreakError('not_found', `Cannot find the action ${id} among this labeller's own`);
}

function nothingTo(what: string): AdbreakError {
  return new AdbreakError('conflict', `Cannot ${what} anything: nothing is left`, {
    remedy: 'Look at the labels as they stand now.',
  });
}
