import { readFile } from 'node:fs/promises';
import type { AnswerOf, AskedBy, Contract, JsonContract } from '@adbreak/shared/contract/http/contract.js';
import { check } from '@adbreak/shared/contract/parse.js';
import { AdbreakError } from '@adbreak/shared/errors.js';
import { HubClient, type TokenRequest } from '@adbreak/shared/hub-client.js';

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
      throw new AdbreakError('not_found', `Cannot read the authority's certificate ${path}`, {
        cause,
        remedy:
          "Copy the hub's identity/ca.pem here, out of its state folder, and give its path as --ca (ADBREAK_CA).",
      });
    }),
  };
}

export type HubRequest = Pick<TokenRequest, 'method' | 'json' | 'form'>;

/** A forecast over a large fleet takes its time. */
const SILENCE_MS = 120_000;

/** One call of the hub's API. Throws the hub's own coded error, or `hub_unreachable`. */
export async function callHub(
  { hub, token, authority }: HubAddress,
  path: string,
  request: HubRequest = {},
): Promise<unknown> {
  await using client = new HubClient(hub, { authority }, { silenceMs: SILENCE_MS, reader: 'person' });
  return await client.askAs(path, { what: 'reach the hub', token, ...request });
}

/**
 * One call by its contract: the answer is parsed by the contract's schema. Throws what `callHub` throws, and
 * `hub_unreachable` where what answers is no hub of this form.
 */
export async function callBy<const C extends JsonContract>(
  address: HubAddress,
  contract: C,
  asked: AskedBy<C>,
): Promise<AnswerOf<C>> {
  const { method, answer } = contract;
  const { body }: { readonly body?: unknown } = asked;
  const given = await callHub(address, pathOf(contract, asked), {
    method,
    ...(body !== undefined && { json: body }),
  });
  return check(answer, given, 'the answer of the hub', 'hub_unreachable', OTHER_HUB) as AnswerOf<C>;
}

const OTHER_HUB = 'Check that --hub (ADBREAK_HUB) is a hub, and that it and this command are of one version.';

function pathOf({ path }: Contract, asked: { readonly params?: unknown; readonly query?: unknown }): string {
  const params = new Map(Object.entries(asked.params ?? {}));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(params.get(name))),
  );
  const query = Object.entries(asked.query ?? {}).map(([name, value]): [string, string] => [
    name,
    String(value),
  ]);
  return query.length === 0 ? filled : `${filled}?${new URLSearchParams(query)}`;
}
