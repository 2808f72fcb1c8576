import { SAME, type ShownSpan } from './spans.js';

/** Where labels change, and which label is on either side; null for none. */
export interface Border {
  readonly time: number;
  readonly left: 'ad' | 'content' | null;
  readonly right: 'ad' | 'content' | null;
}
/** What has to be painted so that a border moves. */
export interface Repaint {
  readonly start: number;
  readonly end: number;
  readonly label: 'ad' | 'content' | null;
}

/** Borders of stretches (as `stretchesOf` gives them), in order. */
export function bordersOf(stretches: readonly ShownSpan[]): Border[] {
  return stretches.flatMap((span, i) => {
    const before = stretches[i - 1];
    const after = stretches[i + 1];
    const touchesBefore = before !== undefined && Math.abs(before.end - span.start) < SAME;
    const touchesAfter = after !== undefined && Math.abs(after.start - span.end) < SAME;
    const start: Border = {
      time: span.start,
      left: touchesBefore ? before.label : null,
      right: span.label,
    };
    return touchesAfter ? [start] : [start, { time: span.end, left: span.label, right: null }];
  });
}

export function borderFrom(borders: readonly Border[], time: number, by: -1 | 1): Border | null {
  if (by === 1) return borders.find((border) => border.time > time + SAME) ?? null;
  return borders.findLast((border) => border.time < time - SAME) ?? null;
}

/** The border nearest to a moment, where one is within `reach` seconds. */
export function borderNear(borders: readonly Border[], time: number, reach: number): Border | null {
  const near = borders.filter((border) => Math.abs(border.time - time) <= reach);
  return near.toSorted((a, b) => Math.abs(a.time - time) - Math.abs(b.time - time))[0] ?? null;
}

/** What is left of a border takes over what it passes when it moves right, and the other way round. */
export function movedBorder(border: Border, to: number): Repaint {
  if (to > border.time) return { start: border.time, end: to, label: border.left };
  return { start: to, end: border.time, label: border.right };
}
