import { type LabelAction, labelPostSchema } from '@adbreak/shared/contract/labelling.js';
import type { PageStorage } from '../../kit/storage.js';

/** What a person did and the server has not confirmed yet. */
export interface Waiting {
  readonly labeller: string;
  readonly action: LabelAction;
}
/** `gone`: asked again later with the same id; `refused`: dropped, and told. */
export type Sent<Answer> =
  | { kind: 'done'; answer: Answer }
  | { kind: 'gone' }
  | { kind: 'refused'; why: string };

/** Where it is kept meanwhile, so that a closed page loses nothing. */
export interface Keep {
  /** In the order in which they were put. */
  load(): Waiting[];
  /** Whether it outlives the page. */
  put(waiting: Waiting): boolean;
  remove(id: string): void;
}
export interface OutboxPorts<Answer> {
  readonly keep: Keep;
  send(waiting: Waiting): Promise<Sent<Answer>>;
  sleep(milliseconds: number): Promise<void>;
  /** The answer and what still waits come together, so that nothing flickers. */
  onDone(answer: Answer, waiting: readonly Waiting[]): void;
  onWaiting(waiting: readonly Waiting[]): void;
  /** It waits in this page alone: a closed page loses it. */
  onUnkept(): void;
  onRefused(waiting: Waiting, why: string): void;
  onReach(isThere: boolean): void;
}

const PAUSE_MS = { first: 400, longest: 3000 };

/** Sends one after the other, in the order of the keys; what has no answer is sent again with the same id. */
export class Outbox<Answer> {
  readonly #ports: OutboxPorts<Answer>;
  #waiting: readonly Waiting[];
  #isSending = false;

  constructor(ports: OutboxPorts<Answer>) {
    this.#ports = ports;
    this.#waiting = ports.keep.load();
    // Before anything is sent: else a new page says that all is on disk.
    ports.onWaiting(this.#waiting);
  }

  /** What an earlier page left behind goes first. */
  start(): void {
    void this.#sendAll();
  }

  add(waiting: Waiting): void {
    if (!this.#ports.keep.put(waiting)) this.#ports.onUnkept();
    this.#waiting = [...this.#waiting, waiting];
    this.#ports.onWaiting(this.#waiting);
    void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    let pause = PAUSE_MS.first;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const sent = await this.#ports.send(first);
      this.#ports.onReach(sent.kind !== 'gone');
      if (sent.kind === 'gone') {
        await this.#ports.sleep(pause);
        pause = Math.min(PAUSE_MS.longest, pause * 1.6);
        continue;
      }
      pause = PAUSE_MS.first;
      this.#settle(first, sent);
    }
    this.#isSending = false;
  }

  #settle(first: Waiting, sent: Exclude<Sent<Answer>, { kind: 'gone' }>): void {
    this.#ports.keep.remove(first.action.id);
    this.#waiting = this.#waiting.slice(1);
    if (sent.kind === 'done') this.#ports.onDone(sent.answer, this.#waiting);
    else {
      this.#ports.onWaiting(this.#waiting);
      this.#ports.onRefused(first, sent.why);
    }
  }
}

const PREFIX = 'adbreak.waiting.';

/** In the browser's storage for this address, an item each, so that two tabs do not write over each other. */
export function browserKeep(storage: PageStorage, now: () => number): Keep {
  let count = 0;
  const keys = () =>
    storage
      .keys()
      .filter((key) => key.startsWith(PREFIX))
      .sort();
  return {
    load: () => keys().flatMap((key) => read(storage.get(key))),
    put: (waiting) => {
      const order = `${String(now()).padStart(15, '0')}.${String(count++).padStart(6, '0')}`;
      return storage.set(`${PREFIX}${order}.${waiting.action.id}`, JSON.stringify(waiting));
    },
    remove: (id) => {
      for (const key of keys().filter((each) => each.endsWith(id))) storage.remove(key);
    },
  };
}

function read(text: string | null): Waiting[] {
  try {
    const parsed = labelPostSchema.safeParse(JSON.parse(text ?? 'null'));
    return parsed.success ? [parsed.data] : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
