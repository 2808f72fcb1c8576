import type { ServerResponse } from 'node:http';

const PLACES = 20;
/** One machine, with whatever runs on it, takes no more, so that it cannot put the others out. */
const PLACES_OF_ONE = 8;
const HEARTBEAT_MS = 15_000;
/** Who leaves more than this unread is not listening. */
const MOST_UNREAD_BYTES = 64 * 1024;

/**
 * Those who watch the stream of events (server-sent events, HTML Living Standard 9.2). There is always a place for a new
 * one: where all are taken, the one that has listened longest gives its up. Browsers come back by themselves.
 */
export class Listeners implements Disposable {
  /** Oldest first, with the address of each. */
  readonly #open = new Map<ServerResponse, string>();
  readonly #heartbeat: NodeJS.Timeout;

  readonly #mostUnread: number;

  constructor(heartbeatMs = HEARTBEAT_MS, mostUnreadBytes = MOST_UNREAD_BYTES) {
    this.#mostUnread = mostUnreadBytes;
    // A peer that is gone without a word is found out by TCP when something is sent to it.
    this.#heartbeat = setInterval(() => this.send(':\n\n'), heartbeatMs).unref();
  }

  admit(listener: ServerResponse, address: string): void {
    const leaving = this.#whoLeavesFor(address);
    if (leaving !== undefined) this.#end(leaving);
    listener.on('close', () => this.#open.delete(listener));
    listener.on('error', () => this.#end(listener));
    listener.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    listener.write(':\n\n');
    this.#open.set(listener, address);
  }

  #whoLeavesFor(address: string): ServerResponse | undefined {
    const all = [...this.#open.keys()];
    const theirs = all.filter((listener) => this.#open.get(listener) === address);
    if (theirs.length >= PLACES_OF_ONE) return theirs[0];
    return all.length >= PLACES ? all[0] : undefined;
  }

  send(text: string): void {
    for (const listener of this.#open.keys()) {
      listener.write(text);
      if (listener.writableLength > this.#mostUnread) this.#end(listener);
    }
  }

  /** Without waiting for what it has not read. */
  #end(listener: ServerResponse): void {
    this.#open.delete(listener);
    listener.destroy();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
    for (const listener of this.#open.keys()) listener.end();
    this.#open.clear();
  }
}
