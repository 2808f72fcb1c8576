import type { Socket } from 'node:net';
import { AdbreakError, ERROR_CODES, type ErrorCode, explain } from '@adbreak/shared/errors.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Guesses, TooSoon, UnknownSecret } from '../identity/guesses.js';
import type { HttpContext } from './context.js';

/** Turns whatever a route throws into a coded answer; a fault of ours is told without its inside, which the log has. */
export function faults({ now, report }: Pick<HttpContext, 'now' | 'report'>) {
  const guesses = new Guesses();
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = coded(thrown, request.id);
    const wait = error instanceof UnknownSecret ? guesses.count(request.ip, now()) : 0;
    if (wait > 0) {
      const told = new AdbreakError(
        'too_many_requests',
        `Cannot answer: too many wrong tokens came from ${request.ip}; the next one in ${wait} s`,
      );
      return reply
        .code(ERROR_CODES.too_many_requests.status)
        .header('retry-after', wait)
        .send(answerOf(told));
    }
    if (error instanceof TooSoon) reply.header('retry-after', error.wait);
    const { status } = ERROR_CODES[error.code];
    if (status < 500) return reply.code(status).send(answerOf(error));
    const [first = '', ...inside] = insideOf(thrown).split('\n');
    report(`request ${request.id} (${request.method} ${request.routeOptions.url ?? request.url}): ${first}`, {
      request: request.id,
      error,
    });
    // Each line under the request's name: whatever an error quotes, it is no line of its own.
    for (const line of inside) report(`request ${request.id}  ${line}`, { request: request.id, error });
    return reply.code(status).send({ ...answerOf(error), request: request.id });
  };
}

const answerOf = ({ code, message, remedy }: AdbreakError) => ({ error: code, message, remedy });

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
  const body = JSON.stringify(answerOf(told));
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${ERROR_CODES[told.code].status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  socket.destroySoon();
}
