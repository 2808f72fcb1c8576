import type { LabelAction } from '@adbreak/shared/contract/labelling.js';
import { eachOverlap, type Layer, type Window } from './layers.js';

/** An action that labels something, as it stands now. */
export type Step = Exclude<LabelAction, { kind: 'undo' | 'redo' | 'extend' }>;

/** A step of a pass. */
export interface Entry {
  readonly step: Step;
  readonly sequence: number;
  /** Where it was extended to; a spot never is. */
  end: number | null;
  stands: boolean;
  /** What it paints, by recording, in order and apart: made once, as a spot has thousands of airings. */
  layers: ReadonlyMap<string, readonly Layer[]>;
}

export function entryOf(step: Step, sequence: number): Entry {
  return { step, sequence, end: null, stands: true, layers: layersOf(step, sequence) };
}

/** What it paints when it ends elsewhere. */
export function layersUntil(
  step: Step & { readonly kind: 'paint' },
  sequence: number,
  end: number,
): Entry['layers'] {
  return layersOf({ ...step, end }, sequence);
}

function layersOf(step: Step, sequence: number): ReadonlyMap<string, readonly Layer[]> {
  const common = { label: step.label, action: step.id, sequence };
  if (step.kind === 'paint') {
    const { recording, start, end, how } = step;
    return new Map([[recording, apart([{ ...common, start, end, how }])]]);
  }
  const layers = new Map<string, Layer[]>();
  for (const { recording, start, end } of step.airings) {
    const own = layers.get(recording) ?? [];
    own.push({ ...common, start, end, how: 'spot', spot: step.spot });
    layers.set(recording, own);
  }
  return new Map([...layers].map(([recording, own]) => [recording, apart(own)]));
}

/** Of one action, so that where two lie over each other they are one. */
function apart(layers: readonly Layer[]): Layer[] {
  const whole: Layer[] = [];
  for (const layer of layers.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start)) {
    const last = whole.at(-1);
    if (last === undefined || last.end < layer.start) whole.push(layer);
    else whole[whole.length - 1] = { ...last, end: Math.max(last.end, layer.end) };
  }
  return whole;
}

/** By window, which are in order and apart: the layers in a recording that touch it, lowest first. */
export function layersIn(
  windows: readonly Window[],
  entries: readonly Entry[],
  recording: string,
): readonly (readonly Layer[])[] {
  const inside = windows.map((): Layer[] => []);
  for (const { stands, layers } of entries)
    if (stands) eachOverlap(windows, layers.get(recording) ?? [], (i, layer) => inside[i]?.push(layer));
  return inside;
}
