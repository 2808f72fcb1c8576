import type { Desired, DeviceEvent } from '@adbreak/shared/contract/messages.js';
import {
  DEFAULT_DECIDER,
  type DeciderState,
  decide,
  INITIAL_DECIDER,
} from '@adbreak/shared/decide/decider.js';
import { explain } from '@adbreak/shared/errors.js';
import type { Frame } from '@adbreak/shared/video/frames.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { BETWEEN, DEFAULT_EPISODES, type Segmenter, segment, signatureOf } from './decide/episodes.js';
import type { Inference, InferenceChild } from './inference/child.js';
import { countLatency, type Episode, extend, pairingOf, votes } from './shadow/episode-log.js';
import { key, Ledger, type LedgerState } from './shadow/ledger.js';

/** The models at work on the frames. */
export interface Pair {
  readonly desired: Desired;
  readonly production: InferenceChild;
  readonly candidate: InferenceChild | null;
}
export interface EndedEpisode {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  /** When it ended, by the clock of the device. */
  readonly at: string;
  readonly label: Label | null;
  /** What each model says of it, p(ad). Null while a person is asked: nobody shall answer what a model said, or see that both agree. */
  readonly production: number | null;
  readonly candidate: number | null;
  /** The rollout waits for a person's word on it. */
  readonly asked: boolean;
  /** Pictures of it that are still here. */
  readonly pictures: number;
}
export interface Picture {
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly height: number;
}
/** A labelled episode with some of its frames, for the device's own reservoir. */
export interface LabelledEpisode {
  readonly label: Label;
  readonly frames: readonly Uint8Array[];
}
interface PipelineOptions {
  readonly labelSeconds: number;
  readonly windowSeconds: number;
  /** People can be asked here. */
  readonly canAsk: boolean;
  /** What the last run left behind, or null. */
  readonly before: LedgerState | null;
  readonly onEvent: (event: DeviceEvent) => void;
  readonly onEpisode: (episode: EndedEpisode) => void;
  /** A child failed; the owner replaces it and installs the new pair. */
  readonly onFailure: (
    role: 'production' | 'candidate',
    child: InferenceChild,
    reason: string,
  ) => Promise<void>;
  readonly onServed: () => void;
  readonly onLabelled: (episode: LabelledEpisode) => void;
  readonly uniform: () => number;
  readonly now: () => number;
}

/** Shorter than this a stretch is not an episode: a flash between two blacks. */
const FEWEST_FRAMES = 3;
const RECENT = 20;
/** Questions that the page shows at once, the oldest with pictures first; it says how many there are. */
const MOST_SHOWN = 20;
/** Frames kept of an episode, spread over it by reservoir sampling. */
const KEPT_FRAMES = 3;
/** Ended episodes that hold frames in memory. */
const MOST_WITH_FRAMES = 40;

interface Kept {
  readonly frames: Uint8Array[];
  readonly width: number;
  readonly height: number;
  seen: number;
}

