import type { Refusal, Reported } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, type ErrorCode, explain, explainForPeople } from '@adbreak/shared/errors.js';
import { ModelFault } from './models/model-fault.js';

/** Faults that come while a model is fetched. A forged one is none: the download went well. */
const DOWNLOAD_CODES: readonly ErrorCode[] = [
  'hub_unreachable',
  'metadata_invalid',
  'manifest_forged',
  'disk_full',
];
/** Why the hub refuses a device; over when it lets it in. */
const REFUSALS: readonly string[] = [
  'identity_in_use',
  'identity_revoked',
  'identity_expired',
  'unauthorized',
  'too_many_requests',
] satisfies ErrorCode[];
/** What the hub wants is refused; over with the next that is taken. */
const REFUSED_WORDS: readonly string[] = ['desired_forged', 'desired_untimely'] satisfies ErrorCode[];
/** A renewal, or a new claim, may end them. */
const RENEWABLE: readonly ErrorCode[] = ['identity_expired', 'unauthorized'];

/** What is wrong with this device, as its page and the hub show it: the newest fault until what caused it is over. */
export class Problems {
  readonly #log: (line: string) => void;
  #current: Reported['problem'] = null;
  #downloadFailures = 0;
  /** Code of what last kept the certificate from being renewed. */
  #renewalFault: ErrorCode | null = null;
  /** Why the hub took no report, where it is shown. */
  #refusal: Reported['problem'] = null;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  get current(): Reported['problem'] {
    return this.#current;
  }

  /** Something went wrong; null when the models are at work as they shall. */
  fault(error: unknown): void {
    if (error === null) {
      this.#current = null;
      return;
    }
    this.#log(explainForPeople(error));
    this.#current = {
      code: error instanceof AdbreakError ? error.code : 'unexpected',
      message: explain(error).slice(0, 500),
      ...(error instanceof ModelFault && { model: error.digest }),
    };
    if (error instanceof ModelFault && DOWNLOAD_CODES.includes(error.code)) this.#downloadFailures += 1;
  }

  /** Downloads that failed since this was asked last. */
  takeDownloadFailures(): number {
    const failures = this.#downloadFailures;
    this.#downloadFailures = 0;
    return failures;
  }

  /**
   * The hub refuses the session, or lets it in again (null). Whether a renewal may help: then it is no fault yet, the
   * renewal says so where it cannot.
   */
  refused(reason: AdbreakError | null): boolean {
    if (reason === null) this.#over((code) => REFUSALS.includes(code));
    else if (RENEWABLE.includes(reason.code)) return true;
    else this.#tellOnce(reason);
    return false;
  }

  renewalFailed(error: AdbreakError): void {
    this.#renewalFault = error.code;
    this.#tellOnce(error);
  }
  renewed(): void {
    this.#over((code) => code === this.#renewalFault);
    this.#renewalFault = null;
  }

  /** Why reports cannot be written, or null. It takes no other fault's place: they wait in memory meanwhile. */
  spoolSays(problem: unknown): void {
    if (problem === null) this.#over((code) => code === 'disk_full');
    else if (this.#current === null) this.fault(problem);
  }

  /** Why what the hub wants is not followed, or null where it is. */
  desiredSays(problem: AdbreakError | null): void {
    if (problem === null) this.#over((code) => REFUSED_WORDS.includes(code));
    else this.#tellOnce(problem);
  }

  /** Why the hub takes no report of this device, or null where it does. It takes no other fault's place. */
  reportRefused(refusal: Refusal | null): void {
    if (this.#refusal !== null && this.#current === this.#refusal) this.#current = null;
    this.#refusal = null;
    if (refusal === null || this.#current !== null) return;
    const { code, message } = refusal;
    this.#log(`the hub took no report of this device: ${code}: ${message}`);
    this.#refusal = { code, message };
    this.#current = this.#refusal;
  }

  #tellOnce(error: AdbreakError): void {
    if (this.#current?.code !== error.code) this.fault(error);
  }
  #over(which: (code: string) => boolean): void {
    if (this.#current !== null && which(this.#current.code)) this.#current = null;
  }
}
