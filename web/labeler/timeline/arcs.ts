import { type View, xOf } from './view.js';

/** One airing of a spot in the recording that is shown, seconds. */
export interface Airing {
  readonly spot: { readonly id: string };
  readonly start: number;
  readonly end: number;
}
/** From one airing to the next of the same spot; pixels. */
export interface Arc {
  readonly spot: string;
  readonly from: number;
  readonly to: number;
  readonly height: number;
}

/** More arcs than these are no drawing; then those of the chosen spot alone are shown. */
const MOST = 120;

/** Arcs that touch the view, of airings in order. Wide ones rise higher, up to `room` pixels. */
export function arcsOf(view: View, airings: readonly Airing[], chosen: string | null, room: number): Arc[] {
  const all = [...bySpot(airings)].flatMap(([spot, list]) =>
    list.slice(1).map((airing, i) => arc(view, spot, list[i] ?? airing, airing, room)),
  );
  const visible = all.filter(({ from, to }) => to >= 0 && from <= view.width);
  return visible.length <= MOST ? visible : visible.filter(({ spot }) => spot === chosen);
}

function arc(view: View, spot: string, a: Airing, b: Airing, room: number): Arc {
  const from = xOf(view, (a.start + a.end) / 2);
  const to = xOf(view, (b.start + b.end) / 2);
  return { spot, from, to, height: Math.min(room, 8 + Math.sqrt(Math.max(0, to - from)) * 1.4) };
}

function bySpot(airings: readonly Airing[]): Map<string, Airing[]> {
  const spots = new Map<string, Airing[]>();
  for (const airing of airings) {
    const list = spots.get(airing.spot.id);
    if (list) list.push(airing);
    else spots.set(airing.spot.id, [airing]);
  }
  return spots;
}
