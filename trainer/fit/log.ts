import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { explain, printable } from '@adbreak/shared/errors.js';

/**
 * Says lines, and appends them with their time to a file that can be followed meanwhile. A file that cannot
 * be written costs the file: it is said once.
 */
export function appendingLog(path: string, say: (line: string) => void): (line: string) => void {
  let broken = false;
  return (line) => {
    say(line);
    if (broken) return;
    try {
      mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, `${new Date().toISOString()} ${printable(line)}\n`);
    } catch (error) {
      broken = true;
      say(`no more lines in ${path}: ${explain(error)}`);
    }
  };
}
