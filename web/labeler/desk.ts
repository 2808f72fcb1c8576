import type { LabelAction, LabelRecording, QueueItem, Spot } from '@adbreak/shared/contract/labelling.js';
import { batch, effect } from '@preact/signals';
import { api, ServerGone } from './api.js';
import { counted, formatClock, formatLength } from './clock.js';
import * as connection from './connection.js';
import type { Command } from './keys.js';
import { isAiring, spotAt } from './labels/airings.js';
import { type Border, borderFrom, borderNear, movedBorder } from './labels/borders.js';
import { type PaintEvent, paintStep } from './labels/painting.js';
import { spanAt } from './labels/spans.js';
import { newId } from './new-id.js';
import { frameAt, stepped } from './player/frames.js';
import { Player } from './player/player.js';
import * as state from './state.js';
import { fitted, following, showing, zoomed } from './timeline/view.js';

type Label = 'ad' | 'content';
interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** While it plays, the server hears of the growing label this often, milliseconds. */
const GROW_MS = 1000;
/** A recording that did not come is asked for again after, milliseconds. */
const AGAIN_MS = 2000;
const WORDS = { ad: 'ad', content: 'content' } as const;

/** What a person can do, from keys and buttons alike. */
export class Desk {
  readonly player: Player;

  constructor(video: HTMLVideoElement) {
    this.player = new Player(video, {
      pieces: api.pieces,
      frames: api.frames,
      fetchPiece: api.piece,
      pictureAddress: (id, time) => api.picture(id, time, 960),
      onTrouble: (error) => {
        // That the server is gone is said once, above.
        if (!(error instanceof ServerGone)) state.tell(`This place cannot be played: ${words(error)}`, true);
      },
      onEnd: () => this.#paint({ kind: 'stop', at: this.player.duration }),
    });
    setInterval(() => this.#grow(), GROW_MS);
    effect(() => {
      if (!this.player.isPlaying.value) this.#paint({ kind: 'stop', at: this.player.frameEnd });
    });
    effect(() => this.#dropStale());
    effect(() => {
      this.player.frame.value;
      if (this.player.isPlaying.value) state.view.value = following(state.view.peek(), this.player.time);
    });
  }

  async open(id: string, at = 0): Promise<void> {
    const recording = state.recordings.value.find((each) => each.id === id);
    if (recording === undefined) return;
    if (state.chosenId.value !== id) {
      this.#stopPainting();
      state.tell('');
      batch(() => {
        state.chosenId.value = id;
        this.choose(null);
        state.readyPieces.value = [];
        state.view.value = fitted({ ...state.view.peek(), duration: recording.duration });
      });
      if (recording.analysis === 'ready') void connection.readSignals(id);
      await this.#load(recording);
    }
    if (at > 0) this.seek(at);
  }

  /** Asks again while the server is gone, as for everything else. */
  async #load(recording: LabelRecording): Promise<void> {
    try {
      await this.player.open(recording);
      connection.readReadyPieces(recording.id);
    } catch (error) {
      if (state.chosenId.value !== recording.id) return;
      if (error instanceof ServerGone) setTimeout(() => this.#loadAgain(recording), AGAIN_MS);
      else state.tell(`${recording.name} cannot be played: ${words(error)}`, true);
    }
  }

  #loadAgain(recording: LabelRecording): void {
    if (state.chosenId.value === recording.id) void this.#load(recording);
  }

  /** Chooses a stretch, or nothing; an airing of a spot means all its airings until T says otherwise. */
  choose(selection: state.Selection | null): void {
    batch(() => {
      state.selection.value = selection;
      state.border.value = null;
      state.scope.value = selection?.spot ? 'all' : 'stretch';
    });
    if (selection?.spot) state.tell(spotWords(selection.spot));
  }

  /** After a new scan a chosen airing that is none any more means nothing. */
  #dropStale(): void {
    const spots = state.spots.value;
    const selection = state.selection.peek();
    const recording = state.chosenId.peek();
    if (!selection?.spot || recording === null || isAiring(spots, { recording, ...selection })) return;
    this.choose(null);
    state.tell('What was chosen is no airing of a spot any more, since recordings were compared anew.');
  }

  seek(time: number): void {
    this.#stopPainting();
    this.player.seek(time);
    state.view.value = following(state.view.peek(), this.player.time);
  }

  run(command: Command, digit = 0): void {
    this.#commands[command](digit);
  }

