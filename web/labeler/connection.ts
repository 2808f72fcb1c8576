import {
  type LabelAction,
  type LabelsChanged,
  labelRecordingSchema,
  labelsChangedSchema,
  pieceMadeSchema,
  type Saved,
} from '@adbreak/shared/contract/labelling.js';
import { batch } from '@preact/signals';
import { pageStorage } from '../kit/storage.js';
import { api, Refused, ServerGone, ShutOut } from './api.js';
import { counted } from './clock.js';
import { browserKeep, Outbox, type Sent, type Waiting } from './labels/outbox.js';
import * as state from './state.js';

/** Everything that comes from the server and goes there, but what the player plays. */

const AGAIN_MS = 2000;
const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

const outbox = new Outbox<LabelsChanged>({
  keep: browserKeep(pageStorage, Date.now),
  sleep,
  send,
  onDone: (answer, waiting) =>
    batch(() => {
      waits(waiting);
      take(answer);
    }),
  onWaiting: waits,
  onUnkept: () => {
    state.isUnkept.value = true;
  },
  onRefused: (_, why) => state.tell(`Not taken: ${why}`, true),
  onReach: (isThere) => {
    state.isReachable.value = isThere;
  },
});

async function send({ labeller, action }: Waiting): Promise<Sent<LabelsChanged>> {
  try {
    return { kind: 'done', answer: await api.post(labeller, action) };
  } catch (error) {
    if (error instanceof ServerGone) return gone(error);
    return { kind: 'refused', why: error instanceof Error ? error.message : String(error) };
  }
}

function waits(waiting: readonly Waiting[]): void {
  state.waiting.value = waiting;
  if (waiting.length === 0) state.isUnkept.value = false;
}

function gone(error: ServerGone): { kind: 'gone' } {
  state.isShutOut.value = error instanceof ShutOut;
  return { kind: 'gone' };
}

/** What was done before it was said by whom. */
let nameless: LabelAction[] = [];

/** Without a name there is nobody whose label it is: asks, and sends it then. */
export function act(action: LabelAction): void {
  if (state.labeller.value === '') {
    nameless.push(action);
    state.asksName.value = true;
    return;
  }
  outbox.add({ labeller: state.labeller.value, action });
}

/** What stands, from an answer or from the stream; what is older than what is known changes nothing. */
function take({ sequence, labeller, changed, undo, redo }: LabelsChanged): void {
  if (labeller !== state.labeller.value) {
    changedElsewhere();
    return;
  }
  const newer = changed.filter(
    ({ recording }) => sequence >= (state.standing.value[recording]?.sequence ?? 0),
  );
  const entries = newer.map(({ recording, spans }) => [recording, { sequence, spans }] as const);
  state.standing.value = { ...state.standing.value, ...Object.fromEntries(entries) };
  state.undoable.value = undo;
  state.redoable.value = redo;
  changedElsewhere();
}

/** Asks, and asks again while the server is gone; null where it refused, which is told. */
async function insistently<T>(ask: () => Promise<T>): Promise<T | null> {
  for (;;) {
    try {
      const answer = await ask();
      state.isReachable.value = true;
      return answer;
    } catch (error) {
      if (!(error instanceof ServerGone)) {
        state.tell(error instanceof Error ? error.message : String(error), true);
        return null;
      }
      gone(error);
      state.isReachable.value = false;
      if (state.phase.value === 'loading') state.phase.value = 'unreachable';
      await sleep(AGAIN_MS);
    }
  }
}

export async function connect(): Promise<void> {
  const session = await insistently(api.session);
  const recordings = await insistently(api.recordings);
  batch(() => {
    state.session.value = session;
    state.recordings.value = recordings ?? [];
    state.phase.value = 'ready';
  });
  await readSpots();
  listen();
}

/** After the name is known: what this person did so far, and what comes next. */
export async function enter(name: string): Promise<void> {
  state.labeller.value = name;
  state.standing.value = {};
  outbox.start();
  const held = nameless;
  nameless = [];
  for (const action of held) act(action);
  await Promise.all([readAllLabels(), readQueue(), readAgreement()]);
}

export const readAllLabels = () => Promise.all(state.recordings.value.map(({ id }) => readLabels(id)));

async function readLabels(id: string): Promise<void> {
  const name = state.labeller.value;
  if (name === '') return;
  const labels = await insistently(() => api.labels(id, name));
  const known = state.standing.value[id]?.sequence ?? 0;
  if (labels === null || name !== state.labeller.value || labels.sequence < known) return;
  batch(() => {
    state.standing.value = { ...state.standing.value, [id]: labels };
    state.undoable.value = labels.undo;
    state.redoable.value = labels.redo;
  });
}

