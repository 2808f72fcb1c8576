import { AdbreakError, type ErrorCode, systemCode } from './errors.js';

/** Longer than this nobody is kept away. */
const LONGEST_AWAY_MS = 3_600_000;

/** An answer that is a no. */
export interface No {
  readonly url: URL;
  readonly status: number;
  readonly text: string;
  /** The header Retry-After. */
  readonly retryAfter: string | null;
}

/** Who answers at the other end: the words and the code for what goes wrong there. */
export interface Peer {
  /** Of whatever is not its answer. */
  readonly unreachable: ErrorCode;
  /** What to do where nothing closer to a fault is known; the code's own remedy where it is not given. */
  readonly remedy?: string | undefined;
  readonly faultOf: (cause: unknown, hostname: string, timeoutMs: number) => Fault;
  /** The error for its no; `stranger` makes the one for a no that is not in its manner. */
  readonly refusal: (no: No, stranger: (why: string) => AdbreakError) => AdbreakError;
}

/** A no from the other end. */
export class Refusal extends AdbreakError {
  readonly status: number;
  /**
   * As long as the other end wants to be left alone (Retry-After, RFC 9110 section 10.2.3; a date says
   * nothing to a device without a clock).
   */
  readonly retryAfterMs: number;

  constructor(
    { code, message, remedy }: AdbreakError,
    { status, retryAfter, cause }: { status: number; retryAfter: string | null; cause?: unknown },
  ) {
    super(code, message, { remedy, cause });
    this.status = status;
    this.retryAfterMs = /^\d{1,9}$/.test(retryAfter ?? '')
      ? Math.min(LONGEST_AWAY_MS, Number(retryAfter) * 1000)
      : 0;
  }
}

/** What went wrong on the way, and what to do where that is not what the code says anyway. */
export interface Fault {
  readonly why?: string;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Whose certificate it is, and what to do where it does not fit. */
export interface CertificateWords {
  readonly owner: string;
  /** Where it should have come from. */
  readonly authority: string;
  readonly otherAuthority: string;
  readonly otherName: (hostname: string) => string;
  readonly otherTime: string;
}

const OTHER_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
];
const OTHER_TIME = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];
const TOO_LATE = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'];

/** What a failure of the network or of TLS means. */
export function faultOf(cause: unknown, hostname: string, timeoutMs: number, words: CertificateWords): Fault {
  const chain = chainOf(cause);
  const is = (...codes: readonly string[]) => chain.some((error) => codes.includes(systemCode(error) ?? ''));
  const certificate = `${words.owner}'s certificate`;
  if (is('ERR_TLS_CERT_ALTNAME_INVALID'))
    return { why: `${certificate} is not for ${hostname}`, remedy: words.otherName(hostname), cause };
  if (is(...OTHER_AUTHORITY))
    return { why: `${certificate} is not from ${words.authority}`, remedy: words.otherAuthority, cause };
  if (is(...OTHER_TIME))
    return { why: `by this clock ${certificate} is not valid now`, remedy: words.otherTime, cause };
  if (is(...TOO_LATE)) return { why: 'it was silent too long', cause };
  if (chain.some((error) => error instanceof Error && error.name === 'TimeoutError'))
    return { why: `no whole answer within ${timeoutMs / 1000} s`, cause };
  return { cause };
}

/** An error with all that is behind it. */
export function chainOf(error: unknown): readonly unknown[] {
  return error instanceof Error && error.cause !== undefined ? [error, ...chainOf(error.cause)] : [error];
}
