import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A network between a hub and its server that can be cut, and that can keep to itself what one side says. */
export class PostgresProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #open = true;
  #silent: 'nobody' | 'hub' | 'server' = 'nobody';

  private constructor(target: string) {
    this.#server = createServer((hub) => {
      if (!this.#open) return void hub.destroy();
      const server = connect(target);
      const pair = [hub, server] as const;
      this.#pairs.add(pair);
      hub.on('data', (bytes) => this.#silent === 'hub' || server.write(bytes));
      server.on('data', (bytes) => this.#silent === 'server' || hub.write(bytes));
      for (const socket of pair) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          hub.destroy();
          server.destroy();
          this.#pairs.delete(pair);
        });
      }
    });
  }

  /** Before the socket of a server. */
  static async to(target: string): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The URL of a database by this way. */
  through(url: string): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    const way = new URL(url);
    way.search = '';
    return way.href.replace('@localhost/', `@127.0.0.1:${address.port}/`);
  }

  /** What this side says from now on reaches nobody; sessions stay. */
  silence(side: 'hub' | 'server'): void {
    this.#silent = side;
  }

  /** Sessions end, and none comes through until `mend`. */
  cut(): void {
    this.#open = false;
    for (const [hub, server] of this.#pairs) {
      hub.destroy();
      server.destroy();
    }
  }
  mend(): void {
    this.#silent = 'nobody';
    this.#open = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }
}
