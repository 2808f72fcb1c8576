import type {
  Agreement,
  LabelRecording,
  LabelSignals,
  QueueItem,
  Spot,
} from '@adbreak/shared/contract/labelling.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { agreementOf } from './agreement.js';
import type { Analyses } from './analyses.js';
import type { LabelBook } from './book.js';
import { controlsFor } from './control.js';
import type { Library, Recording } from './library.js';
import { queueOf } from './queue.js';
import type { Spots } from './spots.js';

/** Which control items are drawn follows from it, and from the labeller. */
const SEED = 'adbreak label';

interface Parts {
  readonly library: Library;
  readonly analyses: Analyses;
  readonly spots: Spots;
  readonly book: LabelBook;
}

/** What the page asks for, put together from what is known. */
export class Desk {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  recordings(): LabelRecording[] {
    return this.#parts.library.recordings.map((recording) => this.recording(recording));
  }

  recording(recording: Recording): LabelRecording {
    const { id, name, aliases, facts } = recording;
    const { duration = 0, width = 0, height = 0, hasSound = false } = facts ?? {};
    const passes = this.#parts.book.labels.passesOver(id);
    const labelled = Object.fromEntries([...passes].map(([labeller, spans]) => [labeller, secondsOf(spans)]));
    const state = this.#parts.analyses.state(recording);
    return { id, name, aliases: [...aliases], duration, width, height, hasSound, ...state, labelled };
  }

  /** Throws `not_found`, and `conflict` until it is known. */
  signals(id: string): LabelSignals {
    const recording = this.#parts.library.readable(id);
    const signals = this.#parts.analyses.signals(id);
    if (signals !== null) return signals;
    this.#parts.analyses.prefer(id);
    throw new AdbreakError('conflict', `Cannot show the signals of ${recording.name}: they are not ready`, {
      remedy: 'Wait for the event `recording` that says `ready`.',
    });
  }

  spots(): readonly Spot[] {
    return this.#parts.spots.of(this.#parts.library.recordings);
  }

  queue(labeller: string): { items: QueueItem[]; control: boolean } {
    const { book, library, analyses } = this.#parts;
    const controls = controlsFor(labeller, this.#passes(), SEED);
    const recordings = library.recordings.flatMap(({ id, facts }) => {
      const signals = analyses.signals(id);
      if (facts === null || signals === null) return [];
      return [{ ...signals, id, duration: facts.duration, labelled: book.labels.spans(labeller, id) }];
    });
    const waiting = controls.filter(({ answer }) => answer === null);
    const items = queueOf({
      recordings,
      spots: this.spots(),
      controls: waiting,
      seed: `${SEED}/${labeller}`,
    });
    return { items, control: controls.length > 0 };
  }

  agreement(): Agreement {
    return agreementOf(this.#parts.book.labels.labellers, this.#passes(), SEED);
  }

  #passes() {
    const { library, book } = this.#parts;
    return new Map(library.recordings.map(({ id }) => [id, book.labels.passesOver(id)]));
  }
}

function secondsOf(spans: readonly { start: number; end: number; label: 'ad' | 'content' }[]) {
  const seconds = { ad: 0, content: 0 };
  for (const { start, end, label } of spans) seconds[label] += end - start;
  return seconds;
}
