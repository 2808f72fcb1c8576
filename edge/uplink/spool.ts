import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MESSAGE_LIMIT, type WindowReport, windowReport } from '@adbreak/shared/contract/messages.js';
import { parseJson } from '@adbreak/shared/contract/parse.js';
import { explain } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { merge } from './merge.js';
import { type Numbers, readNumbers, writeNumbers } from './numbers.js';

/** Hourly windows of more than a month; beyond that the two oldest become one. */
const MOST_FILES = 1000;
/** While the disk is full, reports wait in memory, so many at most. */
const MOST_IN_MEMORY = 200;
const NAME = /^(\d{10})\.json$/;
const NUMBERS = 'sequence';

interface Waiting {
  readonly report: WindowReport;
  onDisk: boolean;
}

/**
 * Window reports that the hub has not acknowledged yet: on disk, in order, bounded; removed only when acknowledged.
 * A full disk loses nothing at first: reports stay in memory and are written as soon as there is room.
 */
export class Spool {
  readonly #folder: string;
  readonly #log: (line: string) => void;
  readonly #waiting: Waiting[];
  #numbers: Numbers;
  /** Why the last write failed, or null. */
  #problem: unknown = null;

  private constructor(folder: string, waiting: Waiting[], numbers: Numbers, log: (line: string) => void) {
    this.#folder = folder;
    this.#waiting = waiting;
    this.#numbers = numbers;
    this.#log = log;
  }

  /** Opens the spool; a damaged file is left where it is, skipped, and said so. */
  static async open(folder: string, log: (line: string) => void): Promise<Spool> {
    await mkdir(folder, { recursive: true });
    const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
    const waiting: Waiting[] = [];
    for (const name of names) {
      try {
        waiting.push({
          report: parseJson(
            windowReport,
            await readFile(join(folder, name)),
            MESSAGE_LIMIT,
            name,
            'state_corrupt',
          ),
          onDisk: true,
        });
      } catch (error) {
        log(`spool: ${join(folder, name)} cannot be read and is skipped: ${explain(error)}`);
      }
    }
    const known = Math.max(0, ...names.map((name) => Number(NAME.exec(name)?.[1] ?? 0)));
    return new Spool(folder, waiting, await readNumbers(join(folder, NUMBERS), known, log), log);
  }

  get size(): number {
    return this.#waiting.length;
  }
  get problem(): unknown {
    return this.#problem;
  }
  /** The oldest report not yet acknowledged. */
  get oldest(): WindowReport | undefined {
    return this.#waiting[0]?.report;
  }

  async add(report: Omit<WindowReport, 'sequence' | 'stream'>): Promise<void> {
    const { stream, sequence } = this.#numbers;
    this.#numbers = { stream, sequence: sequence + 1 };
    this.#waiting.push({ report: { ...report, ...this.#numbers }, onDisk: false });
    await this.flush();
    await this.#bound();
  }

  /** Writes what is in memory only. Never throws: a full disk is a state to report, not an end. */
  async flush(): Promise<void> {
    try {
      const unwritten = this.#waiting.filter(({ onDisk }) => !onDisk);
      if (unwritten.length > 0) await writeNumbers(join(this.#folder, NUMBERS), this.#numbers);
      for (const entry of unwritten) {
        await writeAtomic(this.#path(entry.report.sequence), JSON.stringify(entry.report));
        entry.onDisk = true;
        // Acknowledged while it was being written: it has nothing to wait for any more.
        if (!this.#waiting.includes(entry)) await rm(this.#path(entry.report.sequence), { force: true });
      }
      this.#problem = null;
    } catch (error) {
      if (this.#problem === null) this.#log(`spool: ${explain(error)}; reports wait in memory`);
      this.#problem = error;
    }
  }

  /** The hub has this report: forget it. */
  async acknowledge(sequence: number): Promise<void> {
    const index = this.#waiting.findIndex(({ report }) => report.sequence === sequence);
    if (index < 0) return;
    const [entry] = this.#waiting.splice(index, 1);
    if (entry?.onDisk) await rm(this.#path(sequence), { force: true });
  }

  async #bound(): Promise<void> {
    const inMemory = this.#waiting.filter(({ onDisk }) => !onDisk).length;
    if (this.#waiting.length <= MOST_FILES && inMemory <= MOST_IN_MEMORY) return;
    // The oldest pair that may be added up becomes one. Not the first of all: it may be on its way, or have arrived
    // though its acknowledgement did not, and its counts would come again in the sum under another number.
    const index = this.#waiting.findIndex(
      ({ report }, i) => i > 0 && merge(report, this.#waiting[i + 1]?.report) !== null,
    );
    const [first, second] = this.#waiting.slice(Math.max(0, index));
    if (first === undefined || second === undefined) return;
    const merged = index < 0 ? null : merge(first.report, second.report);
    if (merged === null) {
      this.#log(
        `spool: full with reports that cannot be added up; window ${first.report.sequence} is dropped`,
      );
      await this.acknowledge(first.report.sequence);
      return;
    }
    this.#waiting.splice(index, 2, { report: merged, onDisk: false });
    // Before the sum is written: a power cut between the two costs a window, the other way round it counts twice.
    if (first.onDisk) await rm(this.#path(first.report.sequence), { force: true });
    await this.flush();
  }

  #path(sequence: number): string {
    return join(this.#folder, `${String(sequence).padStart(10, '0')}.json`);
  }
}
