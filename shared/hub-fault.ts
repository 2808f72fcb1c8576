import { AdbreakError, systemCode } from './errors.js';

/** Longer than this nobody keeps a device away. */
const LONGEST_AWAY_MS = 3_600_000;

/** The hub's no, in its own words. Where it gave no coded one, the code is `hub_unreachable`. */
export class HubRefusal extends AdbreakError {
  readonly status: number;
  /** As long as the hub wants to be left alone (Retry-After, RFC 9110 section 10.2.3; a date says nothing to a device without a clock). */
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

/** How long the hub wants to be left alone after this error or one behind it, milliseconds: for `atLeast` of `retry`. */
export function retryAfterOf(error: unknown): number {
  const asked = chainOf(error).map((one) =>
    one instanceof Error && 'retryAfterMs' in one ? Number(one.retryAfterMs) : 0,
  );
  return Math.max(...asked);
}

/** What went wrong on the way to the hub, and what to do where that is not what `hub_unreachable` says anyway. */
export interface Fault {
  readonly why?: string;
  readonly remedy?: string;
  readonly cause?: unknown;
}

const OTHER_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
];
const OTHER_TIME = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];
const TOO_LATE = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'];

/** Who reads what went wrong: whoever has a card in hand, or a person at the command line. */
export type Reader = 'device' | 'person';
const PLACES = {
  device: {
    authority: 'the authority on the card',
    mend: "Copy the hub's identity/ca.pem to the card, or write the right hub into the configuration.",
    name: 'write a name that it has as `hub` into the configuration',
    clock: 'this device',
    unreachable:
      'Check that the hub runs, and that `hub` in the configuration of this device is its address.',
  },
  person: {
    authority: 'the authority of --ca',
    mend: "Give the identity/ca.pem of this hub's state folder as --ca (ADBREAK_CA), or the right hub as --hub.",
    name: 'give a name that it has as --hub (ADBREAK_HUB)',
    clock: 'this machine',
    unreachable: 'Check that the hub runs, and that --hub (ADBREAK_HUB) is its address.',
  },
} as const satisfies Record<Reader, unknown>;

/** What to do where nothing closer to the fault is known. */
export function unreachableRemedy(reader: Reader): string {
  return PLACES[reader].unreachable;
}

/** What a failure of the network or of TLS means. */
export function faultOf(cause: unknown, name: string, timeoutMs: number, reader: Reader): Fault {
  const place = PLACES[reader];
  const chain = chainOf(cause);
  const is = (...codes: readonly string[]) => chain.some((error) => codes.includes(systemCode(error) ?? ''));
  if (is('ERR_TLS_CERT_ALTNAME_INVALID')) {
    const remedy = `Start the hub with \`--name ${name}\`, or ${place.name}.`;
    return { why: `the hub's certificate is not for ${name}`, remedy, cause };
  }
  if (is(...OTHER_AUTHORITY)) {
    return { why: `the hub's certificate is not from ${place.authority}`, remedy: place.mend, cause };
  }
  if (is(...OTHER_TIME)) {
    const remedy = `Set the clock of ${place.clock}; where it is right, start the hub: it renews its own certificate.`;
    return { why: "by this clock the hub's certificate is not valid now", remedy, cause };
  }
  if (is(...TOO_LATE)) return { why: 'it was silent too long', cause };
  if (chain.some((error) => error instanceof Error && error.name === 'TimeoutError'))
    return { why: `no whole answer within ${timeoutMs / 1000} s`, cause };
  return { cause };
}

/** An error with all that is behind it. */
function chainOf(error: unknown): readonly unknown[] {
  return error instanceof Error && error.cause !== undefined ? [error, ...chainOf(error.cause)] : [error];
}
