import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Agreement,
  type LabelAction,
  type LabelledSpan,
  type LabelRecording,
  type LabelSignals,
  labelPostSchema,
  type QueueItem,
  type Spot,
} from '@adbreak/shared/contract/labelling.js';
import { type Media, pictureOf } from './media.js';

/** Answers as `adbreak label` does, with what a test says and in memory: for what a page does when things go wrong. */
export interface Told {
  recordings: LabelRecording[];
  media: Record<string, Media>;
  signals: Record<string, LabelSignals>;
  spots: Spot[];
  queue: QueueItem[];
  agreement: Agreement;
  hasModel: boolean;
}
type Entry = { labeller: string; action: LabelAction; stands: boolean };

const PAGE = fileURLToPath(new URL('../../labeler', import.meta.url));
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export class ToldServer {
  readonly entries: Entry[] = [];
  /** While true every question is answered by 503, as a proxy before a server that is gone would. */
  isGone = false;
  /** Milliseconds before a label is on disk. */
  slowness = 0;
  readonly #streams = new Set<ServerResponse>();
  readonly #server: Server;
  #url = '';

  readonly told: Told;

  constructor(told: Told) {
    this.told = told;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) =>
        send(response, 500, { message: String(error) }),
      );
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
    return this.#url;
  }
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  push(event: string, data: unknown): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  dropStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  spans(labeller: string, recording: string): LabelledSpan[] {
    const standing = this.entries.filter((each) => each.labeller === labeller && each.stands);
    return standing.reduce<LabelledSpan[]>((spans, { action }) => laid(spans, action, recording), []);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.#url);
    if (this.isGone) return send(response, 503, { message: 'gone' });
    if (!pathname.startsWith('/api/')) return sendFile(response, pathname);
    const [name, id = '', what = '', piece = ''] = pathname.slice('/api/'.length).split('/');
    if (request.method === 'POST' && name === 'events') return this.#take(request, response);
    if (request.method === 'POST') return send(response, 200, { files: ['labels.csv', 'ad/one-0001.mp4'] });
    if (name === 'stream') return this.#stream(response);
    if (name === 'recordings' && id !== '') return this.#recording(response, id, what, piece, searchParams);
    return this.#plain(response, name ?? '');
  }

  #plain(response: ServerResponse, name: string): void {
    const { recordings, spots, queue, agreement, hasModel } = this.told;
    const labellers = [...new Set(this.entries.map(({ labeller }) => labeller))];
    const session = { labellers, outputDir: '/labels', videoDir: '/video', hasModel, version: '0.1.0' };
    const answers: Record<string, unknown> = {
      session,
      recordings: { recordings },
      spots: { spots },
      queue: { items: queue, control: false },
      agreement,
    };
    send(response, name in answers ? 200 : 404, answers[name] ?? { message: 'unknown' });
  }

  #recording(
    response: ServerResponse,
    id: string,
    what: string,
    piece: string,
    query: URLSearchParams,
  ): void {
    const media = this.told.media[id];
    if (media === undefined) return send(response, 404, { message: 'no such recording' });
    if (what === 'labels') {
      const spans = this.spans(query.get('labeller') ?? '', id);
      return send(response, 200, { sequence: this.entries.length, spans });
    }
    if (what === 'signals') return send(response, 200, this.told.signals[id]);
    if (what === 'frames')
      return sendBytes(response, Buffer.from(media.frames.buffer), 'application/octet-stream');
    if (what === 'picture') {
      const picture = pictureOf(media.source, Number(query.get('time')), Number(query.get('width')));
      return sendBytes(response, picture, 'image/jpeg');
    }
    if (piece === 'init') return sendBytes(response, media.init, 'video/mp4');
    if (piece !== '') return sendBytes(response, media.pieces[Number(piece)] ?? Buffer.alloc(0), 'video/mp4');
    const codecs = 'video/mp4; codecs="avc1.42C01E, mp4a.40.2"';
    send(response, 200, { codecs, starts: media.starts, ready: media.starts.map((_, i) => i) });
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(':\n\n');
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const { labeller, action } = labelPostSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
    await new Promise((resolve) => setTimeout(resolve, this.slowness));
    const isNew = !this.entries.some((each) => each.action.id === action.id);
    if (isNew) this.#add(labeller, action);
    const changed = this.told.recordings.map(({ id }) => ({
      recording: id,
      spans: this.spans(labeller, id),
    }));
    const newest = this.#newest(labeller, true);
    const undo = newest ? `${newest.action.kind}` : null;
    const answer = { sequence: this.entries.length, labeller, changed, undo, redo: null };
    this.push('labels', answer);
    send(response, 200, answer);
  }

  #add(labeller: string, action: LabelAction): void {
    const undone = action.kind === 'undo' ? this.#newest(labeller, true) : undefined;
    const redone = action.kind === 'redo' ? this.#newest(labeller, false) : undefined;
    if (undone) for (const each of this.entries) if (isPartOf(each, undone)) each.stands = false;
    if (redone) for (const each of this.entries) if (isPartOf(each, redone)) each.stands = true;
    this.entries.push({ labeller, action, stands: true });
  }
  #newest(labeller: string, stands: boolean): Entry | undefined {
    const kinds = ['paint', 'spot'];
    const own = this.entries.filter((e) => e.labeller === labeller && kinds.includes(e.action.kind));
    return stands ? own.findLast((each) => each.stands) : own.find((each) => !each.stands);
  }
}

const isPartOf = ({ action }: Entry, whole: Entry): boolean =>
  action.id === whole.action.id || (action.kind === 'extend' && action.of === whole.action.id);

function laid(spans: LabelledSpan[], action: LabelAction, recording: string): LabelledSpan[] {
  if (action.kind === 'paint' && action.recording === recording) return painted(spans, action, action);
  if (action.kind === 'spot')
    return action.airings
      .filter((airing) => airing.recording === recording)
      .reduce((all, airing) => painted(all, airing, { ...action, how: 'spot' }), spans);
  const grown = action.kind === 'extend' ? spans.findLast((span) => span.action === action.of) : undefined;
  if (action.kind !== 'extend' || grown === undefined || action.end <= grown.end) return spans;
  return painted(spans, { start: grown.start, end: action.end }, { ...grown, id: grown.action });
}

function painted(
  spans: readonly LabelledSpan[],
  { start, end }: { start: number; end: number },
  { label, how, id }: { label: 'ad' | 'content' | null; how: LabelledSpan['how']; id: string },
): LabelledSpan[] {
  const rest = spans.flatMap((span) => [
    ...(span.start < start ? [{ ...span, end: Math.min(span.end, start) }] : []),
    ...(span.end > end ? [{ ...span, start: Math.max(span.start, end) }] : []),
  ]);
  const own = label === null ? [] : [{ start, end, label, how, action: id }];
  return [...rest, ...own].sort((a, b) => a.start - b.start);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
function sendBytes(response: ServerResponse, bytes: Buffer, type: string): void {
  response.writeHead(200, { 'content-type': type, 'cache-control': 'max-age=600' });
  response.end(bytes);
}

async function sendFile(response: ServerResponse, path: string): Promise<void> {
  const name = path === '/' ? 'index.html' : path.slice(1);
  if (name.includes('..')) return send(response, 404, { message: 'no such file' });
  const bytes = await readFile(join(PAGE, name)).catch(() => null);
  if (bytes === null) return send(response, 404, { message: `no such file: ${name}` });
  response.writeHead(200, {
    'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
  });
  response.end(bytes);
}
