import type { DeciderSettings } from '@adbreak/shared/decide/decider.js';
import { exactInterval } from '@adbreak/shared/evidence/intervals.js';
import { type Interval, LEVEL, quantile } from './bootstrap.js';
import {
  addFound,
  type Found,
  f1Of,
  matchCells,
  matchEvents,
  NOTHING_FOUND,
  secondsWithin,
} from './matching.js';
import { breaksOf, mutedOf, overlap, type Stretch, secondsOf, type Timeline } from './timeline.js';

/** Seconds by which an edge of a break may be off. */
export const COLLARS = [1, 2, 5] as const;

/**
 * Seconds from a break's border until the agent says so. A break that it never notices counts as one that
 * takes for ever.
 */
export interface Delay {
  /** Null where the agent never comes to it in half, or a tenth, of the breaks. */
  readonly median: number | null;
  readonly p90: number | null;
}
/** What a viewer feels, over recordings. */
export interface Viewing {
  readonly recordings: number;
  /** Labelled hours. */
  readonly hours: number;
  readonly breaks: number;
  /** F1 by collar, of breaks as a finished recording dates them; null without a break in truth or call. */
  readonly eventF1: readonly { readonly collar: number; readonly f1: number | null }[];
  /** F1 on cells of a second, of what is muted live. */
  readonly segmentF1: number | null;
  /** Times an hour that the agent mutes where no part of a break is. */
  readonly falseMutesPerHour: number;
  /**
   * Its exact 95 % interval, if one mute by mistake says nothing of the next: of none in few hours it is
   * wide.
   */
  readonly falseMutesInterval: Interval;
  /** Seconds of programme muted an hour, late ends of breaks among them. */
  readonly programmeMutedPerHour: number;
  /** Seconds of advertisement heard an hour, late beginnings among them. */
  readonly adsHeardPerHour: number;
  /** Breaks in which the agent never mutes. */
  readonly missed: number;
  readonly onset: Delay;
  readonly offset: Delay;
}

/** Recordings through the agent's decision; null where there is none to play. */
export function viewingOf(timelines: readonly Timeline[], settings: DeciderSettings): Viewing | null {
  const hours = timelines.reduce((sum, timeline) => sum + secondsOf(timeline), 0) / 3600;
  if (hours === 0) return null;
  const played = timelines.map((timeline) => playedOf(timeline, settings));
  const sum = (of: (one: Played) => number) => played.reduce((total, one) => total + of(one), 0);
  const onsets = played.flatMap(({ onsets: delays }) => delays);
  const falseMutes = sum((one) => one.falseMutes);
  return {
    recordings: timelines.length,
    hours,
    breaks: onsets.length,
    eventF1: COLLARS.map((collar, i) => ({
      collar,
      f1: f1Of(played.map(({ events }) => events[i] ?? NOTHING_FOUND).reduce(addFound, NOTHING_FOUND)),
    })),
    segmentF1: f1Of(played.map(({ cells }) => cells).reduce(addFound, NOTHING_FOUND)),
    falseMutesPerHour: falseMutes / hours,
    falseMutesInterval: rateInterval(falseMutes, hours),
    programmeMutedPerHour: sum(({ programmeMuted }) => programmeMuted) / hours,
    adsHeardPerHour: sum(({ adsHeard }) => adsHeard) / hours,
    missed: onsets.filter((delay) => delay === Number.POSITIVE_INFINITY).length,
    onset: delayOf(onsets),
    offset: delayOf(played.flatMap(({ offsets }) => offsets)),
  };
}

/** A rate an hour, with each second as a trial: there are so many that the binomial interval is Poisson's. */
function rateInterval(count: number, hours: number): Interval {
  const { low, high } = exactInterval(count, Math.max(1, count, Math.round(3600 * hours)), LEVEL);
  return { low: 3600 * low, high: 3600 * high };
}

/** What is lost to a viewer of one recording. */
interface Losses {
  readonly falseMutes: number;
  /** Seconds of programme muted. */
  readonly programmeMuted: number;
  /** Seconds of advertisement heard. */
  readonly adsHeard: number;
}
interface Played extends Losses {
  readonly events: readonly Found[];
  readonly cells: Found;
  /** Seconds of each break; infinite where it was missed. */
  readonly onsets: readonly number[];
  /** Seconds after each break that was muted at its end. */
  readonly offsets: readonly number[];
}

function playedOf(timeline: Timeline, settings: DeciderSettings): Played {
  const breaks = breaksOf(timeline);
  const muted = mutedOf(timeline, settings);
  const dated = withinLabels(muted, timeline).map((stretch) => stretch.dated);
  return {
    ...lossesOf(timeline, muted),
    events: COLLARS.map((collar) => matchEvents(breaks, dated, collar)),
    cells: matchCells(breaks, muted, timeline.truth),
    onsets: breaks.map((one) => onsetDelay(one, muted)),
    offsets: breaks.flatMap((one) => offsetDelay(one, muted)),
  };
}

function lossesOf(timeline: Timeline, muted: readonly Stretch[]): Losses {
  const breaks = breaksOf(timeline);
  const programme = timeline.truth.filter(({ label }) => label === 'content');
  return {
    falseMutes: withinLabels(muted, timeline).filter((stretch) =>
      breaks.every((one) => overlap(stretch, one) === 0),
    ).length,
    programmeMuted: secondsWithin(muted, programme),
    adsHeard: secondsOf(timeline, 'ad') - secondsWithin(muted, breaks),
  };
}

/**
 * What a decision costs a viewer, seconds an hour: an advertisement heard counts once, programme muted twice,
 * and each mute by mistake half a minute more, since that is what makes people switch it off. Far cheaper to
 * compute than a `Viewing`.
 */
export function costOf(timelines: readonly Timeline[], settings: DeciderSettings): number {
  const hours = timelines.reduce((sum, timeline) => sum + secondsOf(timeline), 0) / 3600;
  const seconds = timelines.reduce((sum, timeline) => {
    const { adsHeard, programmeMuted, falseMutes } = lossesOf(timeline, mutedOf(timeline, settings));
    return sum + adsHeard + 2 * programmeMuted + 30 * falseMutes;
  }, 0);
  return seconds / hours;
}

/** What lies outside of all labels is neither right nor wrong. */
function withinLabels<T extends Stretch>(stretches: readonly T[], { truth }: Timeline): T[] {
  return stretches.filter((stretch) => truth.some((span) => overlap(stretch, span) > 0));
}

function onsetDelay(one: Stretch, muted: readonly Stretch[]): number {
  const first = muted.find((stretch) => overlap(stretch, one) > 0);
  return first === undefined ? Number.POSITIVE_INFINITY : Math.max(0, first.start - one.start);
}

/** How long after its end a break is still muted; none where the agent let go before. */
function offsetDelay(one: Stretch, muted: readonly Stretch[]): number[] {
  const last = muted.findLast((stretch) => overlap(stretch, one) > 0);
  return last === undefined ? [] : [Math.max(0, last.end - one.end)];
}

function delayOf(seconds: readonly number[]): Delay {
  const at = (share: number) => {
    const value = quantile(seconds, share);
    return Number.isFinite(value) ? value : null;
  };
  return { median: at(0.5), p90: at(0.9) };
}
