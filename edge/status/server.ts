import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError, ERROR_CODES, explain } from '@adbreak/shared/errors.js';
import { Listeners } from '@adbreak/shared/listeners.js';
import type { Label } from '@adbreak/shared/video/labels.js';
import { namesOf, refusalOf } from '@adbreak/shared/visitors.js';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bitmap } from './bitmap.js';

interface PageOptions {
  readonly host: string;
  readonly port: number;
  /** Names of the device that it does not know of itself, as a router or a reverse proxy gives them. */
  readonly names?: readonly string[];
  readonly view: () => unknown;
  readonly frame: () => { pixels: Uint8Array; width: number; height: number } | null;
  /** One of the pictures of an episode that is not answered yet. */
  readonly picture: (
    episode: number,
    index: number,
  ) => { pixels: Uint8Array; width: number; height: number } | null;
  readonly label: (episode: number | null, label: Label) => boolean;
}

const labelBody = z.strictObject({
  episode: z.int().positive().nullable(),
  label: z.enum(['ad', 'content']),
});
const pictureParameters = z.strictObject({
  episode: z.coerce.number().int().positive(),
  index: z.coerce.number().int().min(0).max(9),
});
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** What one listens on, never a name of one's own. */
const EVERY_ADDRESS = ['0.0.0.0', '::'];
const REACHED_BY =
  "Open the page by the device's address or host name, or add the name to status.names in its configuration.";
const REQUEST_TIMEOUT_MS = 30_000;

/** The Pi's own page: what it sees, what it thinks, and the person's word on it. It talks to whoever stands before it; no hub is needed. */
export class StatusPage implements AsyncDisposable {
  readonly #app: FastifyInstance;
  readonly #listeners = new Listeners();
  readonly #host: string;

  private constructor(app: FastifyInstance, host: string) {
    this.#app = app;
    this.#host = host;
  }

  static async start(options: PageOptions): Promise<StatusPage> {
    const app = Fastify({ bodyLimit: 4096, forceCloseConnections: true, requestTimeout: REQUEST_TIMEOUT_MS });
    const page = new StatusPage(app, options.host);
    page.#routes(options);
    await app.listen({ host: options.host, port: options.port }).catch((cause: unknown) => {
      throw new AdbreakError('conflict', `Cannot open the status page on ${options.host}:${options.port}`, {
        cause,
        remedy: 'Set status.port in the configuration; 0 takes any free one.',
      });
    });
    return page;
  }

  /** As others reach it: under the host name where it listens on every address. */
  get url(): string {
    const address = this.#app.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    if (EVERY_ADDRESS.includes(this.#host)) return `http://${hostname()}:${port}/`;
    return `http://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${port}/`;
  }

  /** Tells everybody who watches. */
  send(kind: 'episode' | 'event', message: unknown): void {
    this.#listeners.send(`event: ${kind}\ndata: ${JSON.stringify(message)}\n\n`);
  }

  #routes({ host, names = [], view, frame, picture, label }: PageOptions): void {
    const ours = namesOf(hostname(), EVERY_ADDRESS.includes(host) ? names : [host, ...names]);
    this.#app.addHook('onRequest', async ({ headers, socket }, reply) => {
      // Not even as a picture in somebody else's page.
      reply.header('cross-origin-resource-policy', 'same-origin');
      const refusal = refusalOf(
        { host: headers.host, origin: headers.origin, address: socket.localAddress },
        ours,
        REACHED_BY,
      );
      if (refusal !== null) throw refusal;
    });
    const html = readFileSync(new URL('../../status/page.html', import.meta.url), 'utf8');
    this.#app.setErrorHandler((error, _, reply) => {
      if (error instanceof AdbreakError)
        return reply
          .code(ERROR_CODES[error.code].status)
          .send({ error: error.code, message: error.message, remedy: error.remedy });
      const status =
        typeof error === 'object' &&
        error !== null &&
        'statusCode' in error &&
        typeof error.statusCode === 'number'
          ? error.statusCode
          : 500;
      return reply.code(status).send({
        error: status < 500 ? 'input_invalid' : 'internal',
        message: status < 500 ? explain(error) : 'The agent failed; its log says why.',
      });
    });
    this.#app.get('/', (_, reply) =>
      reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(html),
    );
    this.#app.get('/api/state', async () => view());
    this.#app.get('/api/frame.bmp', (_, reply) => {
      const current = frame();
      if (current === null) throw new AdbreakError('not_found', 'There is no frame yet');
      return reply
        .type('image/bmp')
        .header('cache-control', 'no-store')
        .send(bitmap(current.pixels, current.width, current.height));
    });
    this.#app.get('/api/episodes/:episode/:index.bmp', (request, reply) => {
      const { episode, index } = check(pictureParameters, request.params, 'the address of a picture');
      const kept = picture(episode, index);
      if (kept === null)
        throw new AdbreakError('not_found', `There is no picture ${index} of episode ${episode} any more`);
      return reply
        .type('image/bmp')
        .header('cache-control', 'no-store')
        .send(bitmap(kept.pixels, kept.width, kept.height));
    });
    this.#app.post('/api/labels', async (request) => {
      const body = check(labelBody, request.body, 'the label');
      if (!label(body.episode, body.label)) throw tooLate(body.episode);
      return { ok: true };
    });
    this.#app.get('/api/stream', (request, reply) => {
      reply.hijack();
      this.#listeners.admit(reply.raw, request.ip);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners[Symbol.dispose]();
    await this.#app.close();
  }
}

function tooLate(episode: number | null): AdbreakError {
  if (episode === null)
    return new AdbreakError('conflict', 'Cannot label: nothing is running now', {
      remedy: 'Choose a scene in the list.',
    });
  return new AdbreakError(
    'conflict',
    `Cannot label: episode ${episode} is not running and was counted already`,
    {
      remedy: 'Label an episode while it runs or soon after.',
    },
  );
}
