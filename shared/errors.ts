/**
 * Errors that a person or another program will read. The code is stable and documented in docs/errors.md;
 * the message says what is wrong, with which thing; the remedy says what to do.
 */
export class AdbreakError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;
  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AdbreakError';
    this.code = code;
    this.remedy = options.remedy ?? ERROR_CODES[code].remedy;
  }
}

/** Every code that leaves a process, with its HTTP status and what to do when nothing closer to the fault knows better. */
export const ERROR_CODES = {
  model_corrupt: {
    status: 422,
    remedy: 'Convert or download the model again; its bytes are damaged or are not TFLite.',
  },
  model_unsupported: {
    status: 422,
    remedy: 'Look at it with `adbreak model inspect`; models that `adbreak train` writes run here.',
  },
  runtime_unavailable: {
    status: 500,
    remedy: 'Run `make setup`; the TFLite library comes with the package tfjs-tflite-node.',
  },
  inference_failed: {
    status: 500,
    remedy: 'Restart the agent; if it comes back, roll the model back and keep the log.',
  },
  video_unreadable: {
    status: 422,
    remedy: 'Check the path and play the file with `ffplay`; any file that ffmpeg reads will do.',
  },
  ffmpeg_missing: {
    status: 500,
    remedy: 'Install it: `apt-get install ffmpeg`, or run `make setup` as root.',
  },
  chromium_missing: {
    status: 500,
    remedy: 'Install it: `apt-get install chromium`, or run `make setup` as root.',
  },
  manifest_forged: {
    status: 403,
    remedy: 'Do not use this model. Check who wrote to the registry: `adbreak hub audit` lists every change.',
  },
  metadata_forged: {
    status: 403,
    remedy:
      'Somebody else may answer for the hub, or has written to its registry: compare with `adbreak hub audit`. The models at work go on working.',
  },
  metadata_invalid: {
    status: 403,
    remedy: 'Check the clock of the device, and that the hub runs: it signs its metadata anew every hour.',
  },
  desired_forged: {
    status: 403,
    remedy:
      'Somebody else may answer for the hub, or it was set back to a version that signs nothing (docs/operations/keys.md). The models at work go on working.',
  },
  desired_untimely: {
    status: 403,
    remedy:
      'Check the clocks of hub and device, and that the hub runs: it signs anew every hour. The models at work go on working.',
  },
  signature_pending: {
    status: 409,
    remedy:
      'Sign what waits where its key lies, and publish it: `adbreak keys sign`, then `adbreak keys publish`.',
  },
  token_invalid: {
    status: 401,
    remedy: 'Make a new one with `adbreak devices claim` and write it to the card again.',
  },
  token_used: { status: 409, remedy: 'Each card needs its own claim token: `adbreak devices claim`.' },
  identity_in_use: {
    status: 409,
    remedy:
      'Stop the other agent, or give this card an identity of its own: `adbreak devices claim`, then `--state` on an empty folder.',
  },
  identity_revoked: {
    status: 403,
    remedy: 'Enrol the device again with a new claim token, or leave it off.',
  },
  identity_expired: {
    status: 403,
    remedy:
      'Make a claim for this device, `adbreak devices claim --device ID`, write its token to the card and restart the agent.',
  },
  disk_full: {
    status: 507,
    remedy:
      'Free space on the volume named; an agent goes on with what it has in memory until then, a training with --resume.',
  },
  key_exposed: {
    status: 500,
    remedy:
      'Take the access away with `chmod 600`; if others had it, make new keys in a new state folder and enrol the devices again.',
  },
  state_corrupt: {
    status: 500,
    remedy: 'Restore the file named from its other copy or a backup; it was not overwritten.',
  },
  state_unwritable: {
    status: 500,
    remedy: 'Name a folder that this user may write, as `state` in the configuration.',
  },
  store_unreachable: {
    status: 503,
    remedy: 'Check that the database server of `store` in settings.json runs; the hub tries again by itself.',
  },
  input_invalid: { status: 400, remedy: 'Correct what the message names, and try again.' },
  input_too_large: { status: 413, remedy: 'Send less at once; the limit is in the message.' },
  not_found: { status: 404, remedy: 'Check the name; the list commands show what exists.' },
  range_unsatisfiable: {
    status: 416,
    remedy: 'Ask for bytes that the file has: Content-Range says how many there are.',
  },
  conflict: { status: 409, remedy: 'Look at the current state and decide again.' },
  command_expired: {
    status: 409,
    remedy:
      'Look at what holds now; where it is still wanted, send it under a new name with a later deadline.',
  },
  command_interrupted: {
    status: 409,
    remedy: 'Look at the device; where it is still wanted, send it under a new name.',
  },
  forbidden: {
    status: 403,
    remedy: 'Use a token whose role allows it: `adbreak tokens create --role operator`.',
  },
  unauthorized: {
    status: 401,
    remedy:
      'Give a token that this hub knows, as `Authorization: Bearer TOKEN` or as --token (ADBREAK_TOKEN); `adbreak tokens create` makes one.',
  },
  too_many_requests: {
    status: 429,
    remedy: 'Wait as long as Retry-After says, then ask less often, and with a token that this hub knows.',
  },
  timed_out: {
    status: 408,
    remedy: 'Look at the network between device and hub; the agent connects again by itself.',
  },
  not_implemented: {
    status: 501,
    remedy: 'Ask for what this hub answers: /api/v1/reference lists it.',
  },
  internal: {
    status: 500,
    remedy: 'Look for the request named in the log of the hub, and report what stands there.',
  },
  weights_unavailable: {
    status: 500,
    remedy:
      'Install python3-pip and run `adbreak weights pull`, or import a file with `adbreak weights import`.',
  },
  labels_invalid: {
    status: 422,
    remedy:
      'Correct what is named; docs/datasets.md has the formats, and `--label-map advert=ad` takes other words.',
  },
  dataset_invalid: {
    status: 422,
    remedy: 'Look at it with `adbreak dataset verify`, and make it again with `adbreak dataset prepare`.',
  },
  training_failed: {
    status: 500,
    remedy: 'Look at the data set: each class needs frames in train, val and test.',
  },
  trainer_missing: {
    status: 501,
    remedy:
      'Install the whole of Adbreak on the hub, or train elsewhere and upload: `adbreak train --registry-url`.',
  },
  requirements_missed: {
    status: 422,
    remedy:
      'The model and its report are in the output folder. docs/training.md, "When a model misses its requirements", says what helps; deployment.requirements sets them.',
  },
  hub_unreachable: {
    status: 503,
    remedy:
      'Check that the hub runs and that its address is right: `hub` in the configuration of a device, --hub (ADBREAK_HUB) of a command.',
  },
  tracker_unreachable: {
    status: 503,
    remedy: 'Check that the MLflow server runs and that `tracking.mlflow.url` is right.',
  },
  tracker_refused: {
    status: 403,
    remedy:
      'Look at what the MLflow server says, and at `tracking.mlflow` in the configuration (docs/tracking.md).',
  },
} as const satisfies Record<string, { status: number; remedy: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether it is a coded error, and of one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AdbreakError {
  return error instanceof AdbreakError && codes.includes(error.code);
}

/** The text of anything thrown, with the causes behind it. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (${explain(error.cause)})`;
  return `${error.message}${cause}`;
}

/**
 * Text from elsewhere for a log or a terminal: control characters (C0, DEL, C1) become escapes, so that it neither forges a line
 * nor moves the cursor. With `lines` its own line breaks stay.
 */
export function printable(text: string, { lines = false } = {}): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    lines && character === '\n' ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** What a command prints when it ends in an error: code, sentence (of one line, whatever its causes say), remedy. */
export function explainForPeople(error: unknown): string {
  const sentence = printable(
    explain(error)
      .replace(/\s*\n\s*/g, ' ')
      .trim(),
  );
  if (error instanceof AdbreakError)
    return `error ${error.code}: ${sentence}\n  what to do: ${printable(error.remedy)}`;
  return isForbidden(error) ? `error: ${sentence}\n  what to do: ${FORBIDDEN_REMEDY}` : `error: ${sentence}`;
}

/** Whether the system refused it to this user, and nobody has said more of it. */
export function isForbidden(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(systemCode(error) ?? '');
}
export const FORBIDDEN_REMEDY = 'Run it as the user whom that file belongs to, or as root.';

/** Node's error code (ENOENT, ENOSPC, ...) or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
