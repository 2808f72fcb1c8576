import type { Desired, DeviceEvent, WindowReport } from '@adbreak/shared/contract/messages.js';
import { explain } from '@adbreak/shared/errors.js';
import type { Frame } from '@adbreak/shared/video/frames.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { DEFAULT_DECIDER, type DeciderState, decide, INITIAL_DECIDER } from './decide/decider.js';
import { BETWEEN, DEFAULT_EPISODES, type Segmenter, segment, signatureOf } from './decide/episodes.js';
import type { Inference, InferenceChild } from './inference/child.js';
import { type Counts, countEpisode, countLatency, disagrees, type Episode, emptyCounts, extend, type Pairing, pairingOf, votes } from './shadow/episode-log.js';

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
  readonly label: Label | null;
  /** What each model says of it, p(ad). */
  readonly production: number;
  readonly candidate: number | null;
  /** The rollout waits for a person's word on it. */
  readonly asked: boolean;
}
/** A labelled episode with some of its frames, for the device's own reservoir. */
export interface LabelledEpisode {
  readonly label: Label;
  readonly frames: readonly Uint8Array[];
}
interface PipelineOptions {
  readonly labelSeconds: number;
  readonly onEvent: (event: DeviceEvent) => void;
  readonly onEpisode: (episode: EndedEpisode) => void;
  /** A child failed; the owner replaces it and installs the new pair. */
  readonly onFailure: (role: 'production' | 'candidate', child: InferenceChild, reason: string) => Promise<void>;
  readonly onServed: () => void;
  readonly onLabelled: (episode: LabelledEpisode) => void;
  readonly uniform: () => number;
  readonly now: () => number;
}
interface Pending {
  readonly episode: Episode;
  readonly since: number;
}

/** Shorter than this a stretch is not an episode: a flash between two blacks. */
const FEWEST_FRAMES = 3;
const RECENT = 20;
/** Frames kept of an episode, spread over it by reservoir sampling. */
const KEPT_FRAMES = 3;
/** Disagreements that are asked about wait this many times longer for a person. */
const PATIENCE = 6;
/** Episodes that hold frames in memory while they wait for a label; older ones wait without. */
const MOST_WITH_FRAMES = 40;

