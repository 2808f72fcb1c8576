import { join } from 'node:path';
import type { LabelRecording, LabelSignals } from '@adbreak/shared/contract/labelling.js';
import { explain, hasCode } from '@adbreak/shared/errors.js';
import { writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson, setAside } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import type { LoadedModel } from '../assess/models.js';
import { judge, nameOfModel } from './judged.js';
import type { Library, Recording } from './library.js';
import { listen } from './listen.js';

const LIMIT = 256 * 1024 * 1024;
/** The page is told of each hundredth. */
const STEPS = 100;
/** Of the whole, where a model judges too. */
const LISTENING = 0.7;
const time = z.number().min(0);
const stretches = z.array(z.tuple([time, time]));
const heardSchema = z.object({
  schema: z.literal(1),
  waveStep: z.number().positive(),
  wave: z.array(z.number().min(0).max(1)),
  cuts: z.array(time),
  black: stretches,
  silence: stretches,
});
const judgedSchema = z.object({
  schema: z.literal(1),
  model: z.array(z.tuple([time, z.number().min(0).max(1)])),
});

type State = Pick<LabelRecording, 'analysis' | 'progress' | 'problem'>;
interface AnalysesOptions {
  readonly library: Library;
  /** Results are kept below it, by recording. */
  readonly folder: string;
  readonly model: LoadedModel | null;
  readonly say: (line: string) => void;
  readonly onChange: (id: string) => void;
}

/** What is known of each recording beside its pictures: found out in the background, one after the other, and kept on the disk. */
export class Analyses implements AsyncDisposable {
  readonly #options: AnalysesOptions;
  readonly #states = new Map<string, State>();
  readonly #signals = new Map<string, LabelSignals>();
  readonly #end = new AbortController();
  #waiting: string[] = [];
  #working: Promise<void> | null = null;

  constructor(options: AnalysesOptions) {
    this.#options = options;
  }

  state({ id, problem }: Recording): State {
    if (problem !== null) return { analysis: 'failed', progress: 0, problem };
    return this.#states.get(id) ?? { analysis: 'waiting', progress: 0, problem: null };
  }

  /** Null until they are ready. */
  signals(id: string): LabelSignals | null {
    return this.#signals.get(id) ?? null;
  }

  /** Recordings that nobody has looked at yet get in line; known ones stay as they are. */
  add(recordings: readonly Recording[]): void {
    for (const { id, facts } of recordings)
      if (facts !== null && !this.#states.has(id)) {
        this.#states.set(id, { analysis: 'waiting', progress: 0, problem: null });
        this.#waiting.push(id);
      }
    if (this.#waiting.length > 0) this.#working ??= this.#work();
  }

  /** Somebody looks at it: it is the next one. */
  prefer(id: string): void {
    if (this.#waiting[0] === id || !this.#waiting.includes(id)) return;
    this.#waiting = [id, ...this.#waiting.filter((one) => one !== id)];
  }

  async #work(): Promise<void> {
    for (let id = this.#waiting.shift(); id !== undefined; id = this.#waiting.shift()) {
      if (this.#end.signal.aborted) break;
      await this.#analyse(id);
    }
    this.#working = null;
  }

  async #analyse(id: string): Promise<void> {
    try {
      const recording = this.#options.library.readable(id);
      const { model } = this.#options;
      const { duration } = recording.facts;
      const share = model === null ? 1 : LISTENING;
      const heard = await this.#heard(recording, (seconds) => this.#tell(id, (share * seconds) / duration));
      const judged = await this.#judged(recording, (seconds) =>
        this.#tell(id, share + ((1 - share) * seconds) / duration),
      );
      const modelName = model === null ? null : nameOfModel(model);
      this.#signals.set(id, { ...heard, model: judged, modelName });
      this.#set(id, { analysis: 'ready', progress: 1, problem: null });
    } catch (error) {
      if (this.#end.signal.aborted) return;
      this.#options.say(explain(error));
      this.#set(id, { analysis: 'failed', progress: 0, problem: explain(error) });
    }
  }

  async #heard(recording: Readable, onTime: (seconds: number) => void) {
    const path = join(this.#options.folder, recording.id, 'heard.json');
    const kept = await this.#kept(heardSchema, path);
    if (kept !== undefined) return kept;
    const heard = await listen(recording, onTime, this.#end.signal);
    await this.#keep(path, { schema: 1, ...heard });
    return {
      ...heard,
      wave: [...heard.wave],
      cuts: [...heard.cuts],
      black: pairs(heard.black),
      silence: pairs(heard.silence),
    };
  }

  async #judged(recording: Readable, onTime: (seconds: number) => void): Promise<[number, number][]> {
    const { model, folder } = this.#options;
    if (model === null) return [];
    const path = join(folder, recording.id, `model-${model.manifest.digest.slice(0, 16)}.json`);
    const kept = await this.#kept(judgedSchema, path);
    if (kept !== undefined) return kept.model;
    const said = await judge(recording, model, onTime, this.#end.signal);
    await this.#keep(path, { schema: 1, model: said });
    return said;
  }

  /** What can be found out again is, where it was damaged. */
  async #kept<T>(schema: z.ZodType<T>, path: string): Promise<T | undefined> {
    try {
      return await readJson(schema, path, LIMIT);
    } catch (error) {
      await setAside(path, error, 'the recording is looked at again', this.#options.say);
      return undefined;
    }
  }

  async #keep(path: string, value: unknown): Promise<void> {
    try {
      await writeAtomic(path, JSON.stringify(value));
    } catch (error) {
      if (!hasCode(error, 'disk_full')) throw error;
      this.#options.say(explain(error));
    }
  }

  #tell(id: string, progress: number): void {
    const rounded = Math.floor(Math.min(1, progress) * STEPS) / STEPS;
    const before = this.#states.get(id);
    if (before?.analysis !== 'running' || before.progress !== rounded)
      this.#set(id, { analysis: 'running', progress: rounded, problem: null });
  }

  #set(id: string, state: State): void {
    this.#states.set(id, state);
    this.#options.onChange(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#working;
  }
}

type Readable = ReturnType<Library['readable']>;

function pairs(stretches: readonly (readonly [number, number])[]): [number, number][] {
  return stretches.map(([from, to]) => [from, to]);
}
