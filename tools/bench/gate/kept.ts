import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemCode } from '@adbreak/shared/errors.js';
import type { Result } from './cell.js';

/**
 * What an interrupted `make bench-gates` had found, half a cell a line, so that two hours of work are not lost to Ctrl-C or
 * a closed lid. A file holds for one program, one seed and one number of runs; its name says which. It goes with the report.
 */

/** One process's share of a cell's runs. */
export interface Part {
  readonly cell: string;
  readonly part: number;
  readonly results: Result[];
  readonly seconds: number;
}

const FOLDER = resolve('.work', 'bench-gates');
export class Kept {
  readonly file: string;
  readonly parts: readonly Part[];

  private constructor(file: string, parts: readonly Part[]) {
    this.file = file;
    this.parts = parts;
  }

  static async open({ runs, seed }: { readonly runs: number; readonly seed: string }): Promise<Kept> {
    await mkdir(FOLDER, { recursive: true });
    const name = createHash('sha256')
      .update(`${await digest()}/${runs}/${seed}`)
      .digest('hex')
      .slice(0, 16);
    const file = join(FOLDER, `${name}.jsonl`);
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return '';
      throw error;
    });
    // A line that a kill tore has no end yet.
    const lines = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '');
    if (!text.endsWith('\n') && text !== '') appendFileSync(file, '\n');
    return new Kept(
      file,
      lines.flatMap((line) => partOf(line) ?? []),
    );
  }

  keep(part: Part): void {
    appendFileSync(this.file, `${JSON.stringify(part)}\n`);
  }

  async end(): Promise<void> {
    await rm(this.file, { force: true });
  }
}

/** Null for a torn line. */
function partOf(line: string): Part | null {
  try {
    return JSON.parse(line) as Part;
  } catch {
    return null;
  }
}

/** Of all modules that a run is made of: the gate, its evidence, the simulated world, the cells, chance itself. */
async function digest(): Promise<string> {
  const texts = new Map<string, string>();
  const read = async (file: string): Promise<void> => {
    if (texts.has(file)) return;
    const text = await readFile(file, 'utf8');
    texts.set(file, text);
    const { resolve: resolved } = createRequire(file);
    for (const [, name = ''] of text.matchAll(/^(?:import|export|\})[^']* from '([^']+)';$/gm))
      if (name.startsWith('.') || name.startsWith('@adbreak/')) await read(resolved(name));
  };
  await read(fileURLToPath(new URL('./cells.js', import.meta.url)));
  const hash = createHash('sha256');
  for (const file of [...texts.keys()].sort()) hash.update(texts.get(file) ?? '');
  return hash.digest('hex');
}
