import type { z } from 'zod';
import type { Access } from './access.js';

/** An answer that is no JSON of ours: its media type, and what it holds. */
export interface Media {
  readonly media: string;
  readonly holds: string;
  /** It has an ETag, and Range, If-Range and If-None-Match are heeded. */
  readonly ranges?: true;
  /** It is for people: it may lead on to another page (303), and says itself what was wrong. */
  readonly forPeople?: true;
}
/** What a page's own form sends. */
export const FORM = 'application/x-www-form-urlencoded';

/**
 * One route, as both sides know it: the hub registers it from this (hub/http/route.ts), clients call by it,
 * and openapi.ts writes it down. What comes in is parsed by the schemas; what goes out is what the answer's
 * schema lets through.
 */
export interface Contract {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** As OpenAPI writes it: `/api/v1/models/{name}`. */
  readonly path: string;
  readonly access: Access;
  /** What it is for, in one sentence. */
  readonly summary: string;
  /** What a reader has to know besides. */
  readonly more?: string;
  /** As a refusal says it: `lifting an exception` needs the role admin. */
  readonly doing?: string;
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** What the body is, as a refusal says it: Cannot accept `the claim`. */
  readonly bodyIs?: string;
  /** How the body is written; JSON where nothing is said. */
  readonly bodyAs?: typeof FORM;
  /** The parts of a multipart/form-data body, and what each holds. */
  readonly form?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType | Media;
  /** Of an answer that is no refusal; 200 where nothing is said. */
  readonly status?: 201;
}

/** One that answers with a JSON document of ours. */
export type JsonContract = Contract & { readonly answer: z.ZodType };

/** Keeps the types of a contract's schemas. */
export function contract<const C extends Contract>(one: C): C {
  return one;
}

export function isMedia(answer: Contract['answer']): answer is Media {
  return 'media' in answer;
}

export type ParamsOf<C> = C extends { readonly params: infer S extends z.ZodType } ? z.output<S> : undefined;
export type QueryOf<C> = C extends { readonly query: infer S extends z.ZodType } ? z.output<S> : undefined;
export type BodyOf<C> = C extends { readonly body: infer S extends z.ZodType } ? z.output<S> : undefined;

/** What the hub gives: it may be read-only, for nobody changes it on its way. */
export type GivenBy<C> = C extends { readonly answer: infer S extends z.ZodType } ? Given<z.input<S>> : never;
type Given<T> = unknown extends T ? T : { readonly [K in keyof T]: Given<T[K]> };

/** What a client has once it has parsed the answer. */
export type AnswerOf<C> = C extends { readonly answer: infer S extends z.ZodType } ? z.output<S> : never;
/** What a client gives: defaults are the hub's to fill in. */
export type AskedBy<C> = {
  readonly [K in 'params' | 'query' | 'body' as C extends { readonly [P in K]: z.ZodType }
    ? K
    : never]: C extends {
    readonly [P in K]: infer S extends z.ZodType;
  }
    ? z.input<S>
    : never;
};