export async function readSignals(id: string): Promise<void> {
  const signals = await insistently(() => api.signals(id));
  if (signals !== null) state.signals.value = { ...state.signals.value, [id]: signals };
}

/** Pieces come several a second: the list is read once for many. */
const PIECES_MS = 800;
let piecesTimer = 0;
export function readReadyPieces(id: string): void {
  clearTimeout(piecesTimer);
  piecesTimer = window.setTimeout(() => void readPieces(id), PIECES_MS);
}

async function readPieces(id: string): Promise<void> {
  const pieces = await insistently(() => api.pieces(id));
  const duration = state.recordings.value.find((each) => each.id === id)?.duration ?? 0;
  if (pieces === null || id !== state.chosenId.value) return;
  state.readyPieces.value = pieces.ready.map((n) => [
    pieces.starts[n] ?? 0,
    pieces.starts[n + 1] ?? duration,
  ]);
}

export async function readQueue(): Promise<void> {
  const name = state.labeller.value;
  if (name !== '') state.queue.value = (await insistently(() => api.queue(name))) ?? state.queue.value;
}
export async function readAgreement(): Promise<void> {
  state.agreement.value = (await insistently(api.agreement)) ?? state.agreement.value;
}

/** Order and agreement follow the labels after a moment, once for many keys. */
const SETTLE_MS = 1500;
let settling = 0;
function changedElsewhere(): void {
  clearTimeout(settling);
  settling = window.setTimeout(() => void Promise.all([readQueue(), readAgreement()]), SETTLE_MS);
}

export async function save(): Promise<void> {
  try {
    const saved = await api.save();
    state.tell(savedWords(saved), saved.leftOut.length > 0);
  } catch (error) {
    const why = error instanceof Refused ? error.message : 'the server does not answer. Press S again later.';
    state.tell(`Not saved: ${why}`, true);
  }
}

function savedWords({ files, leftOut }: Saved): string {
  const where = state.session.value?.outputDir ?? 'the output folder';
  const without = leftOut.length === 0 ? '' : ` Left out: ${leftOut.join('; ')}.`;
  return `Saved: ${counted(files.length, 'file')} in ${where}.${without}`;
}

function listen(): void {
  const stream = api.stream();
  stream.addEventListener('open', () => {
    state.isReachable.value = true;
    // What happened while the line was down is not sent again.
    void Promise.all([readAllLabels(), readQueue(), readRecordings()]);
  });
  stream.addEventListener('error', () => {
    state.isReachable.value = false;
    if (stream.readyState === EventSource.CLOSED) void listenAgain();
  });
  stream.addEventListener('labels', ({ data }) => {
    const changed = labelsChangedSchema.safeParse(JSON.parse(data));
    if (changed.success) batch(() => take(changed.data));
  });
  stream.addEventListener('recording', ({ data }) => {
    const parsed = labelRecordingSchema.safeParse(JSON.parse(data));
    if (parsed.success) takeRecording(parsed.data);
  });
  stream.addEventListener('piece', ({ data }) => {
    const parsed = pieceMadeSchema.safeParse(JSON.parse(data));
    if (parsed.success && parsed.data.recording === state.chosenId.value)
      readReadyPieces(parsed.data.recording);
  });
  stream.addEventListener('spots', () => void Promise.all([readSession(), readSpots(), readQueue()]));
}

/** A stream says not why it was refused; another address does. */
async function listenAgain(): Promise<void> {
  await sleep(AGAIN_MS);
  await readSession();
  listen();
}

async function readSession(): Promise<void> {
  state.session.value = (await insistently(api.session)) ?? state.session.value;
}
async function readSpots(): Promise<void> {
  state.spots.value = (await insistently(api.spots)) ?? state.spots.value;
}
async function readRecordings(): Promise<void> {
  state.recordings.value = (await insistently(api.recordings)) ?? state.recordings.value;
}

function takeRecording(recording: (typeof state.recordings.value)[number]): void {
  const known = state.recordings.value.find(({ id }) => id === recording.id);
  const others = state.recordings.value.filter(({ id }) => id !== recording.id);
  state.recordings.value = known
    ? state.recordings.value.map((each) => (each === known ? recording : each))
    : [...others, recording].toSorted((a, b) => a.name.localeCompare(b.name));
  if (known === undefined) void readLabels(recording.id);
  const isNews = recording.analysis === 'ready' && known?.analysis !== 'ready';
  if (isNews) void readKnowledge(recording.id);
}

/** An analysis that ended brings signals, spots and another order. */
async function readKnowledge(id: string): Promise<void> {
  if (id === state.chosenId.value) await readSignals(id);
  await Promise.all([readSpots(), readQueue()]);
}
