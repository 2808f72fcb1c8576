import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { missing, NOT_FOUND, startFailure, writeFailure } from './frames.js';
import { parentBinding } from './parent-binding.js';

/** Characters that are kept of what ffmpeg complains about: of a damaged recording it does so for each picture. */
const WORDS_LIMIT = 4000;

interface FfmpegRequest {
  /** Inputs, options and the output; what is there is replaced. */
  readonly args: readonly string[];
  /** What an error names. */
  readonly output: string;
  /** For its standard input. */
  readonly stdin?: string;
}

/**
 * Runs an ffmpeg that writes files, to its end; it ends with this process. Throws `ffmpeg_missing`, `disk_full`,
 * `video_unreadable` with its last words, and the signal's reason. What it has written by then is the caller's to remove.
 */
export async function runFfmpeg(
  { args, output, stdin = '' }: FfmpegRequest,
  signal?: AbortSignal,
): Promise<void> {
  const binding = await parentBinding();
  signal?.throwIfAborted();
  const quiet = ['-hide_banner', '-loglevel', 'error', '-nostdin', '-y'];
  const [program = 'ffmpeg', ...rest] = [...binding, 'ffmpeg', ...quiet, ...args];
  const child = spawn(program, rest, {
    stdio: ['pipe', 'ignore', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  });
  // ffmpeg may end before it has read it all; why, its own words say.
  child.stdin.on('error', () => undefined).end(stdin);
  const closed = once(child, 'close').catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw startFailure(cause, 'ffmpeg');
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    words = (words + more).slice(-WORDS_LIMIT);
  });
  const [code, ending] = await closed;
  if (code === 0) return;
  if (code === NOT_FOUND && binding.length > 0) throw missing('ffmpeg');
  throw writeFailure(output, words || `ffmpeg ended with ${code ?? ending}`);
}
