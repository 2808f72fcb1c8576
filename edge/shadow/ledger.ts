import type { DrawOrder, WindowReport } from '@adbreak/shared/contract/messages.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { afterWindow, type DrawState, firstDraws } from './draws.js';
import {
  type Counts,
  convictionOf,
  countControl,
  countDraw,
  countEpisode,
  disagrees,
  type Episode,
  emptyCounts,
  outcomeOf,
  type Pairing,
} from './episode-log.js';
import { endOf, openWindow, turn, type Windows } from './windows.js';

/** An episode that has ended and is not counted yet. */
export interface Pending {
  readonly episode: Episode;
  /** When it ended, by the device's clock, milliseconds. */
  readonly since: number;
  /** Thrown once, uniform in [0, 1): a disagreement is drawn where this is below the rate of the window that counts it. */
  readonly coin: number;
  /** Asked about though its truth is known. */
  readonly control: boolean;
}
/** An episode that is counted, and that a person is still asked about. */
export interface Waiting extends Pending {
  /** When it was counted, and the start of the window that counted it. */
  readonly counted: number;
  readonly window: number;
}
/** A late answer, until it is reported. */
export interface Answer {
  readonly pairing: Pairing;
  readonly window: number;
  readonly wins: number;
  readonly losses: number;
}
/** All that a ledger knows; what a stop must not lose. */
export interface LedgerState {
  readonly windows: Windows;
  readonly order: DrawOrder;
  readonly draws: DrawState;
  readonly counts: readonly Counts[];
  readonly pending: readonly Pending[];
  readonly waiting: readonly Waiting[];
  readonly answers: readonly Answer[];
}
export interface LedgerSettings {
  readonly labelSeconds: number;
  readonly windowSeconds: number;
  /** There is a page that asks people. Without one nothing is drawn, and disagreements are evidence of nothing. */
  readonly canAsk: boolean;
  readonly uniform: () => number;
}
type ClosedWindow = Omit<WindowReport, 'sequence' | 'stream' | 'slice'>;

/** Control items to draws, and how likely a suitable episode becomes one that is due: it shall not follow its draw at once. */
const CONTROLS_PER_DRAW = 0.1;
const CONTROL_CHANCE = 0.2;
const MOST_CONTROLS_DUE = 3;
/** Draws and controls that wait; beyond that the oldest leave the list, and count as ones that nobody answered. */
export const MOST_WAITING = 1000;
/** Windows that one report can answer draws of; more go with the reports after it. */
const MOST_ANSWERS = 100;

/**
 * From an episode's end to the reports of its window: every episode is counted when the same time has passed since its end,
 * labelled or not, so that what people label fast does not count before the rest. Disagreements that were drawn wait on
 * for an answer, which goes out under the start of the window that counted them. Time and chance come from outside.
 */
export class Ledger {
  readonly #settings: LedgerSettings;
  #windows: Windows;
  #order: DrawOrder;
  #draws: DrawState;
  #counts = new Map<string, Counts>();
  #pending: readonly Pending[];
  #waiting: readonly Waiting[];
  #answers: readonly Answer[];
  #controlsDue = 0;

  /** `before`: what a ledger with windows of the same length left behind. */
  constructor(settings: LedgerSettings, order: DrawOrder, now: number, before: LedgerState | null = null) {
    this.#settings = settings;
    const length = Math.round(settings.windowSeconds * 1000);
    // Windows of another length are no continuation; draws that wait keep the start under which they were counted.
    const same = before?.windows.length === length;
    this.#windows = before !== null && same ? before.windows : openWindow(length, now);
    this.#order = before?.order ?? order;
    this.#draws = before?.draws ?? firstDraws(order.perWeek, settings.windowSeconds);
    for (const counts of before !== null && same ? before.counts : []) this.#counts.set(key(counts), counts);
    this.#pending = before?.pending ?? [];
    this.#waiting = before?.waiting ?? [];
    this.#answers = before?.answers ?? [];
  }

