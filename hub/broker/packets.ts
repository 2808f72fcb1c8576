import { AdbreakError } from '@adbreak/shared/errors.js';
import { LIMITS } from './limits.js';

/** Control packets of MQTT 3.1.1 section 2.2.1 that a client sends. */
const CONNECT = 1;
const PUBLISH = 3;
/** "Remaining Length" has at most four bytes of seven bits, section 2.2.3. */
const LENGTH_BYTES = 4;
/** A topic stands first in a PUBLISH, its length in two bytes before it: section 3.3.2.1. */
const TOPIC_LENGTH_BYTES = 2;

/**
 * Walks over the packets of one client's stream and refuses by the fixed header, before the body is there: the parser
 * behind it keeps whatever is announced, up to 256 MB.
 */
export class PacketMeter {
  readonly #charge: (bytes: number) => AdbreakError | null;
  #first = true;
  #type: number | null = null;
  #length = 0;
  #lengthBytes = 0;
  /** Bytes of the body still to come; null while the header is read. */
  #body: number | null = null;
  #topic = 0;
  #topicBytes = 0;

  /**
   * `charge` hears of each packet how many bytes it has, before its body is there, and says why it may not
   * come.
   */
  constructor(charge: (bytes: number) => AdbreakError | null) {
    this.#charge = charge;
  }

  /** The offset behind the packet that goes on at `from`, or null when it ends in later bytes. */
  next(bytes: Uint8Array, from: number): number | null {
    let at = from;
    while (this.#body === null) {
      const byte = bytes[at];
      if (byte === undefined) return null;
      at += 1;
      this.#header(byte);
    }
    const end = at + Math.min(this.#body, bytes.length - at);
    if (this.#type === PUBLISH) this.#lookAtTopic(bytes, at, end);
    this.#body -= end - at;
    if (this.#body > 0) return null;
    this.#first = false;
    this.#type = null;
    this.#body = null;
    return end;
  }

  #header(byte: number): void {
    if (this.#type === null) {
      this.#type = byte >> 4;
      this.#length = 0;
      this.#lengthBytes = 0;
      this.#topic = 0;
      this.#topicBytes = 0;
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
    const limit = this.#type === PUBLISH ? LIMITS.publish : LIMITS.control;
    if (this.#length > limit)
      throw new AdbreakError(
        'input_too_large',
        `Cannot read a packet of type ${this.#type}: it has ${this.#length} bytes or more, at most ${limit}`,
      );
    if (byte < 0x80) this.#begin();
    else if (this.#lengthBytes === LENGTH_BYTES)
      throw new AdbreakError(
        'input_invalid',
        `Cannot read a packet of type ${this.#type}: its length has more than ${LENGTH_BYTES} bytes`,
      );
  }

  #begin(): void {
    this.#body = this.#length;
    const refusal = this.#charge(1 + this.#lengthBytes + this.#length);
    if (refusal !== null) throw refusal;
  }

  #lookAtTopic(bytes: Uint8Array, at: number, end: number): void {
    for (let i = at; i < end && this.#topicBytes < TOPIC_LENGTH_BYTES; i += 1) {
      this.#topic = this.#topic * 256 + (bytes[i] ?? 0);
      this.#topicBytes += 1;
    }
    if (this.#topicBytes === TOPIC_LENGTH_BYTES && this.#topic > LIMITS.topic)
      throw new AdbreakError(
        'input_too_large',
        `Cannot read a PUBLISH: its topic has ${this.#topic} bytes, at most ${LIMITS.topic}`,
      );
  }
}
