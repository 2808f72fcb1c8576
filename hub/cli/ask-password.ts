import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { AdbreakError } from '@adbreak/shared/errors.js';

/** What `--generate` is for is said where a person would have to be there. */
const REMEDY =
  'Type one, give it as the first line of standard input, or let the hub make one up: --generate.';

/**
 * A new password: asked for twice at a terminal, which does not show it; the first line of standard input
 * otherwise. Throws `input_invalid` where there is none, or the two differ.
 */
export async function askPassword(whose: string): Promise<string> {
  const password = process.stdin.isTTY ? await typedTwice(whose) : firstLine(await text(process.stdin));
  if (password === '')
    throw new AdbreakError('input_invalid', `Cannot set the password of ${whose}: there is none`, {
      remedy: REMEDY,
    });
  return password;
}

async function typedTwice(whose: string): Promise<string> {
  const password = await typed(`Password of ${whose}: `);
  if ((await typed('Once more: ')) !== password)
    throw new AdbreakError('input_invalid', `Cannot set the password of ${whose}: the two differ`, {
      remedy: REMEDY,
    });
  return password;
}

/** One line of the terminal. readline keeps it from echoing, and what readline shows of it goes nowhere. */
function typed(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_, __, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(question);
  const answered = new Promise<string>((resolve, reject) => {
    lines.on('SIGINT', () => lines.close());
    lines.on('close', () => reject(new AdbreakError('input_invalid', 'Cannot go on without a password')));
    lines.question('', (answer) => {
      resolve(answer);
      lines.close();
    });
  });
  return answered.finally(() => process.stderr.write('\n'));
}

function firstLine(given: string): string {
  return given.split(/\r?\n/, 1)[0] ?? '';
}
