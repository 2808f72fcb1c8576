import { readFile } from 'node:fs/promises';
import { errorFromAnswer } from '@adbreak/shared/contract/wire-error.js';
import { AdbreakError, explain } from '@adbreak/shared/errors.js';
import { Agent, type FormData, fetch } from 'undici';

export interface HubAddress {
  readonly hub: string;
  readonly token: string;
  /** PEM of the fleet's authority: the hub's certificate is checked against it alone. */
  readonly authority: string;
}

/** Where the hub is and who asks: flags, else ADBREAK_HUB, ADBREAK_TOKEN and ADBREAK_CA. */
export async function hubAddress(flags: { hub?: string; token?: string; ca?: string }): Promise<HubAddress> {
  const need = (value: string | undefined, flag: string, variable: string) => {
    if (value === undefined || value === '')
      throw new AdbreakError('unauthorized', `Cannot reach the hub: give ${flag} or set ${variable}`, {
        remedy:
          '`adbreak hub start` prints all three on its first start; a token that is lost is made anew by `adbreak hub token --state DIR` while the hub is stopped.',
      });
    return value;
  };
  const path = need(flags.ca ?? process.env['ADBREAK_CA'], '--ca', 'ADBREAK_CA');
  return {
    hub: need(flags.hub ?? process.env['ADBREAK_HUB'], '--hub', 'ADBREAK_HUB'),
    token: need(flags.token ?? process.env['ADBREAK_TOKEN'], '--token', 'ADBREAK_TOKEN'),
    authority: await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new AdbreakError('not_found', `Cannot read the authority's certificate ${path}`, { cause });
    }),
  };
}

export interface HubRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly json?: unknown;
  readonly form?: FormData;
}

/** One call of the hub's API. Throws the hub's own coded error, or `hub_unreachable`. */
export async function callHub(
  { hub, token, authority }: HubAddress,
  path: string,
  { method = 'GET', json, form }: HubRequest = {},
): Promise<unknown> {
  const dispatcher = new Agent({ connect: { ca: authority } });
  try {
    const answer = await fetch(new URL(path, hub), {
      method,
      dispatcher,
      headers: {
        authorization: `Bearer ${token}`,
        ...(json !== undefined && { 'content-type': 'application/json' }),
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(form !== undefined && { body: form }),
    }).catch((cause: unknown) => {
      throw new AdbreakError('hub_unreachable', `Cannot reach the hub at ${hub}: ${explain(cause)}`, {
        cause,
      });
    });
    const body: unknown = /^application\/json\b/.test(answer.headers.get('content-type') ?? '')
      ? await answer.json()
      : Buffer.from(await answer.arrayBuffer());
    if (answer.ok) return body;
    throw errorFromAnswer(body, answer.status);
  } finally {
    await dispatcher.close();
  }
}
