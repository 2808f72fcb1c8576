/** The part of a recording that the timeline shows, seconds, and how wide it is drawn, pixels. */
export interface View {
  readonly from: number;
  readonly to: number;
  readonly width: number;
  readonly duration: number;
}

/** The closest look, seconds across. */
const NARROWEST = 2;

export const xOf = (view: View, time: number): number =>
  ((time - view.from) / (view.to - view.from)) * view.width;
export const timeAt = (view: View, x: number): number =>
  view.from + (x / Math.max(1, view.width)) * (view.to - view.from);
export const secondsEachPixel = (view: View): number => (view.to - view.from) / Math.max(1, view.width);

export const fitted = (view: View): View => ({ ...view, from: 0, to: Math.max(view.duration, 0.001) });

/** A view of the same length that stays inside the recording. */
export function moved(view: View, from: number): View {
  const length = Math.min(view.to - view.from, Math.max(view.duration, 0.001));
  const inside = Math.min(Math.max(0, from), view.duration - length);
  return { ...view, from: inside, to: inside + length };
}

/** `factor` below 1 looks closer; what is at `about` stays where it is drawn. */
export function zoomed(view: View, factor: number, about: number): View {
  const length = view.to - view.from;
  const narrowest = Math.min(NARROWEST, view.duration);
  const wanted = Math.min(Math.max(length * factor, narrowest), Math.max(view.duration, 0.001));
  const share = (about - view.from) / length;
  return moved(
    { ...view, from: about - share * wanted, to: about + (1 - share) * wanted },
    about - share * wanted,
  );
}

/** The same view where a moment is in it; else one that has the moment at a fifth, so that what follows is seen. */
export function following(view: View, time: number): View {
  const length = view.to - view.from;
  const isInside = time >= view.from && time <= view.to - length * 0.04;
  return isInside ? view : moved(view, time - length * 0.2);
}

/** A view that shows a stretch with room around it; the same where it is in view and not tiny. */
export function showing(view: View, start: number, end: number): View {
  const share = (end - start) / (view.to - view.from);
  if (start >= view.from && end <= view.to && share > 0.04) return view;
  const length = Math.min(Math.max((end - start) * 3, 30), view.duration);
  const from = (start + end - length) / 2;
  return moved({ ...view, from, to: from + length }, from);
}

const STEPS = [0.04, 0.2, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const TICK_PIXELS = 84;

/** Moments for the ruler, at least `TICK_PIXELS` apart, at round times. */
export function ticksOf(view: View): { readonly step: number; readonly times: number[] } {
  const wanted = secondsEachPixel(view) * TICK_PIXELS;
  const step = STEPS.find((each) => each >= wanted) ?? 86_400;
  const first = Math.ceil(view.from / step);
  const count = Math.max(0, Math.floor(view.to / step) - first + 1);
  return { step, times: Array.from({ length: count }, (_, i) => (first + i) * step) };
}

/** The largest value under each pixel of the view, of values that stand `step` seconds apart from 0. */
export function peaksOf(view: View, values: readonly number[], step: number): Float32Array {
  const peaks = new Float32Array(Math.ceil(view.width));
  const each = secondsEachPixel(view);
  for (let x = 0; x < peaks.length; x++) {
    const first = Math.floor((view.from + x * each) / step);
    const last = Math.max(first, Math.floor((view.from + (x + 1) * each) / step - 1e-9));
    for (let i = Math.max(0, first); i <= last && i < values.length; i++)
      peaks[x] = Math.max(peaks[x] ?? 0, values[i] ?? 0);
  }
  return peaks;
}

/** Moments at which pictures of the filmstrip are taken: on a grid that depends on the zoom alone, so that they are met again. */
export function filmTimes(
  view: View,
  pictureWidth: number,
): { readonly step: number; readonly times: number[] } {
  const least = secondsEachPixel(view) * pictureWidth;
  const step = 2 ** Math.ceil(Math.log2(Math.max(least, 0.04)));
  const first = Math.floor(view.from / step);
  const last = Math.floor(Math.min(view.to, view.duration - 1e-6) / step);
  return { step, times: Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step) };
}
