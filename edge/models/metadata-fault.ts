import type { ModelRef } from '@adbreak/shared/contract/messages.js';
import { AdbreakError, type ErrorCode, explain, systemCode } from '@adbreak/shared/errors.js';

/** Old, and signed by those who may: of a clock that is wrong, or a hub that does not renew or was set back. */
const OUT_OF_DATE = /^(ExpiredMetadataError|BadVersionError|EqualVersionError)$/;
/**
 * tuf-js 5 makes a sentence of whatever goes wrong with a snapshot or with targets, and of a failed write: these are
 * its words for the same. Anchored, for what a forger wrote may stand in the sentence, too. A test holds them to the
 * library.
 */
const SAYS_OUT_OF_DATE =
  / error Error: ([\w.-]+ is expired|Snapshot version doesn't match timestamp|Version \d+ of [\w.-]+ does not match snapshot version \d+|New version \d+ of [\w.-]+ is less than current version \d+)$/;
const SAYS_UNWRITTEN = /^(Unable to load [a-z ]+ error Error: )?Failed to persist metadata/;
const SAYS_FULL = /ENOSPC|EDQUOT/;

/**
 * What it means that signed metadata was not taken. `failure` is why its last download did not come to its end, null
 * where it did: then what the hub gave is wrong, and that is nobody's fault on the way, nor the model's.
 */
export function metadataFault(
  error: unknown,
  failure: unknown,
  name: string,
  { version }: ModelRef,
): AdbreakError {
  if (error instanceof AdbreakError) return error;
  const fault = (code: ErrorCode, why: string, cause = error) =>
    new AdbreakError(code, `Cannot take ${name} ${version}${why}`, { cause });
  if (failure !== null) return fault('hub_unreachable', '', failure);
  const kind = error instanceof Error ? error.constructor.name : '';
  const words = explain(error);
  if (SAYS_UNWRITTEN.test(words) || systemCode(error) !== undefined)
    return SAYS_FULL.test(words)
      ? fault('disk_full', ': no space is left for its signed metadata')
      : fault('state_unwritable', ': its signed metadata cannot be kept');
  if (OUT_OF_DATE.test(kind) || (kind === 'RuntimeError' && SAYS_OUT_OF_DATE.test(words)))
    return fault('metadata_invalid', ': its signed metadata is out of date');
  return fault(
    'metadata_forged',
    ': its metadata is not signed by whom this device trusts, or not what was signed',
  );
}
