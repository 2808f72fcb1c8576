import { AdbreakError } from '@adbreak/shared/errors.js';

/** What a state dict is made of; nothing else can be built. */
export type Value =
  | number
  | string
  | boolean
  | null
  | Value[]
  | { storage: Storage }
  | { global: string }
  | Map<Value, Value>
  | Rebuilt
  | typeof MARK;
export interface Storage {
  /** torch's class: FloatStorage, HalfStorage, ... */
  readonly kind: string;
  readonly key: string;
}
/** A view into a storage: offset and strides count elements. */
export interface Rebuilt {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];
}
const MARK = Symbol('mark');
/** A state dict has a few tensors a layer; this bounds what a hostile file can make us allocate. */
const MOST_OPCODES = 1_000_000;

export function isRebuilt(value: unknown): value is Rebuilt {
  return typeof value === 'object' && value !== null && 'strides' in value;
}

/** The opcodes of pickle protocol 2 (Python's pickletools) that a state dict uses. */
export class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #stack: Value[] = [];
  #memo = new Map<number, Value>();

  constructor(bytes: Uint8Array) {
    // A plain view: Buffer's slice() would share memory where Uint8Array's copies.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  broken(why: string): AdbreakError {
    return new AdbreakError(
      'input_invalid',
      `Cannot read the weights as a torch file: ${why} (offset ${this.#at})`,
    );
  }

  /** `count` bytes from here on, a view. */
  bytes(count: number): Uint8Array {
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }
  int64(): number {
    return Number(this.#view.getBigInt64(this.#take(8), true));
  }

  load(): Value {
    this.#stack = [];
    this.#memo = new Map();
    for (let opcodes = 0; ; opcodes++) {
      if (opcodes > MOST_OPCODES) throw this.broken(`a pickle of more than ${MOST_OPCODES} opcodes`);
      const op = String.fromCharCode(this.#bytes[this.#take(1)] ?? 0);
      if (op === '.') return this.#pop();
      this.#step(op);
    }
  }

  #step(op: string): void {
    const push = (value: Value) => this.#stack.push(value);
    switch (op) {
      case '\x80':
        this.#take(1);
        return;
      case '(':
        push(MARK);
        return;
      case ')':
      case ']':
        push([]);
        return;
      case '}':
        push(new Map());
        return;
      case 'N':
        push(null);
        return;
      case '\x88':
        push(true);
        return;
      case '\x89':
        push(false);
        return;
      case 'K':
        push(this.#bytes[this.#take(1)] ?? 0);
        return;
      case 'M':
        push(this.#view.getUint16(this.#take(2), true));
        return;
      case 'J':
        push(this.#view.getInt32(this.#take(4), true));
        return;
      case '\x8a':
        push(this.#long());
        return;
      case 'X':
        push(this.#text(this.#view.getUint32(this.#take(4), true)));
        return;
      case 'c':
        push({ global: `${this.#line()}.${this.#line()}` });
        return;
      case 'q':
        this.#memo.set(this.#bytes[this.#take(1)] ?? 0, this.#top());
        return;
      case 'r':
        this.#memo.set(this.#view.getUint32(this.#take(4), true), this.#top());
        return;
      case 'h':
        push(this.#recall(this.#bytes[this.#take(1)] ?? 0));
        return;
      case 'j':
        push(this.#recall(this.#view.getUint32(this.#take(4), true)));
        return;
      case 't':
        push(this.#sinceMark());
        return;
      case '\x85':
        push(this.#last(1));
        return;
      case '\x86':
        push(this.#last(2));
        return;
      case '\x87':
        push(this.#last(3));
        return;
      case 'Q':
        push(this.#persistent());
        return;
      case 'R':
        push(this.#reduce());
        return;
      case 'e': {
        const items = this.#sinceMark();
        const list = this.#top();
        if (Array.isArray(list)) list.push(...items);
        return;
      }
      case 'a': {
        const item = this.#pop();
        const list = this.#top();
        if (Array.isArray(list)) list.push(item);
        return;
      }
      case 'u':
        this.#setItems(this.#sinceMark());
        return;
      case 's':
        this.#setItems(this.#last(2));
        return;
      case 'b':
        this.#pop();
        return;
      case 'G':
        push(this.#view.getFloat64(this.#take(8)));
        return;
      case '0':
        this.#pop();
        return;
      default:
        throw this.broken(`opcode 0x${op.charCodeAt(0).toString(16)} has no place in a state dict`);
    }
  }

  #reduce(): Value {
    const args = this.#pop();
    const callee = this.#pop();
    const name = typeof callee === 'object' && callee !== null && 'global' in callee ? callee.global : '?';
    if (name === 'collections.OrderedDict') return new Map();
    if (name === 'torch._utils._rebuild_parameter' && Array.isArray(args) && isRebuilt(args[0]))
      return args[0];
    if (name !== 'torch._utils._rebuild_tensor_v2' || !Array.isArray(args))
      throw this.broken(`it calls ${name}, which is refused`);
    const [storage, offset, shape, strides] = args;
    if (
      typeof storage !== 'object' ||
      storage === null ||
      !('storage' in storage) ||
      typeof offset !== 'number'
    )
      throw this.broken('a tensor without storage');
    return { storage: storage.storage, offset, shape: numbers(shape), strides: numbers(strides) };
  }

  #persistent(): Value {
    const id = this.#pop();
    if (!Array.isArray(id)) throw this.broken('a persistent id that is no tuple');
    const [, type, key] = id;
    const kind =
      typeof type === 'object' && type !== null && 'global' in type ? type.global.replace('torch.', '') : '?';
    return { storage: { kind, key: String(key) } };
  }

  #setItems(items: Value[]): void {
    const target = this.#top();
    if (!(target instanceof Map)) return;
    for (let i = 0; i + 1 < items.length; i += 2) target.set(items[i] ?? null, items[i + 1] ?? null);
  }
  #sinceMark(): Value[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.broken('no mark on the stack');
    const items = this.#stack.splice(mark);
    return items.slice(1);
  }
  #last(count: number): Value[] {
    return this.#stack.splice(-count);
  }
  #pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined) throw this.broken('the stack is empty');
    return value;
  }
  #top(): Value {
    return this.#stack.at(-1) ?? null;
  }
  #recall(key: number): Value {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.broken(`memo ${key} was never set`);
    return value;
  }
  #long(): number {
    const length = this.#bytes[this.#take(1)] ?? 0;
    const start = this.#take(length);
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 256 + (this.#bytes[start + i] ?? 0);
    return value;
  }
  #text(length: number): string {
    const start = this.#take(length);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }
  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.broken('a line without end');
    const text = this.#text(end - this.#at);
    this.#take(1);
    return text;
  }
  #take(count: number): number {
    const start = this.#at;
    if (count < 0 || start + count > this.#bytes.byteLength) throw this.broken('the file ends early');
    this.#at += count;
    return start;
  }
}

function numbers(value: Value | undefined): number[] {
  return Array.isArray(value) ? value.filter((item): item is number => typeof item === 'number') : [];
}
