import { seeded } from '@adbreak/shared/random.js';
import type { Truth } from '../recurrence/truth.js';
import { FPS, type Recording } from '../recurrence/world/cue.js';

/** Labels are held in steps of a quarter of a second. */
export const STEPS = 4;
export const NONE = 0;
export const CONTENT = 1;
export const AD = 2;

/** A recording that is to be labelled. */
export interface Reel {
  readonly file: string;
  readonly truth: Uint8Array;
  /** Black between spots, seconds. */
  readonly black: readonly (readonly [number, number])[];
  /** p(ad), one for each step. */
  readonly model: Float32Array;
}

/** How often a network that knows the channel is wrong about a frame (docs/detect.md), by takes and not by frames. */
const WRONG = 0.12;
/**
 * Steps of one take: what a network thinks of it, it thinks of all of it, each time that it airs. With these hindsight
 * is right as often as docs/detect.md has it (95 %).
 */
const TAKE = 2.5 * STEPS;

/** What was on, what is black, and what a network might say. Breaks are ads, but for what the channel says of itself. */
export function reels(recordings: readonly Recording[], truth: Truth): Reel[] {
  return recordings.map((recording, i) => {
    const { file = '', duration = 0, breaks = [] } = truth.recordings[i] ?? {};
    const labels = new Uint8Array(Math.floor(duration * STEPS)).fill(CONTENT);
    for (const [start, end] of breaks) paint(labels, { start, end }, AD);
    for (const { class: of, airings } of truth.items)
      if (of === 'trailer' || of === 'ident')
        for (const airing of airings) if (airing.recording === file) paint(labels, airing, CONTENT);
    return { file, truth: labels, black: blackOf(recording), model: guesses(recording, labels) };
  });
}

export function paint(
  labels: Uint8Array,
  { start, end }: { start: number; end: number },
  label: number,
): void {
  labels.fill(label, Math.round(start * STEPS), Math.round(end * STEPS));
}

function blackOf({ cues }: Recording): [number, number][] {
  const black: [number, number][] = [];
  let at = 0;
  for (const { item, frames } of cues) {
    if (item.kind === 'black') black.push([at / FPS, (at + frames) / FPS]);
    at += frames;
  }
  return black;
}

/** Right or wrong by takes of what is shown: a network is wrong about a spot in the same places whenever it airs. */
function guesses({ cues }: Recording, truth: Uint8Array): Float32Array {
  const p = new Float32Array(truth.length);
  let at = 0;
  for (const { item, first, frames } of cues) {
    for (let frame = 0; frame < frames; frame++) {
      const step = Math.floor(((at + frame) * STEPS) / FPS);
      const take = Math.floor(((first + frame) * STEPS) / FPS / TAKE);
      if (step >= p.length || (p[step] ?? 0) > 0) continue;
      const random = seeded(`guess/${item.kind}/${item.seed}/${take}`);
      const isRight = random.uniform() >= WRONG;
      const sure = 1 / (1 + Math.exp(-Math.max(0, 1.8 + random.normal())));
      p[step] = (truth[step] === AD) === isRight ? sure : 1 - sure;
    }
    at += frames;
  }
  return p;
}

/** Steps to both sides that hindsight takes into account. */
const REACH = 5 * STEPS;
/** Labels as a decision in hindsight gives them: by the mean of log odds around. */
export function hindsight({ model }: Reel): Uint8Array {
  const odds = [...model].map((p) => Math.log(Math.max(p, 1e-3) / Math.max(1 - p, 1e-3)));
  return Uint8Array.from(odds, (_, i) => {
    const around = odds.slice(Math.max(0, i - REACH), i + REACH + 1);
    return around.reduce((sum, value) => sum + value, 0) > 0 ? AD : CONTENT;
  });
}
