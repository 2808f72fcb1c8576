import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Identity } from './identity.js';
import { PacketMeter } from './packets.js';

/**
 * What Aedes reads of a device, and writes to it. Only packets of a permitted length pass, and of a new connection its
 * CONNECT alone: what a device sends behind it waits in the socket until `open`, so nothing piles up before the answer.
 */
export class Connection extends Duplex {
  readonly identity: Identity;
  #taken: Promise<void> = Promise.resolve();
  readonly #socket: TLSSocket;
  readonly #meter = new PacketMeter();
  #state: 'connect' | 'answering' | 'open' = 'connect';
  #ended = false;

  constructor(socket: TLSSocket, identity: Identity) {
    super({ allowHalfOpen: false });
    this.identity = identity;
    this.#socket = socket;
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

  override _read(): void {
    if (this.#state !== 'answering') this.#socket.resume();
  }
  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }
  /** One TLS record for a packet, though its parts are written one by one. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }
  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    let end: number | null = 0;
    try {
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
