import type { LabelAction, LabelledSpan } from '@adbreak/shared/contract/labelling.js';
import { type Entry, entryOf, layersIn, layersUntil, type Step } from './entries.js';
import { painted, replaceWithin, type StandingSpan, seenWithin, type Window } from './layers.js';

/** One line of the log: who did what when. */
export interface LabelEvent {
  /** From 1, without a gap. */
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  readonly labeller: string;
  readonly action: LabelAction;
}
interface Pass {
  readonly entries: Map<string, Entry>;
  /** Ids of what stands, and of what was taken back; the newest last. */
  done: string[];
  undone: string[];
  /** By recording: the entries that touch it, in order, and what is seen of them. */
  readonly touching: Map<string, Entry[]>;
  readonly seen: Map<string, readonly StandingSpan[]>;
}

/**
 * The labels of everybody, folded out of the events one by one. Each labeller has a pass of their own. An event costs by
 * what it touches; those that mean nothing (an undo of nothing) change nothing, so that any log can be read.
 */
export class Labels {
  readonly #passes = new Map<string, Pass>();
  /** By action: the recordings that it changed. */
  readonly #taken = new Map<string, readonly string[]>();
  readonly #history: { labeller: string; sequence: number; recordings: readonly string[] }[] = [];
  #sequence = 0;

  get sequence(): number {
    return this.#sequence;
  }

  get labellers(): string[] {
    return [...this.#passes.keys()];
  }

  /** Whether an action was taken already, and which recordings it changed. */
  taken(id: string): readonly string[] | undefined {
    return this.#taken.get(id);
  }

  /** The action that an id names, where this labeller's stands or was taken back. */
  stepOf(labeller: string, id: string): { readonly step: Step; readonly stands: boolean } | undefined {
    return this.#passes.get(labeller)?.entries.get(id);
  }

  /** Where a stretch ends that may have been extended. */
  endOf(step: Step & { readonly kind: 'paint' }): number {
    for (const { entries } of this.#passes.values()) {
      const entry = entries.get(step.id);
      if (entry !== undefined) return entry.end ?? step.end;
    }
    return step.end;
  }

  /** What U and its opposite would mean now. */
  next(labeller: string): { readonly undo: Step | null; readonly redo: Step | null } {
    const pass = this.#passes.get(labeller);
    const of = (id: string | undefined) => (id === undefined ? null : (pass?.entries.get(id)?.step ?? null));
    return { undo: of(pass?.done.at(-1)), redo: of(pass?.undone.at(-1)) };
  }

  spans(labeller: string, recording: string): readonly StandingSpan[] {
    return this.#passes.get(labeller)?.seen.get(recording) ?? [];
  }

  /** Of all labellers with a label in it. */
  passesOver(recording: string): ReadonlyMap<string, readonly StandingSpan[]> {
    const own = [...this.#passes].map(([name, { seen }]) => [name, seen.get(recording) ?? []] as const);
    return new Map(own.filter(([, spans]) => spans.length > 0));
  }

  /** Which recordings of which labeller events after this one changed, by labeller. */
  changedSince(sequence: number): ReadonlyMap<string, ReadonlySet<string>> {
    const changed = new Map<string, Set<string>>();
    for (const { labeller, sequence: own, recordings } of this.#history.slice(Math.max(0, sequence))) {
      if (own <= sequence) continue;
      const set = changed.get(labeller) ?? new Set();
      for (const recording of recordings) set.add(recording);
      changed.set(labeller, set);
    }
    return changed;
  }

  /** Takes an event in, once; gives the recordings in which something else is seen now. */
  apply({ sequence, labeller, action }: LabelEvent): readonly string[] {
    const pass = this.#passOf(labeller);
    const isNew = !this.#taken.has(action.id);
    const changed = isNew ? change(pass, action, sequence) : [];
    this.#sequence = sequence;
    if (isNew) this.#taken.set(action.id, changed);
    this.#history.push({ labeller, sequence, recordings: changed });
    return changed;
  }

  #passOf(labeller: string): Pass {
    const known = this.#passes.get(labeller);
    if (known !== undefined) return known;
    const pass: Pass = { entries: new Map(), done: [], undone: [], touching: new Map(), seen: new Map() };
    this.#passes.set(labeller, pass);
    return pass;
  }
}

function change(pass: Pass, action: LabelAction, sequence: number): readonly string[] {
  switch (action.kind) {
    case 'paint':
    case 'spot':
      return add(pass, action, sequence);
    case 'extend':
      return extend(pass, action.of, action.end);
    case 'undo':
      return undo(pass, action.of ?? pass.done.at(-1));
    case 'redo':
      return redo(pass);
  }
}

function add(pass: Pass, step: Step, sequence: number): readonly string[] {
  const entry = entryOf(step, sequence);
  pass.entries.set(step.id, entry);
  pass.done.push(step.id);
  // What was taken back before is not on the way of a new step any more.
  pass.undone = [];
  for (const [recording, layers] of entry.layers) {
    listOf(pass.touching, recording).push(entry);
    pass.seen.set(recording, painted(pass.seen.get(recording) ?? [], layers));
  }
  return [...entry.layers.keys()];
}

/** Its end moves, and only what it covers or covered is looked at again. */
function extend(pass: Pass, id: string, end: number): readonly string[] {
  const entry = pass.entries.get(id);
  if (entry?.step.kind !== 'paint') return [];
  const { start, recording } = entry.step;
  const before = entry.end ?? entry.step.end;
  const after = Math.max(start, end);
  entry.end = after;
  entry.layers = layersUntil(entry.step, entry.sequence, after);
  if (!entry.stands) return [];
  if (after > before && pass.touching.get(recording)?.at(-1) === entry) {
    // On top of all, as while it plays: nothing below has to be looked at.
    const grown = (entry.layers.get(recording) ?? []).map((layer) => ({
      ...layer,
      start: Math.max(start, before),
    }));
    pass.seen.set(recording, painted(pass.seen.get(recording) ?? [], grown));
  } else repaint(pass, recording, [{ start: Math.min(before, after), end: Math.max(before, after) }]);
  return [recording];
}

function undo(pass: Pass, id: string | undefined): readonly string[] {
  const entry = id === undefined ? undefined : pass.entries.get(id);
  if (id === undefined || !entry?.stands) return [];
  pass.done = pass.done.filter((one) => one !== id);
  pass.undone.push(id);
  return turn(pass, entry, false);
}

function redo(pass: Pass): readonly string[] {
  const id = pass.undone.pop();
  const entry = id === undefined ? undefined : pass.entries.get(id);
  if (id === undefined || entry === undefined) return [];
  pass.done.push(id);
  return turn(pass, entry, true);
}

function turn(pass: Pass, entry: Entry, stands: boolean): readonly string[] {
  entry.stands = stands;
  for (const [recording, layers] of entry.layers) repaint(pass, recording, layers);
  return [...entry.layers.keys()];
}

function listOf(touching: Map<string, Entry[]>, recording: string): Entry[] {
  const known = touching.get(recording) ?? [];
  touching.set(recording, known);
  return known;
}

/** Looks again at windows, which are in order and apart. */
function repaint(pass: Pass, recording: string, windows: readonly Window[]): void {
  const layers = layersIn(windows, pass.touching.get(recording) ?? [], recording);
  const insides = windows.map((window, i) => seenWithin(layers[i] ?? [], window));
  pass.seen.set(recording, replaceWithin(pass.seen.get(recording) ?? [], windows, insides));
}

/** As the page gets them. */
export function spansForPage(spans: readonly StandingSpan[]): LabelledSpan[] {
  return spans.map(({ sequence: _, ...span }) => span);
}
