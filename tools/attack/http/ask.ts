import { Agent } from 'node:https';
import { RawClient } from '@adbreak/hub/broker/testing.js';
import { answerOf } from '@adbreak/hub/testing/asked.js';
import { SESSION_COOKIE } from '@adbreak/shared/contract/http/accounts.js';
import { problem } from '@adbreak/shared/contract/http/problem.js';
import type { ErrorCode } from '@adbreak/shared/errors.js';
import { until } from '@adbreak/shared/testing/until.js';
import type { Ground, Rogue } from '../ground.js';

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly token?: string | undefined;
  /** A session, as a cookie holds it. */
  readonly session?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly send?: string;
  /** With the rogue's own client certificate. */
  readonly certified?: boolean;
  /** In the clear, at the port of the loopback. */
  readonly plain?: boolean;
}
export interface Answer {
  readonly status: number;
  /** Null where it is no refusal. */
  readonly code: string | null;
  readonly body: string;
}

export const JSON_BODY = { 'content-type': 'application/json' };

/** An address of this machine for each rogue alone: what is counted against it is nobody else's. */
export function addressOf({ device }: Rogue): string {
  const number = Number(/\d+$/.exec(device)?.[0] ?? 0);
  return `127.1.${number >> 8}.${number & 255}`;
}

export async function ask({ hub }: Ground, rogue: Rogue, asked: Asked): Promise<Answer> {
  const { method = 'GET', path, token, session, send, plain = false, certified = false } = asked;
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(session !== undefined && { cookie: `${SESSION_COOKIE}=${session}` }),
    ...asked.headers,
  };
  const { key, cert } = rogue.tls;
  const where = plain
    ? { hub: `http://localhost:${hub.localPort}` }
    : {
        hub: hub.hub,
        agent: new Agent({
          ca: hub.authority,
          localAddress: addressOf(rogue),
          ...(certified && { key, cert }),
        }),
      };
  const { status, body } = await answerOf({
    ...where,
    method,
    path,
    headers,
    ...(send !== undefined && { send }),
  });
  return { status, code: codeOf(status, body), body };
}

/** Of a problem document; what is refused without one is not refused with a name. */
function codeOf(status: number, body: string): string | null {
  if (status < 400) return null;
  try {
    return problem.parse(JSON.parse(body)).code;
  } catch {
    return `nothing (status ${status})`;
  }
}

/** The code of what was refused. Throws where it was let through. */
export function refusalOf({ status, code, body }: Answer, what = 'it'): { code: string } {
  if (code === null) throw new Error(`${what} was let through: ${status} ${body.slice(0, 200)}`);
  return { code };
}

/** Fewer than a device may have connections: this is about who may ask for what. */
const AT_ONCE = 12;
/** Asks all of it, several at once; each must be refused with the code. */
export async function refuseAll(
  ground: Ground,
  rogue: Rogue,
  all: readonly Asked[],
  refused: ErrorCode,
): Promise<{ code: string }> {
  const answers: Awaited<ReturnType<typeof ask>>[] = [];
  for (let from = 0; from < all.length; from += AT_ONCE)
    answers.push(
      ...(await Promise.all(all.slice(from, from + AT_ONCE).map((asked) => ask(ground, rogue, asked)))),
    );
  for (const [i, answer] of answers.entries()) {
    const what = `${all[i]?.method ?? 'GET'} ${all[i]?.path}`;
    const { code } = refusalOf(answer, what);
    if (code !== refused) throw new Error(`${what} was refused with ${code} instead of ${refused}`);
  }
  return { code: refused };
}

/** Bytes as they are over TLS; what is answered until the hub ends the connection, or a while is over. */
export async function askRaw(
  ground: Ground,
  rogue: Rogue,
  bytes: string,
  seconds = 10,
): Promise<{ code: string }> {
  const port = Number(new URL(ground.hub.hub).port);
  const { host, ca } = rogue.tls;
  const client = await RawClient.open(rogue, { host, ca, port, localAddress: addressOf(rogue) });
  client.send(Buffer.from(bytes, 'latin1'));
  await until('an answer', () => client.closed || isWhole(client.received.toString('latin1')), seconds);
  const text = client.received.toString('latin1');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  if (status === 0) throw new Error('it was answered with nothing');
  return refusalOf({ status, code: codeOf(status, body), body });
}
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return end >= 0 && length !== undefined && text.length >= end + 4 + Number(length);
}
