import { isDeepStrictEqual } from 'node:util';
import type { Access } from '@adbreak/shared/contract/http/access.js';
import {
  type BodyOf,
  type Contract,
  type GivenBy,
  isMedia,
  type ParamsOf,
  type QueryOf,
} from '@adbreak/shared/contract/http/contract.js';
import { check } from '@adbreak/shared/contract/parse.js';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { plainAddress } from '../identity/guesses.js';
import type { CertifiedDevice, Person, SignedIn } from '../identity/secrets.js';
import { withOrigin } from '../store/origin.js';
import { type Receive, readForm, type VersionForm } from './form.js';
import { type Sent, sendMedia } from './media.js';
import { isSecure } from './session-cookie.js';

type WhoAsks<A extends Access> = A extends 'public'
  ? null
  : A extends 'visitor'
    ? SignedIn | null
    : A extends 'device' | 'late-device'
      ? CertifiedDevice
      : Person;

/** What a handler is given: who asks, and what was asked, parsed. It sees neither headers nor sockets. */
export interface Call<C extends Contract> {
  readonly who: WhoAsks<C['access']>;
  readonly params: ParamsOf<C>;
  readonly query: QueryOf<C>;
  readonly body: BodyOf<C>;
  /** The name under which the caller has reached the hub. */
  readonly hostname: string;
  /** Where it comes from, and whether over TLS. */
  readonly from: { readonly address: string; readonly secure: boolean };
  /** The form of a new version, where the contract has one. */
  readonly form: (receive: Receive) => Promise<VersionForm>;
}
type Result<C> = C extends { readonly answer: z.ZodType } ? GivenBy<C> : Sent;
export type Handler<C extends Contract> = (call: Call<C>) => Result<C> | Promise<Result<C>>;
export type Register = <const C extends Contract>(contract: C, handle: Handler<C>) => void;

/**
 * How a server gets its routes, each from its contract: what comes in is parsed by its schemas, in the order
 * path, query, body, and what goes out is what the answer's schema lets through. An answer that does not fit
 * its schema is a fault of the hub, as is, where `strict`, one that says more than its schema.
 */
export function registerOn(app: FastifyInstance, strict: boolean): Register {
  return (contract, handle) => {
    const { method, path, access, doing, bodyAs, status = 200, answer } = contract;
    app.route({
      method,
      url: path.replace(/\{(\w+)\}/g, ':$1'),
      config: { access, doing, bodyAs },
      handler: async (request, reply) => {
        const call = callOf(contract, request);
        const origin = { from: plainAddress(request.ip), request: request.id };
        const given = await withOrigin(origin, () => handle(call));
        if (isMedia(answer)) {
          const sent = given as Sent;
          request.fault = sent.fault ?? null;
          return sendMedia(request, reply, answer, sent);
        }
        return reply
          .code(status)
          .type('application/json; charset=utf-8')
          .send(answerText(contract, answer, given, strict));
      },
    });
  };
}

/** Each part is parsed by the schema of the contract that the type is made of. */
function callOf<C extends Contract>(contract: C, request: FastifyRequest): Call<C> {
  const { params, query, body, bodyIs = 'the body' } = contract;
  const call: Call<Contract> = {
    who: request.who as never,
    params: (params && check(params, request.params, 'the path')) as never,
    query: (query && check(query, request.query, 'the query')) as never,
    body: (body && check(body, request.body ?? {}, bodyIs)) as never,
    hostname: request.hostname,
    from: { address: request.ip, secure: isSecure(request) },
    form: (receive) => readForm(request, receive),
  };
  return call as Call<C>;
}

/** Texts of answers that never change: those that are frozen. */
const fixed = new WeakMap<object, string>();

function answerText(contract: Contract, schema: z.ZodType, given: unknown, strict: boolean): string {
  const isFixed = typeof given === 'object' && given !== null && Object.isFrozen(given);
  const known = isFixed ? fixed.get(given) : undefined;
  if (known !== undefined) return known;
  const route = `${contract.method} ${contract.path}`;
  const result = schema.safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new Error(
      `the answer of ${route} does not fit its contract: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  const text = JSON.stringify(result.data);
  if (strict && !isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(given))))
    throw new Error(`the answer of ${route} says more than its contract: ${more(text, given)}`);
  if (isFixed) fixed.set(given, text);
  return text;
}

/**
 * Where the contract stops, as a person looks for it: the first part of what was given that the answer does
 * not have.
 */
function more(text: string, given: unknown): string {
  const find = (kept: unknown, all: unknown, path: string): string | null => {
    if (typeof all !== 'object' || all === null) return kept === all ? null : path;
    if (typeof kept !== 'object' || kept === null) return path;
    const own = new Map(Object.entries(kept));
    for (const [name, value] of Object.entries(all)) {
      const found = find(own.get(name), value, `${path}.${name}`);
      if (found !== null) return found;
    }
    return null;
  };
  return find(JSON.parse(text), JSON.parse(JSON.stringify(given)), 'answer') ?? 'answer';
}
