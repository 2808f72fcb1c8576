import { AdbreakError, printable } from '@adbreak/shared/errors.js';
import { HttpClient, type HttpRequest, jsonOf } from '@adbreak/shared/http-client.js';
import { type CertificateWords, faultOf, type No, type Peer, Refusal } from '@adbreak/shared/http-fault.js';
import { z } from 'zod';

/** Who asks: a token, or a name with a password; null for a server that asks nobody. */
export type Secret = { readonly token: string } | { readonly user: string; readonly password: string } | null;

/** MLflow's no. `reason` is its own code, such as RESOURCE_ALREADY_EXISTS; null where it gave none. */
export class MlflowRefusal extends Refusal {
  readonly reason: string | null;
  constructor(
    error: AdbreakError,
    { reason, ...more }: ConstructorParameters<typeof Refusal>[1] & { reason: string | null },
  ) {
    super(error, more);
    this.reason = reason;
  }
}

const ANSWER_LIMIT = 2 ** 20;
const TIMEOUT_MS = 30_000;
/** For an artifact: a model over a slow line. */
const UPLOAD_MS = 600_000;
/** Characters of a server's words that are worth a line. */
const WORDS = 300;

const refusalSchema = z.object({ error_code: z.string().max(100), message: z.string().default('') });

const CERTIFICATE: CertificateWords = {
  owner: 'the MLflow server',
  authority: 'an authority that this machine knows',
  otherAuthority: "Give its authority's certificate (PEM) as `tracking.mlflow.ca`.",
  otherName: () => 'Give a name that its certificate has in `tracking.mlflow.url`.',
  otherTime: 'Set the clock of this machine; where it is right, the server needs a new certificate.',
};

/** MLflow's REST API: the secret in each request, and in no message. */
export class MlflowClient implements AsyncDisposable {
  readonly #url: string;
  readonly #http: HttpClient;
  readonly #authorization: Readonly<Record<string, string>>;
  readonly #signal: AbortSignal;

  /** `url` without a secret; a secret over plain HTTP goes to this machine alone. */
  constructor(
    url: string,
    secret: Secret,
    {
      authority,
      signal,
      silenceMs,
    }: { authority?: string | undefined; signal: AbortSignal; silenceMs?: number | undefined },
  ) {
    refuseInTheOpen(new URL(url), secret);
    this.#url = url.replace(/\/+$/, '');
    this.#signal = signal;
    this.#authorization = secret === null ? {} : { authorization: headerOf(secret) };
    this.#http = new HttpClient(url, mlflowAsPeer(secret), authority === undefined ? {} : { authority }, {
      silenceMs,
    });
  }

  /** Asks `/api/2.0/mlflow/PATH`; with a body it is a POST. The answer must fit the schema. */
  async ask<T>(path: string, what: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const sent = body === undefined ? {} : { method: 'POST', ...jsonOf(body) };
    return this.#send(`/api/2.0/mlflow/${path}`, schema, { what, timeoutMs: TIMEOUT_MS, ...sent });
  }

  /** Puts a file among the artifacts that the server keeps itself. */
  async put(path: string, what: string, bytes: Uint8Array): Promise<void> {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    // Older servers answer {}, newer ones nothing.
    await this.#send(`/api/2.0/mlflow-artifacts/artifacts/${encoded}`, z.looseObject({}).nullable(), {
      what,
      timeoutMs: UPLOAD_MS,
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
  }

  async #send<T>(
    path: string,
    schema: z.ZodType<T>,
    request: Omit<HttpRequest, 'signal' | 'limit'>,
  ): Promise<T> {
    const bounded = {
      ...request,
      headers: { ...request.headers, ...this.#authorization },
      signal: this.#signal,
      limit: ANSWER_LIMIT,
    };
    const answer = await this.#http.exchange(`${this.#url}${path}`, bounded, (call, got) => call.bytes(got));
    const result = schema.safeParse(answer.length === 0 ? null : parsed(answer.toString()));
    if (result.success) return result.data;
    const field = result.error.issues[0]?.path.join('.') ?? '';
    throw new AdbreakError(
      'tracker_unreachable',
      `Cannot ${request.what} at ${this.#url}: its answer is not one of MLflow's (${field || 'as a whole'})`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}

/** What another try may mend: silence, a broken line, a server that is overloaded or ill. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Refusal) return error.status === 408 || error.status === 429 || error.status >= 500;
  return error instanceof AdbreakError && error.code === 'tracker_unreachable';
}

function headerOf(secret: NonNullable<Secret>): string {
  if ('token' in secret) return `Bearer ${secret.token}`;
  return `Basic ${Buffer.from(`${secret.user}:${secret.password}`).toString('base64')}`;
}

function refuseInTheOpen({ protocol, hostname, origin }: URL, secret: Secret): void {
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (secret === null || protocol === 'https:' || isHere) return;
  throw new AdbreakError(
    'tracker_refused',
    `Cannot send a secret to ${origin}: everybody on the way could read it`,
    {
      remedy: 'Give an https:// address as `tracking.mlflow.url`, or a server that asks for no secret.',
    },
  );
}

function mlflowAsPeer(secret: Secret): Peer {
  return {
    unreachable: 'tracker_unreachable',
    faultOf: (cause, hostname, timeoutMs) => faultOf(cause, hostname, timeoutMs, CERTIFICATE),
    refusal: (no, stranger) => refusalOf(no, stranger, secret),
  };
}

function refusalOf(no: No, stranger: (why: string) => AdbreakError, secret: Secret): MlflowRefusal {
  const { status, text, retryAfter, url } = no;
  const said = refusalSchema.safeParse(parsed(text));
  const reason = said.success ? said.data.error_code : null;
  if (said.success || status === 401 || status === 403) {
    const words = withoutSecret(said.success ? said.data.message : text, secret);
    const sentence = `MLflow at ${url.origin}${url.pathname} answered status ${status}`;
    const told = `${sentence} ${reason ?? ''}: ${printable(words).slice(0, WORDS)}`.replace(' :', ':');
    const remedy = remedyFor(status, words);
    return new MlflowRefusal(new AdbreakError('tracker_refused', told, remedy === null ? {} : { remedy }), {
      status,
      retryAfter,
      reason,
    });
  }
  const strange = stranger(`it answered status ${status}, and not as MLflow does`);
  return new MlflowRefusal(strange, { status, retryAfter, reason });
}

function remedyFor(status: number, words: string): string | null {
  if (/host header/i.test(words))
    return 'Start the server with `--allowed-hosts` and the name in the address.';
  if (status === 401)
    return 'Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.';
  if (status === 403) return 'Let this user edit the experiment and the registered model.';
  return null;
}

/** A server may repeat what it was sent. */
function withoutSecret(words: string, secret: Secret): string {
  if (secret === null) return words;
  const secrets =
    'token' in secret ? [secret.token] : [secret.password, headerOf(secret).slice('Basic '.length)];
  return secrets.reduce((line, one) => (one === '' ? line : line.replaceAll(one, '[secret]')), words);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
