import {
  agreementSchema,
  type LabelAction,
  labelRecordingSchema,
  labelSessionSchema,
  labelSignalsSchema,
  labelsChangedSchema,
  labelsSchema,
  piecesSchema,
  queueSchema,
  recurrenceSchema,
  savedSchema,
} from '@adbreak/shared/contract/labelling.js';
import { z } from 'zod';

// The page's policy forbids code made of text, which zod would try for speed.
z.config({ jitless: true });

/** The server does not answer, or not yet: the same may be asked again. */
export class ServerGone extends Error {}
/** It runs, but knows this page no more: it was started anew, and has another token. */
export class ShutOut extends ServerGone {}
/** The server says no, and why: asking again helps nobody. */
export class Refused extends Error {}

const recordingsSchema = z.object({ recordings: z.array(labelRecordingSchema) });
export type Queue = z.infer<typeof queueSchema>;
const refusalSchema = z.object({ message: z.string(), remedy: z.string().optional() });

const PATIENCE_MS = 30_000;
/** An answer that is larger is not the server's. */
const LARGEST_BYTES = 256 * 1024 * 1024;
const PASSING = new Set([408, 425, 429]);

const address = (path: string): string => `/api/${path}`;
const query = (name: string, value: string): string => `?${name}=${encodeURIComponent(value)}`;

export const api = {
  session: () => asked('session', labelSessionSchema),
  recordings: async () => (await asked('recordings', recordingsSchema)).recordings,
  spots: async () => (await asked('spots', recurrenceSchema)).spots,
  queue: (labeller: string) => asked(`queue${query('labeller', labeller)}`, queueSchema),
  agreement: () => asked('agreement', agreementSchema),
  labels: (id: string, labeller: string) =>
    asked(`recordings/${id}/labels${query('labeller', labeller)}`, labelsSchema),
  signals: (id: string) => asked(`recordings/${id}/signals`, labelSignalsSchema),
  pieces: (id: string) => asked(`recordings/${id}/pieces`, piecesSchema),
  piece: (id: string, piece: number | 'init', signal: AbortSignal) =>
    bytes(`recordings/${id}/pieces/${piece}`, signal),
  frames: async (id: string) => doubles(await bytes(`recordings/${id}/frames`)),
  picture: (id: string, time: number, width: number) =>
    address(`recordings/${id}/picture?time=${time.toFixed(6)}&width=${width}`),
  post: (labeller: string, action: LabelAction) => asked('events', labelsChangedSchema, { labeller, action }),
  save: () => asked('save', savedSchema, {}),
  stream: () => new EventSource(address('stream')),
};

async function asked<T>(path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
  const answer = await got(path, body === undefined ? {} : posted(body));
  const parsed = schema.safeParse(await answer.json());
  if (parsed.success) return parsed.data;
  throw new Refused(`The server's answer to ${path} is not what this page knows. Load the page again.`);
}

async function bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const answer = await got(path, signal === undefined ? {} : { signal });
  return answer.arrayBuffer();
}

const posted = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function got(path: string, init: RequestInit): Promise<Response> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, patience]) : patience;
  const answer = await fetch(address(path), { ...init, signal }).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new ServerGone(`No answer to ${path}`, { cause: error });
  });
  if (Number(answer.headers.get('content-length') ?? 0) > LARGEST_BYTES)
    throw new Refused(`The answer to ${path} is too large.`);
  if (answer.ok) return answer;
  throw await failure(answer, path);
}

async function failure(answer: Response, path: string): Promise<Error> {
  if (answer.status === 401) return new ShutOut(`This page may not ask for ${path} any more`);
  const isPassing = answer.status >= 500 || PASSING.has(answer.status);
  return isPassing ? new ServerGone(`Status ${answer.status} for ${path}`) : refusal(answer);
}

async function refusal(answer: Response): Promise<Refused> {
  const said = refusalSchema.safeParse(await answer.json().catch(() => null));
  if (!said.success) return new Refused(`The server refused with status ${answer.status}.`);
  const { message, remedy } = said.data;
  return new Refused(remedy === undefined ? message : `${message} ${remedy}`);
}

/** Little-endian, as every browser's machine is today; read by hand all the same. */
function doubles(buffer: ArrayBuffer): Float64Array {
  const view = new DataView(buffer);
  const count = Math.floor(buffer.byteLength / 8);
  return Float64Array.from({ length: count }, (_, i) => view.getFloat64(i * 8, true));
}
