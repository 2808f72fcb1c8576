import { Agent } from 'node:https';
import { SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import { FORM } from '@adbreak/shared/contract/http/contract.js';
import type { HubAddress } from '../cli/client.js';
import { answerOf } from './asked.js';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/**
 * What a browser does on the hub's pages, without one: it keeps the session's cookie, and says with each form
 * from which page it comes.
 */
export class Browser {
  readonly #hub: Pick<HubAddress, 'hub' | 'authority'>;
  readonly #agent: Agent;
  cookie: string | null = null;

  /** `from`: an address of this machine (127.0.0.0/8) that it comes from. */
  constructor(hub: Pick<HubAddress, 'hub' | 'authority'>, from?: string) {
    this.#hub = hub;
    this.#agent = new Agent({ ca: hub.authority, ...(from !== undefined && { localAddress: from }) });
  }

  get(path: string): Promise<Answer> {
    return this.ask('GET', path);
  }

  /** Sends a form of the hub's own page. */
  post(path: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const headers = { origin: this.#hub.hub, 'content-type': FORM };
    return this.ask('POST', path, headers, new URLSearchParams(fields).toString());
  }

  /** A request with the cookie, and nothing else that is not said. */
  async ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    send?: string,
  ): Promise<Answer> {
    const cookie = this.cookie === null ? {} : { cookie: `${SESSION_COOKIE}=${this.cookie}` };
    const asked = {
      hub: this.#hub.hub,
      method,
      path,
      headers: { ...cookie, ...headers },
      agent: this.#agent,
    };
    const answer = await answerOf({ ...asked, ...(send !== undefined && { send }) });
    for (const one of answer.headers['set-cookie'] ?? []) {
      const value = new RegExp(`^${SESSION_COOKIE}=([^;]*)`).exec(one)?.[1];
      if (value !== undefined) this.cookie = value === '' ? null : value;
    }
    return answer;
  }
}
