import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { AdbreakError } from '@adbreak/shared/errors.js';
import type { Identity } from './identity.js';
import { LIMITS } from './limits.js';
import { PacketMeter } from './packets.js';

interface ConnectionOptions {
  /** Charges the device for a packet of so many bytes; null where it may come. */
  readonly charge: (bytes: number) => AdbreakError | null;
  /** How long what is written may wait for the kernel to take it. */
  readonly slowMs: number;
}

/**
 * What Aedes reads of a device, and writes to it. Only packets of a permitted length pass, and of a new connection its
 * CONNECT alone: what a device sends behind it waits in the socket until `open`, so nothing piles up before the answer.
 * A client that does not read is ended: what is written to it is kept in memory, and Aedes waits for it.
 */
export class Connection extends Duplex {
  readonly identity: Identity;
  #taken: Promise<void> = Promise.resolve();
  readonly #socket: TLSSocket;
  readonly #meter: PacketMeter;
  readonly #slowMs: number;
  #state: 'connect' | 'answering' | 'open' = 'connect';
  #ended = false;
  #subscriptions = 0;

  constructor(socket: TLSSocket, identity: Identity, { charge, slowMs }: ConnectionOptions) {
    super({ allowHalfOpen: false });
    this.identity = identity;
    this.#socket = socket;
    this.#slowMs = slowMs;
    this.#meter = new PacketMeter(charge);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => {
      this.#ended = true;
      this.push(null);
    });
    // After an orderly end the reader still gets what came before it.
    socket.on('close', () => void (this.#ended || this.destroy()));
    socket.on('error', (error) => this.destroy(error));
  }

  /** The CONNECT was accepted. */
  open(): void {
    this.#state = 'open';
    this.#socket.resume();
  }

  /** Settled when this, and everything that came over this connection before it, was taken. Nothing of it is kept after that. */
  inTurn(taken: Promise<void>): Promise<void> {
    this.#taken = Promise.all([this.#taken, taken]).then(() => undefined);
    return this.#taken;
  }

  /** Counts one more subscription of this session; why it is one too many, or null. */
  subscribe(): AdbreakError | null {
    this.#subscriptions += 1;
    if (this.#subscriptions <= LIMITS.subscriptions) return null;
    return new AdbreakError(
      'too_many_requests',
      `Cannot subscribe: ${this.identity.who} has done so ${LIMITS.subscriptions} times in this session`,
      { remedy: 'Subscribe once after each CONNECT.' },
    );
  }

  override _read(): void {
    if (this.#state !== 'answering') this.#socket.resume();
  }
  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }
  /** One TLS record for a packet, though its parts are written one by one. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #send(bytes: Buffer, done: (error?: Error | null) => void): void {
    const late = setTimeout(() => this.destroy(this.#unread()), this.#slowMs);
    // Called too when the socket is destroyed.
    this.#socket.write(bytes, (error) => {
      clearTimeout(late);
      done(error);
    });
  }

  #unread(): AdbreakError {
    const waiting = this.writableLength + this.#socket.writableLength;
    return new AdbreakError(
      'timed_out',
      `Cannot go on: ${this.identity.who} does not read what it is sent; ${waiting} bytes wait for it`,
    );
  }

  #take(chunk: Buffer): void {
    let end: number | null = 0;
    try {
      if (this.writableLength > LIMITS.unread) throw this.#unread();
      end = this.#meter.next(chunk, 0);
      while (this.#state === 'open' && end !== null && end < chunk.length) end = this.#meter.next(chunk, end);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#state === 'connect' && end !== null) {
      this.#state = 'answering';
      this.#socket.pause();
      if (end < chunk.length) this.#socket.unshift(chunk.subarray(end));
      this.push(chunk.subarray(0, end));
    } else if (!this.push(chunk)) this.#socket.pause();
  }
}
