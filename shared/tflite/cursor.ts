import { AdbreakError } from '../errors.js';

/** Bytes that may still be read. Offsets may point anywhere, so a small file could name one large vector a million times. */
interface Budget {
  left: number;
}
/** Files of honest writers read every byte about once; some share equal vectors. */
const MOST_READINGS = 8;

/**
 * A flatbuffer table read with every offset checked. The `flatbuffers` package reads without bounds, which is
 * right for trusted files; a model may come from anywhere. Layout: https://flatbuffers.dev/internals/
 */
export class TableCursor {
  readonly #view: DataView;
  readonly #budget: Budget;
  readonly #position: number;
  readonly #vtable: number;
  readonly #vtableBytes: number;

  private constructor(view: DataView, budget: Budget, position: number) {
    this.#view = view;
    this.#budget = budget;
    this.#position = position;
    this.#need(position, 4, 'table');
    this.#vtable = position - view.getInt32(position, true);
    this.#need(this.#vtable, 4, 'vtable');
    this.#vtableBytes = view.getUint16(this.#vtable, true);
    this.#need(this.#vtable, this.#vtableBytes, 'vtable');
  }

  static root(view: DataView): TableCursor {
    if (view.byteLength < 8) throw corrupt('file', 0, `it has ${view.byteLength} bytes`);
    return new TableCursor(view, { left: MOST_READINGS * view.byteLength + 65_536 }, view.getUint32(0, true));
  }

  i8(slot: number, fallback: number): number {
    const at = this.#field(slot, 1);
    return at === 0 ? fallback : this.#view.getInt8(at);
  }
  u8(slot: number, fallback: number): number {
    const at = this.#field(slot, 1);
    return at === 0 ? fallback : this.#view.getUint8(at);
  }
  i32(slot: number, fallback: number): number {
    const at = this.#field(slot, 4);
    return at === 0 ? fallback : this.#view.getInt32(at, true);
  }
  u32(slot: number, fallback: number): number {
    const at = this.#field(slot, 4);
    return at === 0 ? fallback : this.#view.getUint32(at, true);
  }
  f32(slot: number, fallback: number): number {
    const at = this.#field(slot, 4);
    return at === 0 ? fallback : this.#view.getFloat32(at, true);
  }
  string(slot: number): string {
    const vector = this.#vector(slot, 1, 1 << 16);
    if (vector === null) return '';
    return new TextDecoder().decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + vector.start, vector.length),
    );
  }
  /** A view into the file, not a copy. */
  bytes(slot: number): Uint8Array {
    const vector = this.#vector(slot, 1, this.#view.byteLength);
    if (vector === null) return new Uint8Array(0);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + vector.start, vector.length);
  }
  numbers(slot: number, kind: 'i32' | 'f32' | 'i64', limit: number): number[] {
    const width = kind === 'i64' ? 8 : 4;
    const vector = this.#vector(slot, width, limit);
    if (vector === null) return [];
    return Array.from({ length: vector.length }, (_, i) => {
      const at = vector.start + i * width;
      if (kind === 'i32') return this.#view.getInt32(at, true);
      if (kind === 'f32') return this.#view.getFloat32(at, true);
      return Number(this.#view.getBigInt64(at, true));
    });
  }
  table(slot: number): TableCursor | null {
    const at = this.#field(slot, 4);
    if (at === 0) return null;
    this.#spend(4, at);
    return new TableCursor(this.#view, this.#budget, at + this.#view.getUint32(at, true));
  }
  tables(slot: number, limit: number): TableCursor[] {
    const vector = this.#vector(slot, 4, limit);
    if (vector === null) return [];
    return Array.from({ length: vector.length }, (_, i) => {
      const at = vector.start + i * 4;
      return new TableCursor(this.#view, this.#budget, at + this.#view.getUint32(at, true));
    });
  }

  /** Absolute position of a field, 0 when the table leaves it out. */
  #field(slot: number, width: number): number {
    const entry = 4 + slot * 2;
    if (entry + 2 > this.#vtableBytes) return 0;
    const offset = this.#view.getUint16(this.#vtable + entry, true);
    if (offset === 0) return 0;
    this.#need(this.#position + offset, width, `field ${slot}`);
    return this.#position + offset;
  }
  #vector(slot: number, width: number, limit: number): { start: number; length: number } | null {
    const at = this.#field(slot, 4);
    if (at === 0) return null;
    const start = at + this.#view.getUint32(at, true);
    this.#need(start, 4, `vector ${slot}`);
    const length = this.#view.getUint32(start, true);
    if (length > limit)
      throw corrupt(`vector ${slot}`, start, `${length} elements, at most ${limit} are allowed`);
    this.#need(start + 4, length * width, `vector ${slot}`);
    this.#spend(4 + length * width, start);
    return { start: start + 4, length };
  }
  #spend(bytes: number, at: number): void {
    this.#budget.left -= bytes;
    if (this.#budget.left < 0)
      throw corrupt(
        'vector',
        at,
        'its tables share their parts so often that reading them would fill the memory',
      );
  }
  #need(at: number, bytes: number, what: string): void {
    if (at < 0 || at + bytes > this.#view.byteLength)
      throw corrupt(what, at, `it ends outside the file of ${this.#view.byteLength} bytes`);
  }
}

function corrupt(what: string, offset: number, why: string): AdbreakError {
  return new AdbreakError('model_corrupt', `Cannot read the model: ${what} at offset ${offset}: ${why}`);
}
