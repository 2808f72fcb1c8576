import { join } from 'node:path';
import { digest, VERSION } from '@adbreak/shared/contract/manifest.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { SerialRunner } from '@adbreak/shared/serial-runner.js';
import { sha256, writeAtomic } from '@adbreak/shared/storage/atomic.js';
import { readJson } from '@adbreak/shared/storage/json.js';
import { z } from 'zod';
import { EMPTY_SLOTS, type SlotState } from './slots.js';

const LIMIT = 64 * 1024;
const modelRefSchema = z.object({ version: z.string().regex(VERSION), digest });
const slotStateSchema = z.object({
  confirmed: modelRefSchema.nullable(),
  trial: z.object({ model: modelRefSchema, starts: z.int().nonnegative() }).nullable(),
  previous: modelRefSchema.nullable(),
  quarantined: z.array(digest),
});
const copySchema = z.object({ generation: z.int().nonnegative(), checksum: digest, state: slotStateSchema });
type Copy = z.infer<typeof copySchema>;

/** Two copies written in turn; the newest whose checksum holds counts. A power cut can spoil one of them at most. */
export class SlotStore {
  readonly #folder: string;
  readonly #changes = new SerialRunner();
  #generation: number;
  #state: SlotState;

  private constructor(folder: string, generation: number, state: SlotState) {
    this.#folder = folder;
    this.#generation = generation;
    this.#state = state;
  }

  static async open(folder: string, log: (line: string) => void): Promise<SlotStore> {
    const copies = await Promise.all(
      ['a', 'b'].map((name) => readCopy(join(folder, `state.${name}.json`), log)),
    );
    const found = copies.filter((one) => one !== undefined);
    const valid = found.filter((one) => one !== 'damaged').sort((a, b) => b.generation - a.generation);
    if (found.length > 0 && valid.length === 0)
      throw new AdbreakError(
        'state_corrupt',
        `Cannot open the slots: both copies ${join(folder, 'state.{a,b}.json')} are damaged`,
      );
    return new SlotStore(folder, valid[0]?.generation ?? 0, valid[0]?.state ?? EMPTY_SLOTS);
  }

  get state(): SlotState {
    return this.#state;
  }

  /** Durable when it resolves, to the new state. `change` (pure) is given what the changes before it have left; the same state writes nothing. */
  change(change: (state: SlotState) => SlotState): Promise<SlotState> {
    return this.#changes.run(async () => {
      const state = change(this.#state);
      if (state !== this.#state) await this.#write(state);
      return state;
    });
  }

  async #write(state: SlotState): Promise<void> {
    const generation = this.#generation + 1;
    const path = join(this.#folder, `state.${generation % 2 === 0 ? 'a' : 'b'}.json`);
    await writeAtomic(path, JSON.stringify({ generation, checksum: checksum(generation, state), state }));
    this.#generation = generation;
    this.#state = state;
  }
}

async function readCopy(path: string, log: (line: string) => void): Promise<Copy | 'damaged' | undefined> {
  try {
    const read = await readJson(copySchema, path, LIMIT);
    if (read !== undefined && read.checksum !== checksum(read.generation, read.state))
      throw new AdbreakError('state_corrupt', `Cannot read ${path}: its checksum does not hold`);
    return read;
  } catch (error) {
    log(`slots: ${explain(error)}; the other copy counts`);
    return 'damaged';
  }
}

function checksum(generation: number, { confirmed, trial, previous, quarantined }: SlotState): string {
  const ref = (model: { version: string; digest: string } | null) =>
    model === null ? null : [model.version, model.digest];
  return sha256(
    JSON.stringify([
      generation,
      ref(confirmed),
      trial === null ? null : [ref(trial.model), trial.starts],
      ref(previous),
      quarantined,
    ]),
  );
}
