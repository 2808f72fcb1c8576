import type { LabelAction, LabelsChanged } from '@adbreak/shared/contract/labelling.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { admit } from './admit.js';
import type { Step } from './entries.js';
import type { EventLog } from './event-log.js';
import { type Labels, spansForPage } from './fold.js';

interface Said {
  readonly labeller: string;
  readonly action: LabelAction;
}
interface BookOptions {
  readonly log: EventLog;
  /** The fold of what the log holds. */
  readonly labels: Labels;
  /** Length by id, of the recordings that may be labelled. */
  readonly durations: () => ReadonlyMap<string, number>;
  readonly nameOf: (recording: string) => string;
  readonly now: () => Date;
  /** Hears of each change, once it is on the disk. */
  readonly onChange: (changed: LabelsChanged) => void;
}

/** The labels, and the one way by which they change: looked at, written down, then in force. */
export class LabelBook implements AsyncDisposable {
  readonly #options: BookOptions;
  readonly #writing = new SerialRunner();

  constructor(options: BookOptions) {
    this.#options = options;
  }

  get labels(): Labels {
    return this.#options.labels;
  }

  /**
   * Answers once the action is on the disk. One that was taken already is answered with what stands now. Throws as `admit`
   * does, and `disk_full` where nothing was written.
   */
  post(said: Said): Promise<LabelsChanged> {
    return this.#writing.run(async () => {
      const taken = this.labels.taken(said.action.id);
      if (taken !== undefined) return this.changed(said.labeller, taken);
      admit(this.labels, this.#options.durations(), said);
      return this.#write(said.labeller, [said.action]);
    });
  }

  /** Many of one labeller, as of a file: all of them or none. Those that were taken already are left out. */
  import(labeller: string, actions: readonly LabelAction[]): Promise<LabelsChanged> {
    return this.#writing.run(async () => {
      const fresh = actions.filter(({ id }) => this.labels.taken(id) === undefined);
      for (const action of fresh) admit(this.labels, this.#options.durations(), { labeller, action });
      return this.#write(labeller, fresh);
    });
  }

  async #write(labeller: string, actions: readonly LabelAction[]): Promise<LabelsChanged> {
    const at = this.#options.now().toISOString();
    const events = await this.#options.log.append(actions.map((action) => ({ at, labeller, action })));
    const recordings = new Set(events.flatMap((event) => this.labels.apply(event)));
    const changed = this.changed(labeller, [...recordings]);
    this.#options.onChange(changed);
    return changed;
  }

  /** What stands now of these recordings. */
  changed(labeller: string, recordings: readonly string[]): LabelsChanged {
    const changed = recordings.map((recording) => ({
      recording,
      spans: spansForPage(this.labels.spans(labeller, recording)),
    }));
    return { sequence: this.labels.sequence, labeller, changed, ...this.next(labeller) };
  }

  /** What U and its opposite would do now, in words. */
  next(labeller: string): Pick<LabelsChanged, 'undo' | 'redo'> {
    const { undo, redo } = this.labels.next(labeller);
    return { undo: undo && this.#words(undo), redo: redo && this.#words(redo) };
  }

  #words(step: Step): string {
    const label = step.label ?? 'no label';
    if (step.kind === 'spot') {
      const places = `${step.airings.length} ${step.airings.length === 1 ? 'place' : 'places'}`;
      return `${label}: a spot at ${places}`;
    }
    const end = this.#options.labels.endOf(step);
    const name = this.#options.nameOf(step.recording);
    return `${label}: ${clock(step.start)} to ${clock(end)} of ${name}`;
  }

  /** After what is being written; nothing comes any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing[Symbol.asyncDispose]();
  }
}

/** `1:02:03.4` */
function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60];
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}
