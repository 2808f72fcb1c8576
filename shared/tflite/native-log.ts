import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { AdbreakError } from '../errors.js';

const STDERR = 2;
let libc:
  | { dup: (fd: number) => number; dup2: (from: number, to: number) => number; close: (fd: number) => number }
  | undefined;

/**
 * Runs a short synchronous call into a native library with stderr kept aside: TFLite and LiteRT narrate there. What
 * they said goes into the error, if there is one; without one it is dropped.
 */
export function withNativeLog<T>(call: () => T): T {
  libc ??= bind();
  const path = join(tmpdir(), `adbreak-native-${process.pid}.log`);
  const log = openSync(path, 'w+', 0o600);
  const saved = libc.dup(STDERR);
  libc.dup2(log, STDERR);
  try {
    return call();
  } catch (error) {
    libc.dup2(saved, STDERR);
    if (!(error instanceof AdbreakError)) throw error;
    const said = lastError(readFileSync(path, 'utf8'));
    throw new AdbreakError(error.code, said === null ? error.message : `${error.message}: ${said}`, {
      remedy: error.remedy,
      cause: error.cause,
    });
  } finally {
    libc.dup2(saved, STDERR);
    libc.close(saved);
    closeSync(log);
    rmSync(path, { force: true });
  }
}

function lastError(log: string): string | null {
  const lines = log.split('\n').filter((line) => line !== '' && !/^(INFO|WARNING|VERBOSE)/.test(line));
  return lines.length === 0
    ? null
    : lines
        .slice(-2)
        .join('; ')
        .replace(/^ERROR:\s*/, '')
        .slice(0, 400);
}

function bind() {
  const library = koffi.load(null);
  return {
    dup: library.func('int dup(int fd)'),
    dup2: library.func('int dup2(int from, int to)'),
    close: library.func('int close(int fd)'),
  };
}
