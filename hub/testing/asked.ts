import type { IncomingHttpHeaders } from 'node:http';
import { type Agent, request } from 'node:https';
import type { TestHub } from '../testing.js';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly send?: string;
  readonly agent: Agent;
}
interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request as it is, and its answer with all its headers: what the hub's own client keeps to itself. */
export function answerOf(hub: TestHub, { method, path, headers, send, agent }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asked = request(`${hub.hub}${path}`, { method, headers, agent }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts).toString('latin1'),
        }),
      );
      answer.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(send);
  });
}
