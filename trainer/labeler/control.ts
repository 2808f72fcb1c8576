import { seeded } from '@adbreak/shared/random.js';
import { labelOf, type Span } from '@adbreak/shared/video/labels.js';
import { agreedOf } from './final.js';
import type { StandingSpan } from './layers.js';

/** Of what others labelled, this share comes to a labeller among their own items. */
const SHARE = 0.1;
/** Shorter ones are corrections of borders. Seconds. */
const SHORTEST = 2;
/** A stretch is answered when so much of it has one label. */
const ANSWERED = 0.5;

export interface Control {
  readonly recording: string;
  readonly start: number;
  readonly end: number;
  /** What the others say together. */
  readonly truth: Span['label'];
  readonly answer: Span['label'] | null;
}

/**
 * The hidden control items of a labeller: stretches that others labelled, drawn by the actions that they came from, so that
 * the same ones stay drawn. In the labeller's own pass nothing is there yet, so nothing tells them from other items.
 */
export function controlsFor(
  labeller: string,
  recordings: ReadonlyMap<string, ReadonlyMap<string, readonly StandingSpan[]>>,
  seed: string,
): Control[] {
  return [...recordings].flatMap(([recording, passes]) => {
    const own = passes.get(labeller) ?? [];
    const others = new Map([...passes].filter(([name]) => name !== labeller));
    const agreed = agreedOf(others).spans;
    const drawn = [...others.values()]
      .flat()
      .filter((span) => isDrawn(span, `${seed}/${labeller}/${recording}`));
    return drawn.flatMap(({ start, end }) => {
      const truth = labelOf(agreed, start, end);
      return truth === null
        ? []
        : [{ recording, start, end, truth, answer: labelOf(own, start, end, ANSWERED) }];
    });
  });
}

function isDrawn({ start, end, action }: StandingSpan, seed: string): boolean {
  return end - start >= SHORTEST && seeded(`${seed}/${action}`).uniform() < SHARE;
}