/** Frames in, decisions and evidence out: production and candidate on the same frame, one of them acting. */
export class Pipeline {
  readonly #options: PipelineOptions;
  #pair: Pair | null = null;
  #decider: DeciderState = INITIAL_DECIDER;
  #segmenter: Segmenter = BETWEEN;
  #episode: Episode | null = null;
  #pending: Pending[] = [];
  #recent: EndedEpisode[] = [];
  #counts = new Map<string, Counts>();
  #nextId = 1;
  #ask: Desired['ask'] = null;
  #labelRate = 1;
  #kept = new Map<number, { seen: number; frames: Uint8Array[] }>();
  #last: { readonly frame: Frame; readonly probability: number } | null = null;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  get pair(): Pair | null {
    return this.#pair;
  }
  get view() {
    return {
      label: this.#decider.label,
      posterior: this.#decider.posterior,
      probability: this.#last?.probability ?? null,
      mediaTime: this.#last?.frame.time ?? null,
      openEpisode: this.#episode === null ? null : { id: this.#episode.id, start: this.#episode.start, label: this.#episode.label },
      recent: this.#recent,
      ask: this.#ask !== null,
    };
  }
  get lastFrame(): Frame | null {
    return this.#last?.frame ?? null;
  }

  /** New models for the frames to come. An episode that two pairings have seen in part counts for neither. */
  install(pair: Pair): void {
    const changed = this.#pair === null || key(pairingOf(pair.desired)) !== key(pairingOf(this.#pair.desired));
    this.#pair = pair;
    if (!changed) return;
    if (this.#episode !== null) this.#kept.delete(this.#episode.id);
    this.#episode = null;
    this.#segmenter = BETWEEN;
  }

  async process(frame: Frame, dropped: number, size: { width: number; height: number }): Promise<void> {
    const pair = this.#pair;
    if (pair === null) return;
    const [production, candidate] = await Promise.allSettled([pair.production.infer(frame.pixels), pair.candidate?.infer(frame.pixels) ?? null]);
    if (production.status === 'rejected') return this.#options.onFailure('production', pair.production, explain(production.reason));
    if (candidate.status === 'rejected' && pair.candidate !== null) return this.#options.onFailure('candidate', pair.candidate, explain(candidate.reason));
    const second = candidate.status === 'fulfilled' ? candidate.value : null;
    const acting = pair.desired.serve === 'candidate' ? (second ?? production.value) : production.value;
    this.#last = { frame, probability: acting.probability };
    this.#decide(frame.time, acting.probability);
    this.#count(pair, production.value, second, dropped);
    this.#follow(pair, frame, size, production.value.probability, second?.probability ?? null);
    this.#options.onServed();
  }

  /** What the rollout wants of people here: the page asks for it, and disagreements wait longer. */
  ask({ ask, labelRate }: Pick<Desired, 'ask' | 'labelRate'>): void {
    this.#ask = ask;
    this.#labelRate = labelRate;
  }

  /** A person's word on an episode, running or ended a moment ago. False when it is counted already. */
  label(id: number | null, label: Label): boolean {
    if (this.#episode !== null && (id === null || id === this.#episode.id)) {
      this.#episode = { ...this.#episode, label };
      return true;
    }
    const index = this.#pending.findIndex(({ episode }) => episode.id === id);
    const pending = this.#pending[index];
    if (pending === undefined) return false;
    this.#pending.splice(index, 1);
    this.#recent = this.#recent.map((one) => (one.id === id ? { ...one, label } : one));
    this.#take({ ...pending.episode, label });
    return true;
  }

  /** The source stopped: what runs ends here. */
  interrupt(): void {
    this.#finish();
    this.#segmenter = BETWEEN;
  }

  /** The counts of the window that ends now, one report for each pairing that saw frames. */
  closeWindow(): Omit<WindowReport, 'sequence' | 'start' | 'end' | 'slice'>[] {
    this.#expire();
    const counts = [...this.#counts.values()].filter(({ frames, episodes, downloadFailures }) => frames > 0 || episodes > 0 || downloadFailures > 0);
    this.#counts.clear();
    return counts;
  }

  /** Failed downloads and the memory in use, for the window that runs. */
  countHealth(downloadFailures: number, memoryMb: number): void {
    if (this.#pair !== null)
      this.#edit(pairingOf(this.#pair.desired), (counts) => ({
        ...counts,
        downloadFailures: counts.downloadFailures + downloadFailures,
        memoryMb: Math.max(counts.memoryMb, memoryMb),
      }));
  }

  countRestart(): void {
    if (this.#pair !== null) this.#edit(pairingOf(this.#pair.desired), (counts) => ({ ...counts, restarts: counts.restarts + 1 }));
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
    this.#edit(pairingOf(pair.desired), (counts) => ({
      ...counts,
      frames: counts.frames + 1,
      dropped: counts.dropped + dropped,
      adFrames: counts.adFrames + Number(this.#decider.label === 'ad'),
      latency: {
        production: countLatency(counts.latency.production, production.milliseconds),
        candidate:
          counts.latency.candidate === null || candidate === null ? counts.latency.candidate : countLatency(counts.latency.candidate, candidate.milliseconds),
      },
    }));
  }

  #follow(pair: Pair, frame: Frame, { width, height }: { width: number; height: number }, production: number, candidate: number | null): void {
    const { state, ends, counts } = segment(DEFAULT_EPISODES, this.#segmenter, frame.time, signatureOf(frame.pixels, width, height));
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
      drawn: this.#labelRate >= 1 || this.#options.uniform() < this.#labelRate,
    };
    this.#keepFrame(this.#episode.id, frame.pixels);
    this.#episode = extend(this.#episode, frame.time, production, candidate);
  }

  #finish(): void {
    const episode = this.#episode;
    this.#episode = null;
    if (episode === null) return;
    if (episode.frames < FEWEST_FRAMES) return void this.#kept.delete(episode.id);
    // With a candidate assigned, an episode that it did not see to its end is no pair.
    if (episode.pairing.candidate !== null && episode.candidateSum === null) return void this.#kept.delete(episode.id);
    const ended: EndedEpisode = {
      id: episode.id,
      start: episode.start,
      end: episode.end,
      label: episode.label,
      ...votes(episode),
      asked: this.#asked(episode),
    };
    this.#recent = [ended, ...this.#recent].slice(0, RECENT);
    if (episode.label !== null) this.#take(episode);
    else {
      this.#pending.push({ episode, since: this.#options.now() });
      const old = this.#pending.at(-1 - MOST_WITH_FRAMES);
      if (old !== undefined) this.#kept.delete(old.episode.id);
    }
    this.#options.onEpisode(ended);
  }

  #expire(): void {
    const now = this.#options.now();
    const waits = ({ episode, since }: Pending) => now - since < this.#options.labelSeconds * 1000 * (this.#asked(episode) ? PATIENCE : 1);
    const expired = this.#pending.filter((one) => !waits(one));
    this.#pending = this.#pending.filter(waits);
    for (const { episode } of expired) this.#take(episode);
  }

  /** Is a person's word on this episode what the rollout waits for? */
  #asked(episode: Episode): boolean {
    return this.#ask !== null && episode.drawn && disagrees(episode);
  }

  #keepFrame(id: number, pixels: Uint8Array): void {
    const kept = this.#kept.get(id) ?? { seen: 0, frames: [] };
    this.#kept.set(id, kept);
    kept.seen += 1;
    // Algorithm R (Vitter 1985): every frame of the episode is kept with the same chance.
    const place = kept.frames.length < KEPT_FRAMES ? kept.frames.length : Math.floor(this.#options.uniform() * kept.seen);
    if (place < KEPT_FRAMES) kept.frames[place] = pixels;
  }

  #take(episode: Episode): void {
    const frames = this.#kept.get(episode.id)?.frames ?? [];
    this.#kept.delete(episode.id);
    if (episode.label !== null && frames.length > 0) this.#options.onLabelled({ label: episode.label, frames });
    this.#edit(episode.pairing, (counts) => countEpisode(counts, episode));
  }
  #edit(pairing: Pairing, edit: (counts: Counts) => Counts): void {
    this.#counts.set(key(pairing), edit(this.#counts.get(key(pairing)) ?? emptyCounts(pairing)));
  }
}

function key({ rollout, production, candidate, serving }: Pairing): string {
  return JSON.stringify([rollout, production, candidate, serving]);
}
