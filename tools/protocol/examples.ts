import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Documented, isDocumented } from './messages.js';

/** docs/protocol, seen from what is compiled. */
export const FOLDER = new URL('../../../docs/protocol/', import.meta.url);

export interface Example {
  readonly page: string;
  /** What stands before the block: the name of a message, or null where there is nothing. */
  readonly message: Documented | null;
  readonly text: string;
}

/** The pages of the protocol by their file names. */
export function pages(): Map<string, string> {
  const names = readdirSync(fileURLToPath(FOLDER)).filter((name) => name.endsWith('.md'));
  return new Map(names.sort().map((name) => [name, readFileSync(new URL(name, FOLDER), 'utf8')]));
}

const BLOCK = /(?:<!-- example: (\w+) -->\n+)?^```json\n([\s\S]*?)^```$/gm;

/** Every block of JSON, in the order in which they stand. An unknown name before one is an error of the page. */
export function examplesIn(page: string, text: string): Example[] {
  return [...text.matchAll(BLOCK)].map(([, message, block = '']) => {
    if (message !== undefined && !isDocumented(message))
      throw new Error(`${page} has an example of ${message}, which is no message`);
    return { page, message: message ?? null, text: block };
  });
}

export function examples(): Example[] {
  return [...pages()].flatMap(([page, text]) => examplesIn(page, text));
}
