import { contradiction } from '@adbreak/shared/contract/contradiction.js';
import { type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { topicOf } from '@adbreak/shared/contract/topics.js';

/** The rollout that reports are evidence of, as the hub began it. */
export interface Pairing {
  readonly rollout: string;
  readonly production: string;
  readonly candidate: string;
  /** Beginning of the plan's window in which the rollout began, and its length, milliseconds. */
  readonly hour: number;
  readonly length: number;
}

/**
 * Places, so that a fleet looks like one: devices of one channel are averaged, sites and hardware are slices.
 */
const CHANNELS = 200;
const SITES = 7;
const HARDWARE = 3;
/**
 * A device's own windows: it reports a tenth of a second of the plan's window at a time, for no test has
 * hours, and the hub takes no time twice.
 */
const WINDOW_MS = 100;
/** The hub takes a window that ends ten minutes ahead of its clock at most. */
const AHEAD_MS = 9 * 60_000;
export const EPISODES = 20;

/** About as long as an agent's: twelve bins an arm, tenths, latencies, and two answers. */
function evidence(
  index: number,
  { rollout, production, candidate }: Pairing,
): Omit<WindowReport, 'sequence' | 'start' | 'end'> {
  const content = [3, 9, 14, 22, 31, 47, 60].map((bin): [number, number] => [bin, 2]);
  const ads = [181, 207, 222, 231, 244, 250].map((bin): [number, number] => [bin, 1]);
  const arm = (bins: [number, number][]): WindowReport['histograms']['production'] => ({
    bins,
    sum: bins.reduce((sum, [bin, n]) => sum + ((bin + 0.5) * n) / 256, 0),
  });
  const latency = [10, 11, 12, 13, 14, 15].map((bucket): [number, number] => [
    bucket,
    1 + ((index + bucket) % 5),
  ]);
  return {
    slice: {
      channel: `channel-${index % CHANNELS}`,
      site: `site-${index % SITES}`,
      hardware: `pi-${index % HARDWARE}`,
    },
    rollout,
    production,
    candidate,
    serving: 'production',
    episodes: EPISODES,
    content: EPISODES,
    // As many wins as losses: no gate ends this rollout while it is measured.
    draws: { rate: 1, drawn: 2, wins: 1, losses: 1 },
    answers: [],
    waiting: 0,
    control: { asked: 1, answered: 1, wrong: 0 },
    histograms: { production: arm([...content, ...ads]), candidate: arm([...content, ...ads]) },
    joint: [
      [13, 1],
      [1, 5],
    ],
    jointConfidence: [
      [0, 0, 8],
      [1, 1, 3],
      [2, 2, 2],
      [2, 7, 1],
      [7, 2, 1],
      [8, 8, 2],
      [9, 9, 3],
    ],
    labelled: { episodes: 2, productionRight: 1, candidateRight: 1, wins: 1, losses: 1, detail: null },
    latency: { production: latency, candidate: latency },
    adFrames: 12,
    frames: 40,
    dropped: 0,
    restarts: 0,
    memoryMb: 180,
    downloadFailures: 0,
  };
}

/**
 * One device's reports: sequences rise, windows follow each other inside the plan's window in which the
 * rollout began, for earlier ones are no evidence of it. There are more of them than a run can send.
 */
export class Reports {
  readonly topic: string;
  readonly #rest: string;
  readonly #spans: readonly string[];

  constructor(device: string, index: number, pairing: Pairing, spans: readonly string[]) {
    this.topic = topicOf(device, 'windows');
    this.#rest = JSON.stringify(evidence(index, pairing)).slice(1);
    this.#spans = spans;
  }

  /** JSON in ASCII. */
  text(sequence: number): string {
    return `{"sequence":${sequence},${this.#spans[(sequence - 1) % this.#spans.length]},${this.#rest}`;
  }

  /** Throws where the hub would refuse what is about to be sent a million times. */
  check(): void {
    const report = windowReport.parse(JSON.parse(this.text(1)));
    const wrong = contradiction(report);
    if (wrong !== null)
      throw new RangeError(`Cannot run the benchmark: its report to ${this.topic} is not valid: ${wrong}`);
  }
}

/**
 * The windows that all devices report, as JSON: they have begun or are about to, by the hub's clock of `now`.
 */
export function spansOf({ hour, length }: Pick<Pairing, 'hour' | 'length'>, now: number): string[] {
  const count = Math.floor(Math.min(length, now + AHEAD_MS - hour) / WINDOW_MS);
  const at = (window: number) => new Date(hour + window * WINDOW_MS).toISOString();
  return Array.from({ length: count }, (_, i) => `"start":"${at(i)}","end":"${at(i + 1)}"`);
}
