import type { Server, Socket } from 'node:net';
import { network } from '../identity/guesses.js';

export interface PlaceLimits {
  /** Connections in whatever state: each costs memory and a file descriptor. */
  readonly all: number;
  /** Of one address. A whole site may stand behind one. */
  readonly each: number;
  /** Of all of them, those that devices never get. */
  readonly kept: number;
}
/** Hears of which address a connection was closed, and why. */
type Refused = (address: string, why: string) => void;

interface Place {
  readonly key: string;
  readonly socket: Socket;
  readonly address: string;
  holder: 'device' | 'operator' | null;
  /** Who asks is known, though not by a certificate. */
  known: boolean;
  /** Something that was asked is not answered yet. */
  busy: boolean;
}

/**
 * The connections that a listener holds, in all and of one address. When all places are taken the newest is
 * still let in, for nobody knows yet who it is: the one that has been silent longest is closed for it, among
 * those that have shown no certificate. Who has shown one is closed for nobody, and some places are left to
 * others than devices.
 */
export class Places {
  readonly #limits: PlaceLimits;
  readonly #refused: Refused;
  /** By addresses and ports: a TLS socket and the one beneath it have the same. */
  readonly #places = new Map<string, Place>();
  /** Those that may be closed for another, the one that was silent longest first. */
  readonly #open = new Map<string, Place>();
  readonly #addresses = new Map<string, number>();
  #devices = 0;

  constructor(server: Server, limits: PlaceLimits, refused: Refused) {
    this.#limits = limits;
    this.#refused = refused;
    server.on('connection', (socket: Socket) => this.#take(socket));
  }

  /** Whether so many places are held by devices that there is none for one more. */
  get fullOfDevices(): boolean {
    return this.#devices >= this.#limits.all - this.#limits.kept;
  }

  /** The certificate of a connection is good: it is closed for nobody any more. */
  hold(socket: Socket, holder: 'device' | 'operator'): void {
    const key = keyOf(socket);
    const place = this.#places.get(key);
    if (place === undefined || place.holder !== null) return;
    place.holder = holder;
    this.#open.delete(key);
    if (holder === 'device') this.#devices += 1;
  }

  /** Who asks over a connection has said who it is. */
  know(socket: Socket): void {
    const place = this.#places.get(keyOf(socket));
    if (place !== undefined) place.known = true;
  }

  /** Something is asked over a connection, or all that was asked is answered. */
  mark(socket: Socket, busy: boolean): void {
    const key = keyOf(socket);
    const place = this.#places.get(key);
    if (place === undefined || place.holder !== null) return;
    place.busy = busy;
    // A Map keeps the order of insertion: what was silent longest stands first.
    this.#open.delete(key);
    this.#open.set(key, place);
  }

  #take(socket: Socket): void {
    // Closed by another bound already.
    if (socket.destroyed) return;
    const { all, each } = this.#limits;
    const address = network(socket.remoteAddress ?? '');
    const count = this.#addresses.get(address) ?? 0;
    if (count >= each) return this.#close(socket, address, `it holds ${each} connections`);
    if (this.#places.size >= all && !this.#makeRoom())
      return this.#close(socket, address, `all ${all} places are taken by others who are known`);
    const key = keyOf(socket);
    const place: Place = { key, socket, address, holder: null, known: false, busy: false };
    this.#addresses.set(address, count + 1);
    this.#places.set(key, place);
    this.#open.set(key, place);
    socket.once('close', () => this.#leave(place));
  }

  /** Of those that ask nothing the oldest; else of strangers the one that has been asking longest. */
  #makeRoom(): boolean {
    const place = this.#oldest(({ busy }) => !busy) ?? this.#oldest(({ known }) => !known);
    if (place === undefined) return false;
    this.#leave(place);
    this.#close(place.socket, place.address, 'all places are taken, and it was silent longest');
    return true;
  }

  #oldest(may: (place: Place) => boolean): Place | undefined {
    for (const place of this.#open.values()) if (may(place)) return place;
    return undefined;
  }

  #close(socket: Socket, address: string, why: string): void {
    socket.destroy();
    this.#refused(address, why);
  }

  /** Once for each: who was closed for another leaves before its socket says so. */
  #leave(place: Place): void {
    const { key } = place;
    if (this.#places.get(key) !== place) return;
    this.#places.delete(key);
    this.#open.delete(key);
    if (place.holder === 'device') this.#devices -= 1;
    const left = (this.#addresses.get(place.address) ?? 1) - 1;
    if (left > 0) this.#addresses.set(place.address, left);
    else this.#addresses.delete(place.address);
  }
}

function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
