import { MESSAGE_LIMIT } from '@adbreak/shared/contract/messages.js';
import { AdbreakError } from '@adbreak/shared/errors.js';

/** Control packets of MQTT 3.1.1 section 2.2.1 that a client sends, and how long each may say it is. */
const CONNECT = 1;
const PUBLISH = 3;
/** Everything but PUBLISH is short: an agent's CONNECT with its last will has about 300 bytes. */
export const CONTROL_LIMIT = 8 * 1024;
/** A topic, its length and the packet identifier stand before the payload. */
const PUBLISH_LIMIT = MESSAGE_LIMIT + 1024;
/** "Remaining Length" has at most four bytes of seven bits, section 2.2.3. */
const LENGTH_BYTES = 4;

/**
 * Walks over the packets of one client's stream and refuses by the fixed header, before the body is there: the parser
 * behind it keeps whatever is announced, up to 256 MB.
 */
export class PacketMeter {
  #first = true;
  #type: number | null = null;
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the body still to come; null while the header is read. */
  #body: number | null = null;

  /** The offset behind the packet that goes on at `from`, or null when it ends in later bytes. */
  next(bytes: Uint8Array, from: number): number | null {
    let at = from;
    while (this.#body === null) {
      const byte = bytes[at];
      if (byte === undefined) return null;
      at += 1;
      this.#header(byte);
    }
    const taken = Math.min(this.#body, bytes.length - at);
    this.#body -= taken;
    if (this.#body > 0) return null;
    this.#first = false;
    this.#type = null;
    this.#body = null;
    return at + taken;
  }

  #header(byte: number): void {
    if (this.#type === null) {
      this.#type = byte >> 4;
      this.#length = 0;
      this.#lengthBytes = 0;
      // Section 3.1: the first packet must be a CONNECT.
      if (this.#first && this.#type !== CONNECT)
        throw new AdbreakError(
          'input_invalid',
          `Cannot read the stream: the first packet must be CONNECT: its type is ${this.#type}`,
        );
      return;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    const limit = this.#type === PUBLISH ? PUBLISH_LIMIT : CONTROL_LIMIT;
    if (this.#length > limit)
      throw new AdbreakError(
        'input_too_large',
        `Cannot read a packet of type ${this.#type}: it has ${this.#length} bytes or more, at most ${limit}`,
      );
    if (byte < 0x80) this.#body = this.#length;
    else if (this.#lengthBytes === LENGTH_BYTES)
      throw new AdbreakError(
        'input_invalid',
        `Cannot read a packet of type ${this.#type}: its length has more than ${LENGTH_BYTES} bytes`,
      );
  }
}
