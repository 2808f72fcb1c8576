import type {
  Agreement,
  LabelRecording,
  LabelSession,
  LabelSignals,
  Labels,
  QueueItem,
  Spot,
} from '@adbreak/shared/contract/labelling.js';
import { computed, signal } from '@preact/signals';
import type { Queue } from './api.js';
import { spotNames } from './labels/airings.js';
import { type Border, bordersOf } from './labels/borders.js';
import type { Waiting } from './labels/outbox.js';
import type { Painting } from './labels/painting.js';
import { stretchesOf, withPending } from './labels/spans.js';
import type { View } from './timeline/view.js';

/** What the page knows. What it shows follows from this; who changes it is in desk.ts and connection.ts. */

export interface Selection {
  readonly start: number;
  readonly end: number;
  /** The spot of which this is an airing, as it was shown when it was chosen: a key means these airings. */
  readonly spot: Spot | null;
}
export interface Note {
  readonly text: string;
  readonly isTrouble: boolean;
}
export type Standing = Pick<Labels, 'sequence' | 'spans'>;

export const phase = signal<'loading' | 'ready' | 'unreachable'>('loading');
export const isReachable = signal(true);
/** Where it is not reachable: it runs, but does not let this page in. */
export const isShutOut = signal(false);
/** What waits is kept in this page alone: the browser's storage is full or forbidden. */
export const isUnkept = signal(false);
/** The dialog that asks who labels is open. */
export const asksName = signal(false);
export const session = signal<LabelSession | null>(null);
export const labeller = signal<string>('');
export const recordings = signal<readonly LabelRecording[]>([]);
export const chosenId = signal<string | null>(null);
export const standing = signal<Readonly<Record<string, Standing>>>({});
export const waiting = signal<readonly Waiting[]>([]);
export const undoable = signal<string | null>(null);
export const redoable = signal<string | null>(null);
export const signals = signal<Readonly<Record<string, LabelSignals>>>({});
export const readyPieces = signal<readonly [number, number][]>([]);
export const spots = signal<readonly Spot[]>([]);
export const queue = signal<Queue | null>(null);
/** The doubtful place that was gone to last; the list may have changed since. */
export const queueItem = signal<QueueItem | null>(null);
export const isSameItem = (a: QueueItem, b: QueueItem | null): boolean =>
  a.recording === b?.recording && a.start === b.start;
export const agreement = signal<Agreement | null>(null);

/** When this person decided something, seconds, for the pace. */
export const decisions = signal<readonly number[]>([]);

export const selection = signal<Selection | null>(null);
export const scope = signal<'stretch' | 'all'>('stretch');
export const border = signal<Border | null>(null);
export const painting = signal<Painting | null>(null);
export const note = signal<Note>({ text: '', isTrouble: false });
export const isHelpOpen = signal(false);
export const areKeysOn = signal(true);
export const view = signal<View>({ from: 0, to: 1, width: 1, duration: 1 });

export const recording = computed(() => recordings.value.find(({ id }) => id === chosenId.value) ?? null);
export const shownSpans = computed(() => {
  const id = chosenId.value;
  if (id === null) return [];
  const actions = waiting.value.filter((each) => each.labeller === labeller.value);
  return withPending(
    standing.value[id]?.spans ?? [],
    actions.map(({ action }) => action),
    id,
  );
});
export const stretches = computed(() => stretchesOf(shownSpans.value));
export const borders = computed(() => bordersOf(stretches.value));
export const chosenSignals = computed(() => signals.value[chosenId.value ?? ''] ?? null);
/** Airings of spots in the chosen recording, in order. */
export const airingsHere = computed(() =>
  spots.value
    .flatMap((spot) =>
      spot.airings
        .filter((airing) => airing.recording === chosenId.value)
        .map(({ start, end }) => ({ spot, name: spotName(spot), start, end })),
    )
    .sort((a, b) => a.start - b.start),
);
export type AiringHere = (typeof airingsHere.value)[number];
const names = computed(() =>
  spotNames(
    spots.value,
    recordings.value.map(({ id }) => id),
  ),
);
/** What a spot is called on the page; without a number where a new scan does not know it any more. */
export const spotName = ({ id }: Pick<Spot, 'id'>): string => names.value.get(id) ?? 'of before';

/** A note goes by itself, when it can be thought to have been read, milliseconds; trouble stays. */
const NOTE_MS = 7000;
let noteTimer = 0;

export function tell(text: string, isTrouble = false): void {
  clearTimeout(noteTimer);
  note.value = { text, isTrouble };
  if (isTrouble || text === '') return;
  noteTimer = window.setTimeout(() => {
    note.value = { text: '', isTrouble: false };
  }, NOTE_MS);
}