/** Frames in, decisions and evidence out: production and candidate on the same frame, one of them acting. */
export class Pipeline {
  readonly #options: PipelineOptions;
  #pair: Pair | null = null;
  #decider: DeciderState = INITIAL_DECIDER;
  #segmenter: Segmenter = BETWEEN;
  #episode: Episode | null = null;
  /** The last episodes that ended, with when they did. */
  #recent: { readonly episode: Episode; readonly at: number }[] = [];
  readonly #ledger: Ledger;
  #nextId: number;
  #orders: Pick<Desired, 'revision' | 'ask' | 'rollout'> = { revision: 0, ask: null, rollout: null };
  #kept = new Map<number, Kept>();
  #last: { readonly frame: Frame; readonly probability: number } | null = null;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const now = options.now();
    // Every disagreement is drawn until the hub has said otherwise.
    this.#ledger = new Ledger(options, { perWeek: null, answerHours: 24 }, now, options.before);
    // No id of an earlier run comes again: a page that was left open must not answer another episode.
    const { pending, waiting } = this.#ledger.state;
    this.#nextId = Math.max(now, ...[...pending, ...waiting].map(({ episode }) => episode.id + 1));
  }

  get pair(): Pair | null {
    return this.#pair;
  }
  get view() {
    const asked = this.#asked;
    // What can be seen comes first: whoever has no picture of a scene, and nothing but its time, guesses.
    const inOrder = [
      ...asked.filter(({ episode }) => this.#kept.has(episode.id)),
      ...asked.filter(({ episode }) => !this.#kept.has(episode.id)),
    ];
    const ids = new Set(asked.map(({ episode }) => episode.id));
    return {
      label: this.#decider.label,
      posterior: this.#decider.posterior,
      probability: this.#last?.probability ?? null,
      mediaTime: this.#last?.frame.time ?? null,
      openEpisode:
        this.#episode === null
          ? null
          : { id: this.#episode.id, start: this.#episode.start, label: this.#episode.label },
      recent: this.#recent.map(({ episode, at }) => this.#ended(episode, at, ids.has(episode.id))),
      asked: inOrder.slice(0, MOST_SHOWN).map(({ episode, since }) => this.#ended(episode, since, true)),
      askedCount: asked.length,
      ask: this.#orders.ask !== null,
    };
  }
  /** What a stop must not lose. */
  get evidence(): LedgerState {
    return this.#ledger.state;
  }
  /** The frame that the models saw last. */
  get lastPicture(): Picture | null {
    const size = this.#pair?.production.model.manifest.preprocess;
    if (this.#last === null || size === undefined) return null;
    return { pixels: this.#last.frame.pixels, width: size.width, height: size.height };
  }

  /** New models for the frames to come. An episode that two pairings have seen in part counts for neither. */
  install(pair: Pair): void {
    const changed =
      this.#pair === null || key(pairingOf(pair.desired)) !== key(pairingOf(this.#pair.desired));
    this.#pair = pair;
    this.order(pair.desired);
    if (!changed) return;
    if (this.#episode !== null) this.#kept.delete(this.#episode.id);
    this.#episode = null;
    this.#segmenter = BETWEEN;
  }

  async process(frame: Frame, dropped: number, size: { width: number; height: number }): Promise<void> {
    const pair = this.#pair;
    if (pair === null) return;
    const [production, candidate] = await Promise.allSettled([
      pair.production.infer(frame.pixels),
      pair.candidate?.infer(frame.pixels) ?? null,
    ]);
    if (production.status === 'rejected')
      return this.#options.onFailure('production', pair.production, explain(production.reason));
    if (candidate.status === 'rejected' && pair.candidate !== null)
      return this.#options.onFailure('candidate', pair.candidate, explain(candidate.reason));
    const second = candidate.status === 'fulfilled' ? candidate.value : null;
    const acting = pair.desired.serve === 'candidate' ? (second ?? production.value) : production.value;
    this.#last = { frame, probability: acting.probability };
    this.#decide(frame.time, acting.probability);
    this.#count(pair, production.value, second, dropped);
    this.#follow(pair, frame, size, production.value.probability, second?.probability ?? null);
    this.#options.onServed();
  }

  /** What the hub wants of people here. An assignment that is older than the last one says nothing any more, unless it is signed, which come in order. */
  order(desired: Desired, { signed = false } = {}): void {
    if (!signed && desired.revision < this.#orders.revision) return;
    this.#orders = desired;
    this.#ledger.order(desired.draws);
  }

  /**
   * A person's word on an episode: on the one that runs, one that ended a moment ago, or one that is asked about. False when
   * it is counted already and nothing waits for it.
   */
  label(id: number | null, label: Label): boolean {
    if (this.#episode !== null && (id === null || id === this.#episode.id)) {
      this.#episode = { ...this.#episode, label };
      return true;
    }
    if (id === null || !this.#ledger.label(id, label, this.#options.now())) return false;
    this.#recent = this.#recent.map(({ episode, at }) => ({
      episode: episode.id === id ? { ...episode, label } : episode,
      at,
    }));
    this.#keepForRounds(id, label);
    return true;
  }

  /** One of the pictures of an episode, or null when it has none any more. */
  picture(id: number, index: number): Picture | null {
    const kept = this.#kept.get(id);
    const pixels = kept?.frames[index];
    return kept === undefined || pixels === undefined
      ? null
      : { pixels, width: kept.width, height: kept.height };
  }

  /** The source stopped: what runs ends here. */
  interrupt(): void {
    this.#finish();
    this.#segmenter = BETWEEN;
  }

  get windowIsOver(): boolean {
    return this.#ledger.isOver(this.#options.now());
  }

  /** The reports of the window that is over, one for each pairing; nothing while it is open. */
  closeWindow(): ReturnType<Ledger['closeWindow']> {
    const closed = this.#ledger.closeWindow(
      this.#options.now(),
      this.#pair === null ? null : pairingOf(this.#pair.desired),
    );
    this.#dropFrames();
    return closed;
  }

  /** Failed downloads and the memory in use, for the window that runs. */
  countHealth(downloadFailures: number, memoryMb: number): void {
    if (this.#pair !== null)
      this.#ledger.edit(pairingOf(this.#pair.desired), (counts) => ({
        ...counts,
        downloadFailures: counts.downloadFailures + downloadFailures,
        memoryMb: Math.max(counts.memoryMb, memoryMb),
      }));
  }

  countRestart(): void {
    if (this.#pair !== null)
      this.#ledger.edit(pairingOf(this.#pair.desired), (counts) => ({
        ...counts,
        restarts: counts.restarts + 1,
      }));
  }

  #decide(time: number, probability: number): void {
    const { state, change } = decide(DEFAULT_DECIDER, this.#decider, time, probability);
    this.#decider = state;
    if (change !== null)
      this.#options.onEvent({
        kind: change.label === 'ad' ? 'ad-started' : 'ad-ended',
        at: new Date(this.#options.now()).toISOString(),
        mediaTime: Math.max(0, change.since),
      });
  }

  #count(pair: Pair, production: Inference, candidate: Inference | null, dropped: number): void {
    this.#ledger.edit(pairingOf(pair.desired), (counts) => ({
      ...counts,
      frames: counts.frames + 1,
      dropped: counts.dropped + dropped,
      adFrames: counts.adFrames + Number(this.#decider.label === 'ad'),
      latency: {
        production: countLatency(counts.latency.production, production.milliseconds),
        candidate:
          counts.latency.candidate === null || candidate === null
            ? counts.latency.candidate
            : countLatency(counts.latency.candidate, candidate.milliseconds),
      },
    }));
  }

  #follow(
    pair: Pair,
    frame: Frame,
    { width, height }: { width: number; height: number },
    production: number,
    candidate: number | null,
  ): void {
    const { state, ends, counts } = segment(
      DEFAULT_EPISODES,
      this.#segmenter,
      frame.time,
      signatureOf(frame.pixels, width, height),
    );
    this.#segmenter = state;
    if (ends) this.#finish();
    if (!counts) return;
    this.#episode ??= {
      id: this.#nextId++,
      pairing: pairingOf(pair.desired),
      start: frame.time,
      end: frame.time,
      frames: 0,
      productionSum: 0,
      candidateSum: pair.candidate === null ? null : 0,
      label: null,
    };
    this.#keepFrame(this.#episode.id, { pixels: frame.pixels, width, height });
    this.#episode = extend(this.#episode, frame.time, production, candidate);
  }

  #finish(): void {
    const episode = this.#episode;
    this.#episode = null;
    if (episode === null) return;
    if (episode.frames < FEWEST_FRAMES) return void this.#kept.delete(episode.id);
    // With a candidate assigned, an episode that it did not see to its end is no pair.
    if (episode.pairing.candidate !== null && episode.candidateSum === null)
      return void this.#kept.delete(episode.id);
    const now = this.#options.now();
    this.#recent = [{ episode, at: now }, ...this.#recent].slice(0, RECENT);
    this.#ledger.end(episode, now, this.#orders.ask !== null);
    if (episode.label !== null) this.#keepForRounds(episode.id, episode.label);
    this.#dropFrames();
    this.#options.onEpisode(
      this.#ended(
        episode,
        now,
        this.#asked.some((one) => one.episode.id === episode.id),
      ),
    );
  }

  /** What is asked about now: only while the hub wants it, and for the rollout that runs. */
  get #asked(): Ledger['asked'] {
    const { ask, rollout } = this.#orders;
    return ask === null
      ? []
      : this.#ledger.asked.filter(({ episode }) => episode.pairing.rollout === rollout);
  }

  #ended(episode: Episode, at: number, asked: boolean): EndedEpisode {
    const { id, start, end, label } = episode;
    const said = asked ? { production: null, candidate: null } : votes(episode);
    return {
      id,
      start,
      end,
      at: new Date(at).toISOString(),
      label,
      ...said,
      asked,
      pictures: this.#kept.get(id)?.frames.length ?? 0,
    };
  }

  #keepFrame(id: number, { pixels, width, height }: Picture): void {
    const kept = this.#kept.get(id) ?? { seen: 0, frames: [], width, height };
    this.#kept.set(id, kept);
    kept.seen += 1;
    // Algorithm R (Vitter 1985): every frame of the episode is kept with the same chance.
    const place =
      kept.frames.length < KEPT_FRAMES ? kept.frames.length : Math.floor(this.#options.uniform() * kept.seen);
    if (place < KEPT_FRAMES) kept.frames[place] = pixels;
  }

  /** A label is a label, also on a control item that it contradicts: where both models are wrong, it is the person who is right. */
  #keepForRounds(id: number, label: Label): void {
    const frames = this.#kept.get(id)?.frames ?? [];
    this.#kept.delete(id);
    if (frames.length > 0) this.#options.onLabelled({ label, frames });
  }

  /**
   * Frames stay while a person's word is awaited: until an episode is counted, and of draws until they are answered. Beyond
   * the bound those go first that nobody is asked about, then the oldest questions: they stay on the page, by their time alone.
   */
  #dropFrames(): void {
    for (const id of this.#kept.keys())
      if (id !== this.#episode?.id && !this.#ledger.holds(id)) this.#kept.delete(id);
    const ended = [...this.#kept.keys()].filter((id) => id !== this.#episode?.id);
    if (ended.length <= MOST_WITH_FRAMES) return;
    const asked = new Set(this.#ledger.asked.map(({ episode }) => episode.id));
    const inOrder = [...ended.filter((id) => !asked.has(id)), ...ended.filter((id) => asked.has(id))];
    for (const id of inOrder.slice(0, ended.length - MOST_WITH_FRAMES)) this.#kept.delete(id);
  }
}
