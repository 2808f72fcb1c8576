import { hostname } from 'node:os';
import { AdbreakError, ERROR_CODES, explain } from '@adbreak/shared/errors.js';
import { namesOf } from '@adbreak/shared/visitors.js';
import Fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { cookieWith, doorRefusal, isToken } from './access.js';
import { PAGE_FOLDER, PAGE_POLICY, pageFile } from './page-files.js';
import { addRoutes, BODY_LIMIT, type Served } from './routes.js';

/** What one listens on, never a name of one's own. */
const EVERY_ADDRESS = ['0.0.0.0', '::'];
const ENTER = '/enter';
const query = z.object({ token: z.string().max(200).optional() });

interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** Asked of everybody; null on the loopback. */
  readonly token: string | null;
  readonly served: Served;
  /** Of the page as it was built. */
  readonly page?: string;
  readonly say: (line: string) => void;
}

/** The labelling page's server. */
export class LabelServer implements AsyncDisposable {
  readonly #app: FastifyInstance;
  readonly #options: ServerOptions;

  private constructor(app: FastifyInstance, options: ServerOptions) {
    this.#app = app;
    this.#options = options;
  }

  /** Throws `conflict` where the port is taken. */
  static async start(options: ServerOptions): Promise<LabelServer> {
    const app = Fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true });
    const server = new LabelServer(app, options);
    server.#guard();
    server.#answerErrors();
    server.#addPage();
    addRoutes(app, options.served);
    const { host, port } = options;
    await app.listen({ host, port }).catch((cause: unknown) => {
      throw new AdbreakError('conflict', `Cannot open the labelling page on ${host}:${port}`, {
        cause,
        remedy: 'Name another --port; 0 takes any free one.',
      });
    });
    return server;
  }

  /** As a browser reaches it, with the token that it needs. */
  get url(): string {
    const { host, token } = this.#options;
    const address = this.#app.server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const own = EVERY_ADDRESS.includes(host) ? hostname() : host;
    const base = `http://${own.includes(':') ? `[${own}]` : own}:${port}`;
    return token === null ? `${base}/` : `${base}${ENTER}?token=${token}`;
  }

  #guard(): void {
    const { host, token } = this.#options;
    const names = namesOf(hostname(), EVERY_ADDRESS.includes(host) ? [] : [host]);
    this.#app.addHook('onRequest', async ({ method, headers, socket, url }, reply) => {
      reply
        .header('cross-origin-resource-policy', 'same-origin')
        .header('content-security-policy', PAGE_POLICY)
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer');
      const asked = url.startsWith(`${ENTER}?`) ? null : token;
      const refusal = doorRefusal({ method, headers, address: socket.localAddress }, { names, token: asked });
      if (refusal !== null) throw refusal;
    });
  }

  #answerErrors(): void {
    this.#app.setNotFoundHandler(({ method, url }) => {
      throw new AdbreakError('not_found', `Cannot find ${method} ${url.slice(0, 200)}`);
    });
    this.#app.setErrorHandler((error, _, reply) => {
      const coded = error instanceof AdbreakError ? error : this.#coded(error);
      return reply
        .code(ERROR_CODES[coded.code].status)
        .send({ error: coded.code, message: coded.message, remedy: coded.remedy });
    });
  }

  /** Of Fastify's own a bad request; anything else is ours, and the terminal has it. */
  #coded(error: unknown): AdbreakError {
    const status = z.object({ statusCode: z.int() }).safeParse(error).data?.statusCode ?? 500;
    if (status === 413)
      return new AdbreakError('input_too_large', `Cannot take a body of more than ${BODY_LIMIT} bytes`);
    if (status < 500) return new AdbreakError('input_invalid', `Cannot take the request: ${explain(error)}`);
    this.#options.say(error instanceof Error ? (error.stack ?? explain(error)) : explain(error));
    return new AdbreakError('internal', 'The labelling server failed', {
      remedy: 'Look at the terminal where it runs, and report what stands there.',
    });
  }

  #addPage(): void {
    const { token, page = PAGE_FOLDER } = this.#options;
    this.#app.get(ENTER, (request, reply) => {
      const given = query.safeParse(request.query).data?.token;
      if (token !== null && !isToken(given, token))
        throw new AdbreakError('unauthorized', 'Cannot enter: the token is another one');
      if (token !== null) reply.header('set-cookie', cookieWith(token));
      // Away from the address that has the token in it.
      return reply.header('cache-control', 'no-store').redirect('/', 303);
    });
    this.#app.get('/*', async (request, reply) => {
      const name = z.object({ '*': z.string() }).parse(request.params)['*'];
      const file = await pageFile(name, page);
      if (file === null) throw new AdbreakError('not_found', `Cannot find /${name.slice(0, 200)}`);
      const keep = file.isFixed ? 'public, max-age=31536000, immutable' : 'no-cache';
      return reply.type(file.type).header('cache-control', keep).send(file.data);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.close();
  }
}
