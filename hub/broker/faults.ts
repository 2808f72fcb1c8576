import { AdbreakError, explain, systemCode } from '@adbreak/shared/errors.js';
import type { About, Log } from '@adbreak/shared/log.js';
import { TokenBuckets } from '@adbreak/shared/token-bucket.js';
import { LIMITS } from './limits.js';

/** What Aedes says of a client that was late, and of a topic that is none; its own errors have no code. */
const LATE = /^(keep alive timeout|connect did not arrive in time|drain timeout)$/;
const NO_TOPIC = /^(topic has too many levels|impossible to |empty topic |[#+] is (only|not) allowed )/;

/** What ended a session, coded where the client is at fault. */
export function sessionFault(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AdbreakError) return error;
  if (LATE.test(error.message)) return new AdbreakError('timed_out', `Cannot go on: ${error.message}`);
  if (NO_TOPIC.test(error.message))
    return new AdbreakError('input_invalid', `Cannot accept the packet: ${error.message}`);
  return error;
}

/**
 * Why a handshake failed. `authorizationError` is what Node found wrong with the certificate: it cuts the
 * connection then, and its error says no more than that.
 */
export function handshakeFault(error: Error, authorizationError: unknown): Error {
  const found = typeof authorizationError === 'string' ? authorizationError : '';
  if (found === 'CERT_HAS_EXPIRED')
    return new AdbreakError('identity_expired', 'Cannot connect: the client certificate has ended');
  if (systemCode(error) === 'ERR_TLS_HANDSHAKE_TIMEOUT')
    return new AdbreakError('timed_out', 'Cannot connect: the handshake did not end in time');
  if (systemCode(error) === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return new AdbreakError('unauthorized', 'Cannot connect: no client certificate');
  if (found === '') return error;
  return new AdbreakError('unauthorized', `Cannot connect: the client certificate is not accepted: ${found}`);
}

export function coded(error: unknown): string {
  return error instanceof AdbreakError ? `${error.code}: ${explain(error)}` : explain(error);
}

/** As many devices and addresses as speak at once; of the others the lines are told again. */
const NAMES = 10_000;

/**
 * Lines about those who connect, bounded for each of them: what is left out is counted, and told with the
 * next line.
 */
export class Complaints {
  readonly #log: Log;
  readonly #lines = new TokenBuckets(LIMITS.lines, NAMES);
  #left = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  say(name: string, line: string, about: About): void {
    if (this.#lines.take(name, 1, performance.now()) > 0) {
      this.#left += 1;
      return;
    }
    const left = this.#left;
    this.#left = 0;
    this.#log(left === 0 ? line : `${line} (${left} lines before it were left out)`, about);
  }
}
