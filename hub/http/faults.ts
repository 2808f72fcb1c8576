import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { PROBLEM_TYPE, problemOf } from '@adbreak/shared/contract/http/problem.js';
import { AdbreakError, ERROR_CODES, type ErrorCode, explain } from '@adbreak/shared/errors.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Guesses, TooSoon, UnknownSecret } from '../identity/guesses.js';
import type { HttpContext } from './context.js';

/** Ours alone: a caller who could choose it could forge lines of the log. */
export function requestId(): string {
  return randomBytes(8).toString('hex');
}

/**
 * Turns whatever a route throws into a problem document; a fault of ours is told without its inside, which
 * the log has.
 */
export function faults({ now, report }: Pick<HttpContext, 'now' | 'report'>) {
  const guesses = new Guesses();
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = coded(thrown, request.id);
    request.fault = error.code;
    const wait = error instanceof UnknownSecret ? guesses.count(request.ip, now()) : 0;
    if (wait > 0)
      return sendProblem(reply.header('retry-after', wait), tooMany(request.ip, wait), request.id);
    if (error instanceof TooSoon) reply.header('retry-after', error.wait);
    if (isFault(error.code)) tell(report, request, thrown, error);
    return sendProblem(reply, error, request.id);
  };
}

function tooMany(address: string, wait: number): AdbreakError {
  return new AdbreakError(
    'too_many_requests',
    `Cannot answer: too many wrong tokens came from ${address}; the next one in ${wait} s`,
  );
}

function sendProblem(reply: FastifyReply, error: AdbreakError, request: string): FastifyReply {
  return reply
    .code(ERROR_CODES[error.code].status)
    .header('x-request-id', request)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemOf(error, request)));
}

/** Of the hub, and not of who asks. That something is not built yet is neither. */
function isFault(code: ErrorCode): boolean {
  return ERROR_CODES[code].status >= 500 && code !== 'not_implemented';
}

function tell(report: HttpContext['report'], request: FastifyRequest, thrown: unknown, error: unknown): void {
  const { id, method, url, routeOptions } = request;
  const [first = '', ...inside] = insideOf(thrown).split('\n');
  report(`request ${id} (${method} ${routeOptions.url ?? url}): ${first}`, { request: id, error });
  // Each line under the request's name: whatever an error quotes, it is no line of its own.
  for (const line of inside) report(`request ${id}  ${line}`, { request: id, error });
}

function insideOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return explain(thrown);
  const cause = thrown.cause === undefined ? '' : `\n  cause: ${insideOf(thrown.cause)}`;
  return `${thrown.stack ?? explain(thrown)}${cause}`;
}

/** Fastify and its parsers say by a status below 500 that the request is at fault. */
function coded(thrown: unknown, request: string): AdbreakError {
  if (thrown instanceof AdbreakError) return thrown;
  const status =
    typeof thrown === 'object' &&
    thrown !== null &&
    'statusCode' in thrown &&
    typeof thrown.statusCode === 'number'
      ? thrown.statusCode
      : 500;
  if (status >= 500)
    return new AdbreakError('internal', `The hub failed; its log says why under request ${request}`);
  return new AdbreakError(codeOf(status), `Cannot accept the request: ${explain(thrown)}`);
}
function codeOf(status: number): ErrorCode {
  if (status === 404) return 'not_found';
  return status === 413 || status === 414 ? 'input_too_large' : 'input_invalid';
}

/** What is no HTTP request never comes to a route: it gets the same kind of answer from here. */
export function refuseGarbage(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const told =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new AdbreakError('input_too_large', 'Cannot accept the request: its head has more than 16384 bytes')
      : new AdbreakError(
          'input_invalid',
          'Cannot accept the request: it is not HTTP/1.1, or did not end in time',
        );
  const request = requestId();
  const body = JSON.stringify(problemOf(told, request));
  const head = [
    `HTTP/1.1 ${ERROR_CODES[told.code].status} Refused`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${request}`,
    'connection: close',
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.destroySoon();
}