  readonly #commands: Record<Command, (digit: number) => void> = {
    ad: () => this.label('ad'),
    content: () => this.label('content'),
    remove: () => this.#remove(),
    undo: () => this.#back('undo'),
    redo: () => this.#back('redo'),
    save: () => void connection.save(),
    play: () => this.player.toggle(),
    'second-back': () => this.seek(Math.max(0, this.player.time - 1)),
    'second-forward': () => this.seek(this.player.time + 1),
    'cut-back': () => this.#toCut(-1),
    'cut-forward': () => this.#toCut(1),
    'frame-back': () => this.#frame(-1),
    'frame-forward': () => this.#frame(1),
    slower: () => this.player.changeSpeed(-1),
    faster: () => this.player.changeSpeed(1),
    next: () => void this.next(),
    'border-back': () => this.#toBorder(-1),
    'border-forward': () => this.#toBorder(1),
    'nudge-back': () => this.#nudge(-1),
    'nudge-forward': () => this.#nudge(1),
    spot: () => this.#chooseSpot(),
    scope: () => this.switchScope(),
    'zoom-in': () => this.#zoom(0.5),
    'zoom-out': () => this.#zoom(2),
    fit: () => {
      state.view.value = fitted(state.view.value);
    },
    recording: (digit) => this.#openNth(digit),
    help: () => {
      state.isHelpOpen.value = !state.isHelpOpen.value;
    },
    escape: () => this.#escape(),
  };

  label(label: Label): void {
    const id = state.chosenId.value;
    if (id === null) return;
    if (this.player.isPlaying.value) {
      this.#paint({ kind: 'label', label, recording: id, at: this.player.time, end: this.player.frameEnd });
      state.tell(`Labelling ${WORDS[label]} from ${formatClock(this.player.time)} on.`);
      return;
    }
    const spot = this.#meantSpot();
    if (spot) this.#labelSpot(spot, label);
    else this.#labelStretch(id, this.#meant(), label);
  }

  #labelSpot(spot: Spot, label: Label | null): void {
    this.#decided();
    const airings = spot.airings.map(({ recording, start, end }) => ({ recording, start, end }));
    connection.act({ kind: 'spot', id: newId(), spot: spot.id, label, airings });
    const what = label === null ? 'Label taken away' : `Labelled ${WORDS[label]}`;
    state.tell(`${what}: ${counted(airings.length, 'airing')} of spot ${state.spotName(spot)}.`);
  }

  #labelStretch(recording: string, stretch: Stretch | null, label: Label | null): void {
    if (stretch === null) {
      state.tell('Choose a stretch first: drag on the timeline, press N, or play and press A or C.');
      return;
    }
    const { start, end } = stretch;
    this.#decided();
    connection.act({ kind: 'paint', id: newId(), recording, start, end, label, how: 'key' });
    const what = label === null ? 'Label taken away' : `Labelled ${WORDS[label]}`;
    state.tell(`${what}: ${formatClock(start)} to ${formatClock(end)}, ${formatLength(end - start)}.`);
  }

  #decided(): void {
    state.decisions.value = [...state.decisions.value, performance.now() / 1000];
  }

  /** What a key is about while it stands: what is chosen, else the labelled stretch under the playhead. */
  #meant(): Stretch | null {
    return state.selection.value ?? spanAt(state.stretches.value, this.player.time);
  }

  #meantSpot(): Spot | null {
    if (state.scope.value !== 'all') return null;
    return state.selection.value?.spot ?? null;
  }

  #remove(): void {
    const id = state.chosenId.value;
    if (state.painting.value !== null) {
      this.#stopPainting();
      state.tell('Stopped labelling.');
    } else if (id !== null) {
      const spot = this.#meantSpot();
      if (spot) this.#labelSpot(spot, null);
      else this.#labelStretch(id, this.#meant(), null);
    }
  }

  #back(kind: 'undo' | 'redo'): void {
    this.#stopPainting();
    const what = kind === 'undo' ? state.undoable.value : state.redoable.value;
    connection.act({ kind, id: newId() });
    state.border.value = null;
    const verb = kind === 'undo' ? 'Undone' : 'Redone';
    state.tell(what === null ? `${verb}, if there was something.` : `${verb}: ${what}.`);
  }

  #frame(by: -1 | 1): void {
    this.player.pause();
    this.player.seekFrame(this.player.frame.value + by);
    state.view.value = following(state.view.peek(), this.player.time);
  }

  #toCut(by: -1 | 1): void {
    const cuts = state.chosenSignals.value?.cuts ?? [];
    const time = this.player.time;
    const cut =
      by === 1 ? cuts.find((each) => each > time + 0.001) : cuts.findLast((each) => each < time - 0.001);
    if (cut === undefined) state.tell(by === 1 ? 'No cut after this.' : 'No cut before this.');
    else this.seek(cut);
  }

  #toBorder(by: -1 | 1): void {
    const from = state.border.value?.time ?? this.player.time;
    const border = borderFrom(state.borders.value, from, by);
    if (border === null) state.tell(by === 1 ? 'No border after this.' : 'No border before this.');
    else this.chooseBorder(border);
  }

  chooseBorder(border: Border): void {
    this.player.pause();
    this.seek(border.time);
    batch(() => {
      state.selection.value = null;
      state.border.value = border;
    });
    state.tell(`Border at ${formatClock(border.time, 3)}: ${side(border.left)} to ${side(border.right)}.`);
  }

  #nudge(by: -1 | 1): void {
    const near = borderNear(state.borders.value, this.player.time, 0.5);
    const border = state.border.value ?? near;
    const recording = state.chosenId.value;
    if (border === null || recording === null) {
      state.tell('Choose a border first: J and K go to them.');
      return;
    }
    const to = stepped(this.player.times.value, border.time, by, this.player.duration);
    if (to === border.time) return;
    connection.act({ kind: 'paint', id: newId(), recording, how: 'nudge', ...movedBorder(border, to) });
    this.player.pause();
    this.seek(to);
    state.border.value = { ...border, time: to };
    state.tell(`Border moved to ${formatClock(to, 3)}.`);
  }

  #chooseSpot(): void {
    const time = this.player.time;
    const airing = state.airingsHere.value.find(({ start, end }) => time >= start - 0.001 && time < end);
    if (airing === undefined) state.tell('No spot is known here.');
    else this.choose({ start: airing.start, end: airing.end, spot: airing.spot });
  }

  switchScope(): void {
    const spot = state.selection.value?.spot ?? null;
    if (spot === null) {
      state.tell('T is for an airing of a spot: press P on one first.');
      return;
    }
    state.scope.value = state.scope.value === 'all' ? 'stretch' : 'all';
    state.tell(state.scope.value === 'all' ? spotWords(spot) : 'A, C and X mean this stretch alone.');
  }

  async next(): Promise<void> {
    if (state.queue.value === null) {
      state.tell('Still looking for doubtful places.');
      return;
    }
    const { items } = state.queue.value;
    // One that was settled is not in the list any more: then the best is the next.
    const at = items.findIndex((item) => state.isSameItem(item, state.queueItem.value));
    const item = items[at + 1] ?? items[0];
    if (item === undefined) state.tell('Nothing doubtful is left.');
    else await this.goToItem(item);
  }

  async goToItem(item: QueueItem): Promise<void> {
    state.queueItem.value = item;
    this.player.pause();
    await this.open(item.recording);
    this.seek(item.start);
    const spot = item.spot === null ? null : spotAt(state.spots.value, item.spot, item);
    this.choose({ start: item.start, end: item.end, spot });
    state.view.value = showing(state.view.peek(), item.start, item.end);
    if (spot === null) state.tell(`${formatClock(item.start)}: ${item.why}.`);
  }

  /** The last word where labellers do not agree. */
  settle(dispute: Stretch & { recording: string }, label: Label): void {
    const { recording, start, end } = dispute;
    connection.act({ kind: 'paint', id: newId(), recording, start, end, label, how: 'verdict' });
    state.tell(`Settled: ${WORDS[label]}, ${formatClock(start)} to ${formatClock(end)}.`);
  }

  #zoom(factor: number): void {
    const { from, to } = state.view.value;
    const isInView = this.player.time >= from && this.player.time <= to;
    state.view.value = zoomed(state.view.value, factor, isInView ? this.player.time : (from + to) / 2);
  }

  #openNth(digit: number): void {
    const recording = state.recordings.value[digit - 1];
    if (recording === undefined) state.tell(`There is no recording ${digit}.`);
    else void this.open(recording.id);
  }

  #escape(): void {
    if (state.painting.value !== null) this.#stopPainting();
    else this.choose(null);
    state.tell('');
  }

  #grow(): void {
    if (this.player.isPlaying.value) this.#paint({ kind: 'tick', at: this.player.time });
  }
  #stopPainting(): void {
    this.#paint({ kind: 'stop', at: this.player.isPlaying.peek() ? this.player.time : this.player.frameEnd });
  }
  #paint(event: PaintEvent): void {
    const { painting, actions } = paintStep(state.painting.peek(), event, newId);
    state.painting.value = painting;
    for (const action of actions satisfies LabelAction[]) connection.act(action);
  }

  /** Whether a moment is one that the player shows already. */
  isShown(time: number): boolean {
    return frameAt(this.player.times.value, time) === this.player.frame.value;
  }
}

const words = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const side = (label: Label | null): string => (label === null ? 'no label' : WORDS[label]);

function spotWords(spot: Spot): string {
  const places = new Set(spot.airings.map(({ recording }) => recording)).size;
  const where = places > 1 ? ` in ${places} recordings` : '';
  return `Spot ${state.spotName(spot)}: ${counted(spot.airings.length, 'airing')}${where}. A or C labels them all; T means this stretch alone.`;
}
