import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { answerOf } from '@adbreak/hub/testing/asked.js';
import { temporaryFolder } from '@adbreak/shared/testing/temporary.js';
import { tinyRelease } from '@adbreak/shared/testing/tiny-model.js';
import { z } from 'zod';
import type { Ground, Rogue } from '../ground.js';
import { inForce } from './forgery.js';

const BELIEVER = fileURLToPath(new URL('../../../../edge/dist/testing/believer.js', import.meta.url));
const believed = z.object({ code: z.string().nullable(), message: z.string(), holds: z.array(z.string()) });
type Believed = z.infer<typeof believed>;

/** One process for all rows: each device has a folder of its own. It ends with who has started it. */
let child: ChildProcess | undefined;
async function ask(what: object): Promise<Believed> {
  const device = child ?? fork(BELIEVER, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child = device;
  const answered = new AbortController();
  const { signal } = answered;
  const answer = Promise.race([
    once(device, 'message', { signal }),
    once(device, 'exit', { signal }).then(() => Promise.reject(new Error('the device has ended'))),
  ]);
  // Between two questions nobody waits for it.
  device.ref();
  device.channel?.ref();
  try {
    device.send(what);
    return believed.parse((await answer)[0]);
  } finally {
    answered.abort();
    device.unref();
    device.channel?.unref();
  }
}

/**
 * Somebody between a device and its hub, with a certificate of the fleet's authority for the hub's name: says
 * what it likes, and hands on the rest. The device behind it is a rogue of the ground, which does nothing
 * wrong here.
 */
export class Between {
  /** What it says, by the end of the path. */
  readonly says = new Map<string, string | Buffer>();
  readonly #ground: Ground;
  readonly #rogue: Rogue;
  readonly #state: string;
  readonly #url: string;
  readonly #root: string;

  private constructor(ground: Ground, rogue: Rogue, place: { state: string; url: string; root: string }) {
    this.#ground = ground;
    this.#rogue = rogue;
    this.#state = place.state;
    this.#url = place.url;
    this.#root = place.root;
  }

  static async open(ground: Ground, rogue: Rogue): Promise<Between> {
    const authority = await ground.stolenAuthority();
    const { key, certificate } = await authority.issueServer([], new Date());
    const server = createServer({ key, cert: certificate }, async ({ url = '' }, response) => {
      const said = [...between.says].find(([end]) => url.endsWith(end))?.[1];
      if (said !== undefined) return response.end(said);
      const { status, body } = await between.fetch(url);
      return response.writeHead(status).end(Buffer.from(body, 'latin1'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    rogue.after(() => void server.close().closeAllConnections());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { root } = await inForce(ground);
    const place = { state: await temporaryFolder(), url: `https://127.0.0.1:${port}`, root: root.text };
    const between = new Between(ground, rogue, place);
    return between;
  }

  /** What the hub itself answers to the device. */
  fetch(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const { hub } = this.#ground;
    const { key, cert } = this.#rogue.tls;
    return answerOf({
      hub: hub.hub,
      method: 'GET',
      path,
      agent: new Agent({ ca: hub.authority, key, cert }),
    });
  }

  /** The device shall fetch a version; `as` is one whose digest it is told in its place. */
  take(version: string, { later = 0, as = version } = {}): Promise<Believed> {
    const { digest } = tinyRelease(as).manifest;
    return this.#give({ name: 'base-ad-detector', version, digest }, later);
  }
  /** The device gets this as its desired state. */
  hear(desired: string, later = 0): Promise<Believed> {
    return this.#give({ desired }, later);
  }

  #give(give: object, later: number): Promise<Believed> {
    const { device, tls } = this.#rogue;
    const identity = {
      device,
      key: tls.key,
      certificate: tls.cert,
      authority: tls.ca,
      mqtt: '',
      root: this.#root,
    };
    return ask({ state: this.#state, hub: this.#url, identity, later, give });
  }
}
