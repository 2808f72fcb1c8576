/** Wire types of protocol buffers (protobuf.dev, "Encoding"). */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * A message under construction; fields are written in the order of the calls. As in proto3, a number that is
 * 0 is left out by `int` and `double`; `float` writes it, since it stands for one of several choices
 * (`oneof`) here.
 */
export class Message {
  readonly #parts: Uint8Array[] = [];

  /** A whole number from 0 to 2^53 - 1. */
  int(field: number, value: number): this {
    if (value !== 0) this.#parts.push(tag(field, WIRE.varint), varint(value));
    return this;
  }

  double(field: number, value: number): this {
    if (value === 0) return this;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#parts.push(tag(field, WIRE.fixed64), bytes);
    return this;
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#parts.push(tag(field, WIRE.fixed32), bytes);
    return this;
  }

  /** Bytes, a string in UTF-8, or a message inside of this one. */
  bytes(field: number, value: Uint8Array | string | Message): this {
    const bytes = bytesOf(value);
    this.#parts.push(tag(field, WIRE.bytes), varint(bytes.length), bytes);
    return this;
  }

  encode(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function bytesOf(value: Uint8Array | string | Message): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value);
  return value instanceof Message ? value.encode() : value;
}

function tag(field: number, wire: number): Uint8Array {
  return varint(field * 8 + wire);
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
