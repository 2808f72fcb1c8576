import {
  type LabelSession,
  type Labels,
  labellerName,
  labelPostSchema,
  recordingId,
  type Saved,
} from '@adbreak/shared/contract/labelling.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import type { LabelBook } from './book.js';
import type { Desk } from './desk.js';
import type { Feed } from './feed.js';
import type { Media } from './media.js';

/** A spot of ten thousand airings. */
export const BODY_LIMIT = 2 * 1024 * 1024;
const WIDEST = 1920;
const byId = z.object({ id: recordingId });
const byPiece = z.object({ id: recordingId, n: z.coerce.number().int().min(0) });
const byLabeller = z.object({ labeller: labellerName });
const pictureQuery = z.object({
  time: z.coerce.number().min(0),
  width: z.coerce.number().int().min(16).max(WIDEST).default(WIDEST),
});
const streamQuery = z.object({ after: z.coerce.number().int().min(0).optional() });
/** Media of a recording are named by what is in it: they never change. */
const KEEP = 'private, max-age=86400, immutable';

export interface Served {
  readonly desk: Desk;
  readonly media: Media;
  readonly book: LabelBook;
  readonly feed: Feed;
  readonly session: () => LabelSession;
  readonly rescan: () => Promise<void>;
  readonly save: () => Promise<Saved>;
}

/** What the page asks for, as `shared/contract/labelling.ts` has it. */
export function addRoutes(app: FastifyInstance, served: Served): void {
  addLabelRoutes(app, served);
  addMediaRoutes(app, served.media);
  addStream(app, served);
}

function addLabelRoutes(app: FastifyInstance, { desk, book, session, rescan, save }: Served): void {
  app.get('/api/session', async () => session());
  app.get('/api/recordings', async () => {
    await rescan();
    return { recordings: desk.recordings() };
  });
  app.get('/api/recordings/:id/labels', async ({ params, query }): Promise<Labels> => {
    const { id } = check(byId, params, 'the recording');
    const { labeller } = check(byLabeller, query, 'the labeller');
    const [of] = book.changed(labeller, [id]).changed;
    return { sequence: book.labels.sequence, spans: of?.spans ?? [], ...book.next(labeller) };
  });
  app.get('/api/recordings/:id/signals', async ({ params }) =>
    desk.signals(check(byId, params, 'the recording').id),
  );
  app.get('/api/spots', async () => ({ spots: desk.spots() }));
  app.get('/api/queue', async ({ query }) => desk.queue(check(byLabeller, query, 'the labeller').labeller));
  app.get('/api/agreement', async () => desk.agreement());
  app.post('/api/events', async ({ body }) => book.post(check(labelPostSchema, body, 'the action')));
  app.post('/api/save', async () => save());
}

function addMediaRoutes(app: FastifyInstance, media: Media): void {
  app.get('/api/recordings/:id/frames', async ({ params }, reply) => {
    const { times } = await media.frames(check(byId, params, 'the recording').id);
    // Every machine that this runs on is little-endian.
    const bytes = Buffer.from(times.buffer, times.byteOffset, times.byteLength);
    return reply.type('application/octet-stream').header('cache-control', KEEP).send(bytes);
  });
  app.get('/api/recordings/:id/pieces', async ({ params }) =>
    media.pieces(check(byId, params, 'the recording').id),
  );
  app.get('/api/recordings/:id/pieces/init', async ({ params }, reply) => {
    const { id } = check(byId, params, 'the recording');
    return sendMedia(reply, 'video/mp4', (signal) => media.init(id, signal));
  });
  app.get('/api/recordings/:id/pieces/:n', async ({ params }, reply) => {
    const { id, n } = check(byPiece, params, 'the piece');
    return sendMedia(reply, 'video/mp4', (signal) => media.piece(id, n, signal));
  });
  app.get('/api/recordings/:id/picture', async ({ params, query }, reply) => {
    const { id } = check(byId, params, 'the recording');
    const { time, width } = check(pictureQuery, query, 'the picture');
    return sendMedia(reply, 'image/jpeg', (signal) => media.picture(id, time, width, signal));
  });
}

/** What is made for somebody who has left is not made to its end. */
async function sendMedia(
  reply: FastifyReply,
  type: string,
  make: (signal: AbortSignal) => Promise<Uint8Array>,
): Promise<FastifyReply> {
  const gone = new AbortController();
  const leave = () => gone.abort(new AdbreakError('timed_out', 'The page does not wait any more'));
  reply.raw.once('close', leave);
  try {
    const data = await make(gone.signal);
    return reply.type(type).header('cache-control', KEEP).send(Buffer.from(data));
  } finally {
    reply.raw.off('close', leave);
  }
}

function addStream(app: FastifyInstance, { book, feed }: Served): void {
  app.get('/api/stream', (request, reply) => {
    const { after } = check(streamQuery, request.query, 'the place in the stream');
    const last = check(
      z.coerce.number().int().min(0).optional(),
      request.headers['last-event-id'],
      'the id of the last event',
    );
    const from = last ?? after ?? book.labels.sequence;
    const missed = [...book.labels.changedSince(from)].map(([labeller, recordings]) =>
      book.changed(labeller, [...recordings]),
    );
    reply.hijack();
    feed.admit(reply.raw, request.ip, missed);
  });
}