  get state(): LedgerState {
    return {
      windows: this.#windows,
      order: this.#order,
      draws: this.#draws,
      counts: [...this.#counts.values()],
      pending: this.#pending,
      waiting: this.#waiting,
      answers: this.#answers,
    };
  }

  /** What the hub promises about draws; a new rate begins with the next window. */
  order(order: DrawOrder): void {
    this.#order = order;
  }

  /** An episode has ended. `asking`: people are asked now, so some that are no question may be among the questions. */
  end(episode: Episode, now: number, asking: boolean): void {
    const pending = { episode, since: now, coin: this.#settings.uniform(), control: false };
    const control = asking && this.#isControl(episode);
    this.#pending = [...this.#pending, { ...pending, control }];
    if (this.#isDrawn(pending) && this.#settings.uniform() < CONTROLS_PER_DRAW)
      this.#controlsDue = Math.min(MOST_CONTROLS_DUE, this.#controlsDue + 1);
  }

  /** Whether the episode is still here: not counted, or counted and waiting. */
  holds(id: number): boolean {
    return [...this.#pending, ...this.#waiting].some(({ episode }) => episode.id === id);
  }

  /** What people are asked about, oldest first, as long as nobody has answered: what was drawn, with the controls among it. */
  get asked(): Pending[] {
    const open = this.#pending.filter(
      (one) => one.episode.label === null && (one.control || this.#isDrawn(one)),
    );
    return [...this.#waiting, ...open];
  }

  /** A person's word on an episode that has ended; false when it is counted and nothing waits for it, or it has its label. */
  label(id: number, label: Label, now: number): boolean {
    this.#expire(now);
    const pending = this.#pending.find(({ episode }) => episode.id === id);
    if (pending !== undefined) return this.#labelPending(pending, label);
    const waiting = this.#waiting.find(({ episode }) => episode.id === id);
    if (waiting === undefined) return false;
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
    const episode = { ...waiting.episode, label };
    // The window that counted it is over: a late word on a control is no label of any window, only an answer.
    if (waiting.control) this.edit(episode.pairing, (counts) => countControl(counts, episode));
    else
      this.#answers = [
        ...this.#answers,
        { pairing: episode.pairing, window: waiting.window, ...outcomeOf(episode, label) },
      ];
    return true;
  }

  /** Changes the counts of the window that is open. */
  edit(pairing: Pairing, edit: (counts: Counts) => Counts): void {
    this.#counts.set(key(pairing), edit(this.#counts.get(key(pairing)) ?? emptyCounts(pairing)));
  }

  /** Whether a look at the clock would close the window. */
  isOver(now: number): boolean {
    return turn(this.#windows, now) !== this.#windows;
  }

  /**
   * The reports of the window that is over; nothing while it is open. `current` is the pairing at work: it is reported also
   * when it saw no frame, so that a set that is off is not taken for a device that is dead.
   */
  closeWindow(now: number, current: Pairing | null): ClosedWindow[] {
    const next = turn(this.#windows, now);
    if (next === this.#windows) return [];
    this.#expire(now);
    this.#moveAnswers();
    if (current !== null) this.edit(current, (counts) => counts);
    const { start } = this.#windows;
    const reports = [...this.#counts.values()].filter(
      (counts) => saysAnything(counts) || (current !== null && key(counts) === key(current)),
    );
    const closed = reports.map((counts) => this.#reportOf(counts, start));
    this.#learn(closed, current);
    this.#counts.clear();
    this.#windows = next;
    if (next.start < start) this.#forgetFuture(next.start);
    return closed;
  }

  #labelPending(pending: Pending, label: Label): boolean {
    if (pending.episode.label !== null) return false;
    const episode = { ...pending.episode, label };
    this.#pending = this.#pending.map((one) => (one === pending ? { ...one, episode } : one));
    if (pending.control) this.edit(episode.pairing, (counts) => countControl(counts, episode));
    return true;
  }

  #isDrawn({ episode, coin }: Pick<Pending, 'episode' | 'coin'>): boolean {
    return this.#settings.canAsk && disagrees(episode) && coin < this.#draws.rate;
  }

  /**
   * Its truth is the models' common conviction. Where both are wrong, a right answer is held for a wrong one: the share
   * measured is too large then and never too small, which costs evidence and never makes any.
   */
  #isControl(episode: Episode): boolean {
    if (
      !this.#settings.canAsk ||
      this.#controlsDue === 0 ||
      episode.label !== null ||
      convictionOf(episode) === null
    )
      return false;
    if (this.#settings.uniform() >= CONTROL_CHANCE) return false;
    this.#controlsDue -= 1;
    return true;
  }

  /** Counts what has waited its time, and ends the wait for answers. What is due after the window's end is the next one's. */
  #expire(now: number): void {
    // After a step back of the clock a wait begins anew; it never lasts until the clock has caught up.
    this.#pending = this.#pending.map((one) => (one.since > now ? { ...one, since: now } : one));
    this.#waiting = this.#waiting.map((one) => (one.counted > now ? { ...one, counted: now } : one));
    const until = Math.min(now, endOf(this.#windows));
    const due = this.#pending.filter(({ since }) => since + this.#settings.labelSeconds * 1000 <= until);
    this.#pending = this.#pending.filter((one) => !due.includes(one));
    for (const one of due) this.#count(one);
    const patience = this.#order.answerHours * 3_600_000;
    const late = this.#waiting.filter(({ counted }) => now - counted > patience);
    const open = this.#waiting.filter((one) => !late.includes(one));
    this.#waiting = open.slice(-MOST_WAITING);
    for (const { control, episode } of [...late, ...open.slice(0, -MOST_WAITING)])
      if (control) this.edit(episode.pairing, (counts) => countControl(counts, episode));
  }

  #count(pending: Pending): void {
    const { episode, control, since } = pending;
    const counted = since + this.#settings.labelSeconds * 1000;
    const drawn = this.#isDrawn(pending);
    const { rate } = this.#draws;
    this.edit(episode.pairing, (counts) => {
      const sum = countEpisode(counts, episode);
      return drawn ? countDraw(sum, episode, rate) : sum;
    });
    if (episode.label === null && (drawn || control))
      this.#waiting = [...this.#waiting, { ...pending, counted, window: this.#windows.start }];
  }

  /** Answers go into the reports of windows after the one that they are about. */
  #moveAnswers(): void {
    const early = this.#answers
      .filter(({ window }) => window < this.#windows.start)
      .toSorted((a, b) => a.window - b.window);
    for (const answer of early) {
      const { pairing, window, wins, losses } = answer;
      const start = new Date(window).toISOString();
      const answers = this.#counts.get(key(pairing))?.answers ?? [];
      const known = answers.find((one) => one.start === start);
      if (known === undefined && answers.length >= MOST_ANSWERS) continue;
      const sum = { start, wins: wins + (known?.wins ?? 0), losses: losses + (known?.losses ?? 0) };
      this.edit(pairing, (counts) => ({
        ...counts,
        answers: [...answers.filter((one) => one !== known), sum],
      }));
      this.#answers = this.#answers.filter((one) => one !== answer);
    }
  }

  #reportOf(counts: Counts, start: number): ClosedWindow {
    const asked = this.#settings.canAsk && counts.candidate !== null;
    return {
      ...counts,
      start: new Date(start).toISOString(),
      end: new Date(start + this.#windows.length).toISOString(),
      draws: asked ? (counts.draws ?? { rate: this.#draws.rate, drawn: 0, wins: 0, losses: 0 }) : null,
      waiting: this.#waiting.filter(
        ({ control, episode }) => !control && episode.pairing.rollout === counts.rollout,
      ).length,
    };
  }

  #learn(closed: readonly ClosedWindow[], current: Pairing | null): void {
    const paired = closed.filter(({ candidate }) => candidate !== null);
    const sum = (of: (report: ClosedWindow) => number) =>
      paired.reduce((total, report) => total + of(report), 0);
    const outcome = {
      episodes: sum(({ episodes }) => episodes),
      disagreements: sum(({ joint }) => (joint === null ? 0 : joint[0][1] + joint[1][0])),
      drawn: sum(({ draws }) => draws?.drawn ?? 0),
    };
    // Without a candidate nothing was compared, and nothing is learnt about how often two models differ.
    const compared = outcome.episodes > 0 || (current !== null && current.candidate !== null);
    this.#draws = afterWindow(
      this.#draws,
      compared ? outcome : null,
      this.#order.perWeek,
      this.#settings.windowSeconds,
    );
  }

  /** The clock had been ahead: no later window may answer draws of windows that lie in its future, and the hub refuses those. */
  #forgetFuture(start: number): void {
    this.#waiting = this.#waiting.filter(({ window }) => window < start);
    this.#answers = this.#answers.filter(({ window }) => window < start);
  }
}

function saysAnything({ frames, episodes, restarts, downloadFailures, answers, control }: Counts): boolean {
  return frames + episodes + restarts + downloadFailures + answers.length + control.asked > 0;
}

export function key({ rollout, production, candidate, serving }: Pairing): string {
  return JSON.stringify([rollout, production, candidate, serving]);
}
